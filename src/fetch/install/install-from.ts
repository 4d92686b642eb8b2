import { dirname, join } from 'node:path';
import { unpackArchive } from '../../archive/unpack-archive.ts';
import { indexName, vectorsName } from '../../contract/artifacts.ts';
import type { Wanted } from '../../contract/wanted-weights.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { isFile, readBoundedFile } from '../../core/read-files.ts';
import type { Client } from '../client.ts';
import type { KnownManifest } from '../manifests/good-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { warnIfWithdrawn } from '../manifests/withdrawal.ts';
import { readVectorsFile } from '../vectors/reference-file.ts';
import { copyFiles } from './copy-files.ts';
import { checkArchive, findPieces, type ModelOnDisk, type Piece } from './find-on-disk.ts';
import { type FillStaging, type Installation, type InstallOptions, installVersion } from './install-version.ts';

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
