import { basename, dirname, join } from 'node:path';
import { archiveName } from '../../contract/artifacts.ts';
import { archiveFormats } from '../../contract/chunk-index.ts';
import { type AircherError, integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { hashFile, type Sha256 } from '../../core/hashing.ts';
import { fileSize, isFile } from '../../core/read-files.ts';
import { isDirectory } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import type { KnownManifest } from '../manifests/good-manifest.ts';
import { localManifests } from '../manifests/local-manifests.ts';
import { modelEntry, type ResolvedModel } from '../manifests/resolve-model.ts';
import { withdrawalBy } from '../manifests/withdrawal.ts';

/**
 * Finds models on a disk. `from` is a release's folder (manifest.json beside archives, as `export`
 * and a mirror have it, or beside folders of files), a folder with one model's files, or an
 * archive. Without `names`: every model that is there. The manifest may also be named as a source,
 * or be the one that was accepted last. Throws `invalid` (nothing there, no manifest), `integrity`.
 */
export async function findOnDisk(
  client: Client,
  from: string,
  names: readonly string[],
  context: RunContext,
): Promise<readonly ModelOnDisk[]> {
  const isFolder = await isDirectory(from);
  if (!isFolder && !(await isFile(from))) throw notThere(from);
  const manifests = await localManifests(client, isFolder ? from : dirname(from), context);
  if (manifests.length === 0) {
    throw invalidError(
      `No manifest is known to check ${from} against.`,
      'Put its manifest.json (and .minisig) beside it, or name it by --manifest FILE.',
    );
  }
  return (await findPieces(from, manifests, names, context)).map((piece) => {
    const { name, version } = piece.resolved;
    return { ...piece, name, yanked: manifests.map((good) => withdrawalBy(good, name, version)).find(Boolean) };
  });
}

/** The same by manifests that are known. Throws `invalid`, `integrity`. */
export async function findPieces(
  from: string,
  manifests: readonly KnownManifest[],
  names: readonly string[],
  context: RunContext,
): Promise<readonly Piece[]> {
  if (await isDirectory(from)) return findInFolder(from, manifests, names);
  if (await isFile(from)) return [await findArchive(from, manifests, names, context)];
  throw notThere(from);
}

function notThere(from: string): AircherError {
  return invalidError(`${from} is neither a folder nor a file that is there.`);
}

/** One model's content on this disk: an archive, or a folder with its files. */
export interface Piece {
  readonly resolved: ResolvedModel;
  readonly archive?: string;
  /** Its sha256 is known to be right. */
  readonly isChecked?: boolean;
  readonly folder: string;
}

export interface ModelOnDisk extends Piece {
  readonly name: string;
  /** Why the version was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

async function findInFolder(
  from: string,
  manifests: readonly KnownManifest[],
  names: readonly string[],
): Promise<Piece[]> {
  const wanted = names.length > 0 ? names : manifests.flatMap((good) => Object.keys(good.manifest.models));
  const pieces: Piece[] = [];
  for (const name of new Set(wanted)) {
    const good = manifests.find(({ manifest }) => Object.hasOwn(manifest.models, name)) ?? manifests[0]!;
    const resolved = resolvedFrom(good, name);
    const archive = await findArchiveOf(from, resolved);
    // The folder may be the model itself: so named, or the one that is asked for.
    const isItself = names.length === 1 || basename(from) === name;
    const folder = await firstWithFiles([join(from, name), ...(isItself ? [from] : [])], resolved);
    if (archive !== undefined) pieces.push({ resolved, archive, folder: from });
    else if (folder !== undefined) pieces.push({ resolved, folder });
    else if (names.length > 0) {
      throw invalidError(`${from} has neither ${archiveName(name, resolved.entry.format)} nor a folder ${name}.`);
    }
  }
  if (pieces.length > 0) return pieces;
  throw invalidError(
    `${from} holds no model that the manifest names.`,
    'For a folder with the files of one model, name it: install NAME --from DIR.',
  );
}

async function findArchive(
  from: string,
  manifests: readonly KnownManifest[],
  names: readonly string[],
  context: RunContext,
): Promise<Piece> {
  const known = manifests.flatMap((good) => Object.keys(good.manifest.models).map((name) => resolvedFrom(good, name)));
  const size = await fileSize(from);
  // One that is none by its size isn't read.
  const found = known.some(({ entry }) => entry.size_bytes === size)
    ? await hashArchive(from, basename(from), size, context)
    : undefined;
  const right = known.find(({ entry }) => entry.sha256 === found);
  if (right !== undefined && (names.length === 0 || names.includes(right.name))) {
    return { resolved: right, archive: from, isChecked: true, folder: dirname(from) };
  }
  const meant =
    known.find(({ name }) => names.includes(name)) ?? known.find(({ name }) => basename(from).startsWith(`${name}.`));
  if (meant !== undefined && right === undefined) throw wrongArchive(from, meant, size, found);
  throw invalidError(
    `${from} is ${right?.name ?? 'no archive that the manifest names'}.`,
    'The manifest must be of the same release: put its manifest.json beside the archive.',
  );
}

function wrongArchive(
  path: string,
  { name, version, entry }: ResolvedModel,
  size: number | undefined,
  found: Sha256 | undefined,
): AircherError {
  const fault =
    size === entry.size_bytes ? 'its sha256 differs' : `it has ${size} bytes instead of ${entry.size_bytes}`;
  return integrityError(
    `${path} is not the archive of ${name} ${version}: ${fault}.`,
    'It is damaged, or of another release than the manifest. Copy or download it again.',
    { details: { expected: entry.sha256, found } },
  );
}

function resolvedFrom(good: KnownManifest, name: string): ResolvedModel {
  const entry = modelEntry(good, name);
  return { name, version: entry.version, entry, from: good };
}

async function findArchiveOf(directory: string, resolved: ResolvedModel): Promise<string | undefined> {
  const { format } = resolved.entry;
  for (const known of format === undefined ? archiveFormats : [format]) {
    const path = join(directory, archiveName(resolved.name, known));
    if (await isFile(path)) return path;
  }
  return undefined;
}

/**
 * The first folder that has a file of the model at its place: enough to mean it; every byte is
 * checked later.
 */
async function firstWithFiles(folders: readonly string[], { entry }: ResolvedModel): Promise<string | undefined> {
  for (const folder of folders) {
    for (const file of entry.files ?? []) if (await isFile(join(folder, file.path))) return folder;
  }
  return undefined;
}

/** Throws `integrity` where the file isn't the model's archive. One of another size isn't read. */
export async function checkArchive(path: string, resolved: ResolvedModel, context: RunContext): Promise<void> {
  const { name, entry } = resolved;
  const size = await fileSize(path);
  const found = size === entry.size_bytes ? await hashArchive(path, name, size, context) : undefined;
  if (found !== entry.sha256) throw wrongArchive(path, resolved, size, found);
}

async function hashArchive(
  path: string,
  subject: string,
  total: number | undefined,
  context: RunContext,
): Promise<Sha256> {
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    context.onEvent?.({ type: 'progress', task: 'verify', subject, done, total });
  };
  const found = await hashFile(path, { signal: context.signal, onBytes });
  context.onEvent?.({ type: 'done', task: 'verify', subject });
  return found.sha256;
}
