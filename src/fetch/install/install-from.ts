import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { archiveFormats } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { type AircherError, integrityError, invalidError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { readBoundedFile } from '../../core/files.ts';
import { hashFile, sha256 } from '../../core/hashing.ts';
import { isDirectory } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { localManifests } from '../manifests/local-manifests.ts';
import { modelEntry, type ResolvedModel } from '../manifests/resolve-model.ts';
import { unpackArchive } from '../transfer/unpack-archive.ts';
import { copyFiles } from './copy-files.ts';
import { type FillStaging, type InstallReport, installVersion } from './install-version.ts';

/**
 * Installs from what lies on a disk, with the same checks as from the network, and without one. `from` is a release's folder
 * (manifest.json beside archives, as `export` and a mirror have it, or beside folders of files), a folder with one model's files, or
 * an archive. Without `names`: every model that is there. The manifest may also be named as a source, or be the one that
 * was accepted last. Throws `invalid` (nothing there, no manifest), `integrity`.
 */
export async function installFrom(
  client: Client,
  from: string,
  names: readonly string[],
  context: RunContext,
): Promise<InstallReport[]> {
  const status = await stat(from).catch(() => undefined);
  if (status === undefined) throw invalidError(`${from} is not there.`);
  if (!status.isDirectory() && !status.isFile()) {
    throw invalidError(`${from} is neither a folder nor a file.`);
  }
  const directory = status.isDirectory() ? from : dirname(from);
  const manifests = await localManifests(client, directory, context);
  if (manifests.length === 0) {
    throw invalidError(
      `No manifest is known to check ${from} against.`,
      'Put the release’s manifest.json (and manifest.json.minisig) beside it, or name it by --manifest FILE.',
    );
  }
  const pieces = status.isDirectory()
    ? await findInDirectory(from, manifests, names)
    : [await findArchive(from, manifests, names, context)];
  const reports: InstallReport[] = [];
  for (const piece of pieces) {
    const fill =
      piece.archive === undefined ? fillFromFolder(piece, context) : fillFromArchive(piece, piece.archive, context);
    tellIfYanked(piece, manifests, context);
    reports.push(await installVersion(client, piece.resolved, { ...context, makeCurrent: 'newer', fill }));
  }
  return reports;
}

/** One model's content on this disk: an archive, or a folder with its files. */
interface Piece {
  readonly resolved: ResolvedModel;
  readonly archive: string | undefined;
  readonly folder: string;
}

async function findInDirectory(
  from: string,
  manifests: readonly GoodManifest[],
  names: readonly string[],
): Promise<Piece[]> {
  const [newest] = manifests;
  const wanted = names.length > 0 ? names : manifests.flatMap((good) => Object.keys(good.manifest.models));
  const pieces: Piece[] = [];
  for (const name of new Set(wanted)) {
    const good = manifests.find((candidate) => Object.hasOwn(candidate.manifest.models, name)) ?? newest;
    if (good === undefined) continue;
    const resolved = resolvedFrom(good, name);
    const archive = await findArchiveOf(from, name, resolved.entry);
    const folder = join(from, name);
    if (archive !== undefined) pieces.push({ resolved, archive, folder: from });
    else if (await holdsModel(folder, resolved.entry)) pieces.push({ resolved, archive: undefined, folder });
    else if (names.length === 1 && (await holdsModel(from, resolved.entry))) {
      pieces.push({ resolved, archive: undefined, folder: from });
    } else if (names.length > 0) {
      throw invalidError(`${from} has neither ${archiveName(name, resolved.entry)} nor a folder ${name}.`);
    }
  }
  if (pieces.length > 0) return pieces;
  return [await findByFolder(from, manifests)];
}

/** A folder that is a model itself: known by its name, or by which model's files it holds. */
async function findByFolder(from: string, manifests: readonly GoodManifest[]): Promise<Piece> {
  for (const good of manifests) {
    for (const name of Object.keys(good.manifest.models)) {
      const resolved = resolvedFrom(good, name);
      if (basename(from) === name && (await holdsModel(from, resolved.entry))) {
        return { resolved, archive: undefined, folder: from };
      }
    }
  }
  throw invalidError(
    `${from} holds no model that the manifest names.`,
    'For a folder with the files of one model, name it: install NAME --from DIR.',
  );
}

async function findArchive(
  from: string,
  manifests: readonly GoodManifest[],
  names: readonly string[],
  context: RunContext,
): Promise<Piece> {
  const found = await hashFile(from, { signal: context.signal });
  const folder = dirname(from);
  const known = manifests.flatMap((good) => Object.keys(good.manifest.models).map((name) => resolvedFrom(good, name)));
  const right = known.find((resolved) => resolved.entry.sha256 === found.sha256);
  const meant =
    known.find((resolved) => names.includes(resolved.name)) ??
    known.find((resolved) => basename(from).startsWith(`${resolved.name}.`));
  if (right !== undefined && (names.length === 0 || names.includes(right.name))) {
    return { resolved: right, archive: from, folder };
  }
  if (meant === undefined || right !== undefined) {
    const what = right === undefined ? 'is no archive that the manifest names' : `is ${right.name}`;
    throw invalidError(
      `${from} ${what}.`,
      'The manifest must be of the same release: put its manifest.json beside the archive.',
    );
  }
  throw wrongArchive(from, meant, found.sha256);
}

function wrongArchive(path: string, { name, version, entry }: ResolvedModel, found: string): AircherError {
  return integrityError(
    `${path} is not the archive of ${name} ${version}: its sha256 differs.`,
    'It is damaged, or of another release than the manifest. Copy or download it again.',
    { details: { expected: entry.sha256, found } },
  );
}

function resolvedFrom(good: GoodManifest, name: string): ResolvedModel {
  const entry = modelEntry(good, name);
  return { name, version: entry.version, entry, from: good, yanked: undefined };
}

function archiveName(name: string, entry: ManifestModel): string {
  return `${name}.${entry.format ?? 'tar.gz'}`;
}

async function findArchiveOf(directory: string, name: string, entry: ManifestModel): Promise<string | undefined> {
  for (const format of entry.format === undefined ? archiveFormats : [entry.format]) {
    const path = join(directory, `${name}.${format}`);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}

/** Whether the folder has a file of the model at its place: enough to mean it; every byte is checked later. */
async function holdsModel(folder: string, entry: ManifestModel): Promise<boolean> {
  if (!(await isDirectory(folder))) return false;
  for (const file of entry.files ?? []) {
    if ((await stat(join(folder, file.path)).catch(() => undefined))?.isFile()) return true;
  }
  return false;
}

function fillFromArchive({ resolved, folder }: Piece, archive: string, context: RunContext): FillStaging {
  return async (staging) => {
    const { name, entry } = resolved;
    let done = 0;
    const onBytes = (count: number): void => {
      done += count;
      context.onEvent?.({
        type: 'progress',
        task: 'verify',
        subject: name,
        done,
        total: Math.max(done, entry.size_bytes),
      });
    };
    const found = await hashFile(archive, { signal: context.signal, onBytes });
    context.onEvent?.({ type: 'done', task: 'verify', subject: name });
    if (found.sha256 !== entry.sha256) throw wrongArchive(archive, resolved, found.sha256);
    const files = await unpackArchive({ archive, model: name, entry, directory: staging.files }, context);
    return { files, indexBytes: await readIndexBeside(folder, name, entry) };
  };
}

/** The index is for later updates only; a wrong or missing one is gone without. */
async function readIndexBeside(folder: string, name: string, entry: ManifestModel): Promise<Buffer | undefined> {
  if (entry.index === undefined) return undefined;
  const path = join(folder, `${archiveName(name, entry)}.index.json`);
  const bytes = await readBoundedFile(path, entry.index.size_bytes).catch(() => undefined);
  return bytes !== undefined && sha256(bytes) === entry.index.sha256 ? bytes : undefined;
}

function fillFromFolder({ resolved, folder }: Piece, context: RunContext): FillStaging {
  return async (staging) => {
    const files = resolved.entry.files ?? [];
    await copyFiles(folder, files, staging.files, context);
    return { files, indexBytes: await readIndexBeside(dirname(folder), resolved.name, resolved.entry) };
  };
}

function tellIfYanked({ resolved }: Piece, manifests: readonly GoodManifest[], context: RunContext): void {
  const { name, version } = resolved;
  const reason = manifests
    .flatMap((good) => good.manifest.yanked ?? [])
    .find((yanked) => yanked.model === name && yanked.version === version)?.reason;
  if (reason !== undefined) warn(context, { file: `${name}@${version}`, message: `was withdrawn: ${reason}` });
}
