import { compareBytes } from '../../contract/names.ts';
import { readFileIfThere, writeFileAtomically } from '../../core/files.ts';
import { formatJson } from '../../core/format.ts';
import { readAllInstalled, recordOf } from './installed.ts';
import type { CacheLayout } from './layout.ts';

/**
 * Brings `models/checksums.json` in step with the records: `{ "<model>": { "version", "files": { "<path>": "<sha256>" } } }` of
 * the current versions. Writes only where something differs. When several processes do it at once, the last one sees all
 * records, for each looks again after it wrote.
 */
export async function refreshChecksumsFile(layout: CacheLayout): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const wanted = await deriveChecksums(layout);
    const found = (await readFileIfThere(layout.checksums))?.toString('utf8');
    if (found === wanted || (found === undefined && wanted === '{}\n')) return;
    await writeFileAtomically(layout.checksums, wanted);
  }
}

export async function deriveChecksums(layout: CacheLayout): Promise<string> {
  const entries: [string, object][] = [];
  for (const model of await readAllInstalled(layout)) {
    const record = recordOf(model, model.current);
    if (record === undefined) continue;
    const files = [...record.files].sort((a, b) => compareBytes(a.path, b.path));
    const members = Object.fromEntries(files.map((file) => [file.path, file.sha256]));
    entries.push([model.name, { version: record.version, files: members }]);
  }
  return formatJson(Object.fromEntries(entries));
}
