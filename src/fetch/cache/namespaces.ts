import * as z from 'zod/mini';
import { hasSystemCode } from '../../core/errors.ts';
import { readFileIfThere, writeFileAtomically } from '../../core/files.ts';
import { formatJson } from '../../core/format.ts';

const namespacesSchema = z.object({
  namespaces_version: z.literal(1),
  /** By source, as it is shown: without passwords. */
  sources: z.record(z.string(), z.string()),
});

/** The namespace that each source's manifest had when it was last asked; none where the file is missing or damaged. */
export async function readNamespaces(file: string): Promise<Readonly<Record<string, string>>> {
  const bytes = await readFileIfThere(file);
  try {
    return z.parse(namespacesSchema, JSON.parse(String(bytes))).sources;
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
