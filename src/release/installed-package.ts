import { isAbsolute, join, normalize } from 'node:path';
import { readFileIfThere } from '../core/files.ts';

/**
 * Where a repository's package-lock.json takes aircher-models from: `locked`, so that `npm ci` brings it and everything below it by
 * digest on any machine; `outside`, from a file or folder that is no part of the repository; `absent`.
 */
export type PackageOrigin = 'locked' | 'outside' | 'absent';

/** Reads `package-lock.json` of lockfileVersion 2 and newer. [npm docs, package-lock.json] A file that isn't one counts as absent. */
export async function packageOrigin(directory: string): Promise<PackageOrigin> {
  const text = await readFileIfThere(join(directory, 'package-lock.json'));
  const entry = text === undefined ? undefined : lockedEntry(text.toString());
  if (entry === undefined) return 'absent';
  if (entry.link === true) return 'outside';
  const file = /^file:(.*)$/.exec(String(entry.resolved ?? ''))?.[1];
  if (file === undefined) return 'locked';
  return isAbsolute(file) || normalize(file).startsWith('..') ? 'outside' : 'locked';
}

function lockedEntry(text: string): { readonly resolved?: unknown; readonly link?: unknown } | undefined {
  try {
    return JSON.parse(text)?.packages?.['node_modules/aircher-models'] ?? undefined;
  } catch {
    return undefined;
  }
}
