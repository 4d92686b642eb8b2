import { limits } from '../../contract/limits.ts';
import { type LockedModel, type LockFile, parseLockFile } from '../../contract/lock-file.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { nearest } from '../../contract/problems-of.ts';
import { meantBy, weightsOf } from '../../contract/wanted-weights.ts';
import { integrityError, invalidError, usageError } from '../../core/errors.ts';
import { shellWord } from '../../core/format.ts';
import { readBoundedFile } from '../../core/read-files.ts';

/** A lock file that was read, and where it lies. */
export interface ModelsLock {
  readonly path: string;
  readonly content: LockFile;
}

/** Where nothing else is said: in the directory that a command is called in. */
export const defaultLockPath = 'models.lock';

/**
 * Reads a lock file. Throws `usage` where there is none, `invalid` where it is none, `integrity`
 * where it is of another namespace than the caller names.
 */
export async function readLock(path: string, namespace: string | undefined): Promise<ModelsLock> {
  const bytes = await readBoundedFile(path, limits.manifestBytes);
  if (bytes === undefined) throw usageError(`${path} is not there.`, 'Write it: lock NAME…');
  const content = parseLockFile(bytes, path);
  if (namespace === undefined || namespace === content.namespace) return { path, content };
  throw integrityError(
    `${path} is of the namespace ${JSON.stringify(content.namespace)}, not of ${JSON.stringify(namespace)}.`,
    'It is of another publisher: use the client of that one, or the package `aircher`.',
  );
}

/**
 * What the lock file says of a model. Throws `usage` where it lacks it, `invalid` where that
 * contradicts itself.
 */
export function lockedModel({ path, content }: ModelsLock, name: string): LockedModel {
  const { models } = content;
  const locked = Object.hasOwn(models, name) ? models[name] : undefined;
  if (locked === undefined) {
    const near = nearest(name, Object.keys(models));
    throw usageError(`${path} has no ${name}.`, near ? `Did you mean ${near}?` : `Lock it: ${lockCommand(path, name)}`);
  }
  const { weights, space, entry } = locked;
  const missing = weights.filter((one) => meantBy(entry, one).length === 0);
  if (missing.length > 0) {
    const message = `${path}: ${name} ${entry.version} has no weights ${missing.join(', ')}.`;
    throw invalidError(
      message,
      `Lock others: ${lockCommand(path, name, '--weights', 'default')}. There are: ${offeredWeights(entry)}.`,
    );
  }
  const [first = ''] = weights;
  if (space === (weightsOf(entry, first)?.space ?? entry.embedding?.space)) return locked;
  throw invalidError(
    `${path}: the space of ${name} is not that of ${first} in its entry.`,
    `Lock it anew: ${lockCommand(path, name)}`,
  );
}

/** The models that are meant: all that are locked, where none is named. Throws `usage` for none. */
export function lockedNames({ path, content }: ModelsLock, names: readonly string[]): readonly string[] {
  const meant = names.length > 0 ? names : Object.keys(content.models);
  if (meant.length === 0) throw usageError(`${path} has no models.`, `Lock some: ${lockCommand(path, 'NAME')}`);
  return meant;
}

/** How `lock` is called for this file, with these words. */
export function lockCommand(path: string, ...words: readonly string[]): string {
  return ['lock', ...words, ...(path === defaultLockPath ? [] : ['--lock', path])].map(shellWord).join(' ');
}

/** What may be asked for by `--weights`. */
export function offeredWeights({ weights = [] }: ManifestModel): string {
  return ['default', 'all', ...weights.map(({ path }) => path)].join(', ');
}
