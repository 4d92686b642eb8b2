import { hasSystemCode } from '../../core/errors.ts';
import { formatJson } from '../../core/format.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';

/**
 * The namespace that each source's manifest had when it was last asked, by the source as it is
 * shown: without passwords. None where the file is missing or damaged.
 */
export async function readNamespaces(file: string): Promise<Readonly<Record<string, string>>> {
  const bytes = await readFileIfThere(file);
  try {
    const { namespaces_version: version, sources } = JSON.parse(String(bytes));
    return version === 1 ? sources : {};
  } catch {
    return {};
  }
}

/** Notes a namespace for sources, where that can be written. */
export async function writeNamespace(file: string, sources: readonly string[], namespace: string): Promise<void> {
  const known = await readNamespaces(file);
  if (sources.every((source) => known[source] === namespace)) return;
  const added = Object.fromEntries(sources.map((source) => [source, namespace]));
  try {
    await writeFileAtomically(file, formatJson({ namespaces_version: 1, sources: { ...known, ...added } }));
  } catch (error) {
    if (!hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOSPC', 'EDQUOT')) throw error;
  }
}
