import { limits } from '../../contract/limits.ts';
import { type LockedModel, type LockFile, parseLockFile } from '../../contract/lock-file.ts';
import { nearest } from '../../contract/problems-of.ts';
import { integrityError, invalidError, usageError } from '../../core/errors.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { weightsOf } from '../cache/wanted-weights.ts';

/** A lock file that was read, and where it lies. */
export interface ModelsLock {
  readonly path: string;
  readonly content: LockFile;
}

/** Where nothing else is said: in the directory that a command is called in. */
export const defaultLockPath = 'models.lock';

/**
 * Reads a lock file. Throws `usage` where there is none, `invalid` where it is none or contradicts
 * itself, `integrity` where it is of another namespace than the caller names.
 */
export async function readLock(path: string, namespace: string | undefined): Promise<ModelsLock> {
  const bytes = await readBoundedFile(path, limits.manifestBytes);
  if (bytes === undefined) throw usageError(`${path} is not there.`, 'Write it: lock NAME…');
  const content = parseLockFile(bytes, path);
  for (const [name, { weights, space, entry }] of Object.entries(content.models)) {
    const [first = ''] = weights;
    const isSame = space === (weightsOf(entry, first)?.space ?? entry.embedding?.space);
    if (!isSame)
      throw invalidError(`${path}: the space of ${name} is not that of ${first} in its entry.`, relock(name));
  }
  if (namespace === undefined || namespace === content.namespace) return { path, content };
  throw integrityError(
    `${path} is of the namespace ${JSON.stringify(content.namespace)}, not of ${JSON.stringify(namespace)}.`,
    'It is of another publisher: use the client of that one, or the package `aircher`.',
  );
}

/** What the lock file says of a model. Throws `usage` where it lacks it. */
export function lockedModel({ path, content }: ModelsLock, name: string): LockedModel {
  const { models } = content;
  const locked = Object.hasOwn(models, name) ? models[name] : undefined;
  if (locked !== undefined) return locked;
  const near = nearest(name, Object.keys(models));
  throw usageError(`${path} has no ${name}.`, near ? `Did you mean ${near}?` : relock(name));
}

function relock(name: string): string {
  return `Lock it: lock ${name}`;
}
