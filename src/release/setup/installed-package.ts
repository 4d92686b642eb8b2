import { isAbsolute, join, normalize } from 'node:path';
import { AircherError } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';

/**
 * Where a repository's package-lock.json takes aircher-models from: `locked`, so that `npm ci`
 * brings it and everything below it by digest on any machine; `outside`, from a file or folder that
 * is no part of the repository.
 */
export type PackageOrigin = 'locked' | 'outside';

/**
 * Reads `package-lock.json` of lockfileVersion 2 and newer. [npm docs, package-lock.json] Throws
 * `invalid` where there is none that names aircher-models: a workflow would run, beside all
 * secrets, what anybody may have registered under that name.
 */
export async function requirePackage(directory: string): Promise<PackageOrigin> {
  const text = await readFileIfThere(join(directory, 'package-lock.json'));
  const entry = text === undefined ? undefined : lockedEntry(text.toString());
  if (entry === undefined) {
    throw new AircherError(
      'invalid',
      'package-lock.json does not name aircher-models, and the workflows run nothing else',
      {
        hint: 'Put the tarball of aircher-models into this repository, `npm install --save-dev ./TARBALL`, and run init again.',
      },
    );
  }
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
