import { invalidError, usageError } from '../core/errors.ts';
import { totalSize } from './fields.ts';
import type { ManifestFile, ManifestModel, ManifestWeights } from './manifest.ts';
import { weightFormats } from './weights-field.ts';

/** What of a version is wanted: `default`, `all`, or paths of weights. So a record keeps it. */
export type Wanted = readonly string[];

interface VersionOfModel {
  readonly name: string;
  readonly version: string;
  readonly entry: ManifestModel;
}

/**
 * What is wanted of a version: `asked`, else what is kept from before, else the default. `asked` is
 * `default`, `all`, a path, or a format that one of the weights has. Throws `usage` where several
 * have it, `invalid` where the version has no such weights.
 */
export function wantedOf(model: VersionOfModel, asked: string | undefined, kept: Wanted = ['default']): Wanted {
  const { name, version, entry } = model;
  if (asked === '') throw usageError('The weights that are asked for have no name.', 'Name a path, a format or all.');
  const wanted = asked === undefined ? kept : meantBy(entry, asked);
  if (asked !== undefined && wanted.length > 1) {
    const each = wanted.map((path) => `--weights ${path}`).join(', ');
    throw usageError(`Several weights of ${name} ${version} are ${asked}.`, `Name one of them: ${each}`);
  }
  const missing = wanted.length > 0 ? wanted.filter((one) => meantBy(entry, one).length === 0) : [asked];
  if (missing.length === 0) return wanted;
  const known = (entry.weights ?? []).map(({ path, format }) => `, ${path} (${format})`);
  throw invalidError(
    `${name} ${version} has no weights ${missing.join(', ')}.`,
    `Name others by --weights: default, all${known.join('')}.`,
  );
}

/**
 * Throws `usage` where these weights are a name that none of the models knows, which is likely to
 * be misspelt. A format that none of them has is no mistake.
 */
export function refuseUnknownWeights(entries: readonly ManifestModel[], asked: string): void {
  const known = entries.flatMap(({ weights = [] }) => weights.map(({ path }) => path));
  if (isWord(asked) || weightFormats.some((format) => format === asked) || known.includes(asked)) return;
  const paths = [...new Set(known)].sort();
  const shown = ['default', 'all', ...weightFormats, ...paths.slice(0, 20), ...(paths.length > 20 ? ['…'] : [])];
  throw usageError(`No model has weights ${JSON.stringify(asked)}.`, `There are: ${shown.join(', ')}.`);
}

/**
 * What is meant by a word, a path or a format: several paths, where several weights have the
 * format; none, where none has.
 */
export function meantBy({ weights = [] }: ManifestModel, asked: string): Wanted {
  if (isWord(asked)) return [asked];
  return weights.filter(({ path, format }) => [path, format].includes(asked)).map(({ path }) => path);
}

/**
 * The weights that are loaded where one of `Wanted` is meant: of `all` the default. Undefined where
 * the manifest names none.
 */
export function weightsOf({ weights }: ManifestModel, wanted: string): ManifestWeights | undefined {
  return weights?.find((one) => (isWord(wanted) ? one.default : one.path === wanted));
}

/**
 * The files of the weights that are wanted, and all that belong to no weights. Undefined where the
 * manifest lists no files.
 */
export function wantedFiles(
  { files, weights = [] }: ManifestModel,
  wanted: Wanted,
): readonly ManifestFile[] | undefined {
  const isWanted = (one: ManifestWeights): boolean =>
    wanted.includes('all') || wanted.includes(one.path) || (one.default === true && wanted.includes('default'));
  const ofAny = new Set(weights.flatMap((one) => one.files));
  const ofWanted = new Set(weights.filter(isWanted).flatMap((one) => one.files));
  return files?.filter(({ path }) => ofWanted.has(path) || !ofAny.has(path));
}

/**
 * Bytes on disk of what is wanted: of the weights, and of all files that are no weights. Where the
 * manifest lists no files, those of the archive.
 */
export function sizeOnDisk(entry: ManifestModel, wanted: Wanted): number {
  const files = wantedFiles(entry, wanted);
  return files === undefined ? entry.size_bytes : totalSize(files);
}

/**
 * The files with what loaders are given at the end, so that it is never there without what it
 * needs.
 */
export function loadedLast<File extends { readonly path: string }>(
  { weights = [] }: ManifestModel,
  files: readonly File[],
): readonly File[] {
  const loaded = new Set(weights.map(({ path }) => path));
  return [...files].sort((a, b) => Number(loaded.has(a.path)) - Number(loaded.has(b.path)));
}

function isWord(wanted: string): boolean {
  return wanted === 'default' || wanted === 'all';
}
