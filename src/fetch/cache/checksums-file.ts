import { compareBytes } from '../../contract/names.ts';
import { formatJson } from '../../core/format.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { type InstalledModel, readAllInstalled, recordOf } from './installed.ts';
import type { CacheLayout } from './layout.ts';

/**
 * Brings `models/checksums.json` in step with the records: `{ "<model>": { "version", "files": {
 * "<path>": "<sha256>" } } }` of the current versions. Writes only where something differs. When
 * several processes do it at once, the last one sees all records, for each looks again after it
 * wrote. `known`: what was read just now.
 */
export async function refreshChecksumsFile(
  layout: CacheLayout,
  known?: readonly InstalledModel[] | undefined,
): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const wanted = deriveChecksums((round === 0 && known) || (await readAllInstalled(layout)));
    const found = (await readFileIfThere(layout.checksums))?.toString('utf8');
    if (found === wanted || (found === undefined && wanted === '{}\n')) return;
    await writeFileAtomically(layout.checksums, wanted);
  }
}

function deriveChecksums(models: readonly InstalledModel[]): string {
  const entries = models.flatMap((model) => {
    const record = recordOf(model, model.linked);
    if (record === undefined) return [];
    const sorted = [...record.files].sort((a, b) => compareBytes(a.path, b.path));
    const files = Object.fromEntries(sorted.map(({ path, sha256 }) => [path, sha256]));
    return [[model.name, { version: record.version, files }]];
  });
  return formatJson(Object.fromEntries(entries));
}
