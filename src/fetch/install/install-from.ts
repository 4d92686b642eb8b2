import { basename, dirname, join } from 'node:path';
import { unpackArchive } from '../../archive/unpack-archive.ts';
import { archiveName, indexName, vectorsName } from '../../contract/artifacts.ts';
import { archiveFormats } from '../../contract/chunk-index.ts';
import { type AircherError, integrityError, invalidError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { hashFile, type Sha256, sha256 } from '../../core/hashing.ts';
import { fileSize, isFile, readBoundedFile } from '../../core/read-files.ts';
import { isDirectory } from '../cache/installed.ts';
import type { Wanted } from '../cache/wanted-weights.ts';
import type { Client } from '../client.ts';
import type { KnownManifest } from '../manifests/good-manifest.ts';
import { localManifests } from '../manifests/local-manifests.ts';
import { modelEntry, type ResolvedModel } from '../manifests/resolve-model.ts';
import { warnIfWithdrawn, withdrawalBy } from '../manifests/withdrawal.ts';
import { readVectorsFile } from '../vectors/reference-file.ts';
import { copyFiles } from './copy-files.ts';
import { type FillStaging, type Installation, type InstallOptions, installVersion } from './install-version.ts';

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

async function findPieces(
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

/**
 * Installs a model from a disk, with the same checks as from the network, and without one. Where no
 * `weights` are asked for: of a folder with its files all that are there, of an archive the
 * default. Throws as `installVersion`.
 */
export async function installFrom(
  client: Client,
  model: ModelOnDisk,
  options: RunContext & Pick<InstallOptions, 'weights'>,
): Promise<Installation> {
  const { weights, ...context } = options;
  const { resolved, archive, folder } = model;
  warnIfWithdrawn(model.name, resolved.version, model.yanked, context);
  const fill = fillFromPiece(model, context);
  const kept = archive ? undefined : await weightsIn(folder, resolved);
  return installVersion(client, resolved, { ...context, makeCurrent: 'newer', weights, kept, fill });
}

/**
 * What brings a model from a disk, by an entry that is known already; looked for there when it is
 * needed. Throws `invalid` where the disk doesn't have it.
 */
export function fillFrom(from: string, known: KnownManifest, name: string, context: RunContext): FillStaging {
  return async (...staging) => {
    const [piece] = await findPieces(from, [known], [name], context);
    return fillFromPiece(piece!, context)(...staging);
  };
}

/** Which weights the folder has all files of; undefined where it has none. */
async function weightsIn(folder: string, { entry }: ResolvedModel): Promise<Wanted | undefined> {
  const found: string[] = [];
  for (const { path, files, default: isDefault } of entry.weights ?? []) {
    const there = await Promise.all(files.map((file) => isFile(join(folder, file))));
    if (!there.includes(false)) found.push(isDefault ? 'default' : path);
  }
  return found.length > 0 ? found : undefined;
}

/** One model's content on this disk: an archive, or a folder with its files. */
interface Piece {
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
async function checkArchive(path: string, resolved: ResolvedModel, context: RunContext): Promise<void> {
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

function fillFromPiece(piece: Piece, context: RunContext): FillStaging {
  return piece.archive ? fillFromArchive(piece, piece.archive, context) : fillFromFolder(piece, context);
}

function fillFromArchive({ resolved, isChecked, folder }: Piece, archive: string, context: RunContext): FillStaging {
  return async (staging) => {
    const { name, entry } = resolved;
    if (!isChecked) await checkArchive(archive, resolved, context);
    const files = await unpackArchive({ archive, model: name, entry, directory: staging.files }, context);
    return { files, ...(await readBeside(folder, resolved, context)) };
  };
}

function fillFromFolder({ resolved, folder }: Piece, context: RunContext): FillStaging {
  return async (staging, files = []) => {
    await copyFiles(folder, files, staging.files, context);
    return { files, ...(await readBeside(dirname(folder), resolved, context)) };
  };
}

/**
 * What is for later updates and checks only; a wrong or missing one is gone without. Of the
 * reference vectors that is a warning: nothing else would tell before they are asked for.
 */
async function readBeside(
  folder: string,
  { name, version, entry }: ResolvedModel,
  context: RunContext,
): Promise<{ readonly indexBytes: Buffer | undefined; readonly vectorsBytes: Buffer | undefined }> {
  const { index } = entry;
  const path = join(folder, indexName(name, entry.format));
  const bytes = index && (await readBoundedFile(path, index.size_bytes).catch(() => undefined));
  const vectors = join(folder, vectorsName(name));
  const vectorsBytes = await readVectorsFile(vectors, { entry });
  if (entry.reference && vectorsBytes === undefined) {
    const hint = 'check-vectors fetches them, where there is a network.';
    warn(context, { file: vectors, message: `isn’t there as ${name} ${version} has it: reference vectors`, hint });
  }
  return { indexBytes: bytes && sha256(bytes) === index.sha256 ? bytes : undefined, vectorsBytes };
}
