import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { archiveName, indexName, vectorsName } from '../../contract/artifacts.ts';
import { limits } from '../../contract/limits.ts';
import type { ManifestFile } from '../../contract/manifest.ts';
import { type Wanted, wantedFiles, wantedOf } from '../../contract/wanted-weights.ts';
import { conflictError, remoteError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, removeTree, writeFileAtomically } from '../../core/write-files.ts';
import type { ExportReport, WeightsOptions } from '../api.ts';
import { directoryOf, type InstalledFile, type InstallRecord, readRecordedIndex } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { keepOnly } from '../install/commit-version.ts';
import { copyFiles } from '../install/copy-files.ts';
import { planFiles } from '../install/plan-files.ts';
import { requireLicense } from '../install/require-license.ts';
import { readKeptManifest } from '../manifests/accepted-manifest.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { placeEntry } from '../sources/copies.ts';
import { fetchArchive } from '../transfer/fetch-archive.ts';
import { loadIndex } from '../transfer/fetch-index.ts';
import { runTransfer } from '../transfer/run-transfer.ts';
import { pathsIn } from '../transfer/transfer-directory.ts';
import { bringVectorsFile } from '../vectors/reference-file.ts';
import { findInstalled, findWanted } from './find-installed.ts';

/**
 * Writes into a directory what `install --from` needs on a machine without a network: archive,
 * chunk index, reference vectors, manifest and its signatures. A folder of files instead of the
 * archive where not all of it is wanted, and, from an installed version, offline. Wanted are the
 * weights that are asked for, else what is wanted of the version that is used here, else the
 * default. Several models of one release may share the directory. Throws `conflict` where it has
 * another release's manifest.
 */
export async function exportModel(
  client: Client,
  name: string,
  range: string | undefined,
  to: string,
  options: WeightsOptions = {},
): Promise<ExportReport> {
  const { weights: _, ...context } = options;
  const resolved = client.offline
    ? await resolveInstalled(client, name, range, options)
    : await resolveOffered(client, name, range, options);
  const { version, entry, from, wanted } = resolved;
  await requireLicense(client, resolved);
  const files = wantedFiles(entry, wanted);
  const manifest = join(to, 'manifest.json');
  const other = await readFileIfThere(manifest);
  if (other !== undefined && sha256(other) !== from.sha256) {
    throw conflictError(`${manifest} is of another release.`, 'Export into another directory.');
  }
  // The same name each time, so that an export that was interrupted goes on.
  const staging = join(to, `.export-${name}-${version}`);
  await makeDirectory(to);
  const isWhole = files === undefined || files.length === entry.files?.length;
  const form = client.offline || !isWhole ? 'files' : 'archive';
  const brought = resolved.record
    ? await copyInstalled(client, resolved.record, files, staging, join(to, name), context)
    : isWhole
      ? await bringArchive(client, resolved, staging, join(to, archiveName(name, entry.format)), context)
      : await bringFiles(client, resolved, files, staging, join(to, name), context);
  await removeTree(staging);
  const written = [...brought.files];
  const write = async (file: string, bytes: Uint8Array | undefined): Promise<void> => {
    if (bytes === undefined) return;
    written.push(file);
    await writeFileAtomically(join(to, file), bytes);
  };
  await write(indexName(name, entry.format), brought.index);
  await write(vectorsName(name), await bringVectorsFile(client, resolved, context));
  // That of minisign was checked with the manifest; others are for people.
  const signature = from.signature ?? (await fetchBeside(client, from.url, '.minisig', context));
  if (client.publicKeys.length > 0 && signature === undefined) {
    warn(context, {
      file: from.url,
      message: 'has no signature that could be exported; install --from will refuse it',
    });
  }
  await write('manifest.json.minisig', signature);
  await write('manifest.json.asc', await fetchBeside(client, from.url, '.asc', context));
  await write('manifest.json', from.bytes);
  return { name, version, form, files: written, bytes_fetched: brought.bytes };
}

interface Export extends ResolvedModel {
  readonly wanted: Wanted;
  /** Offline. */
  readonly record?: InstallRecord;
}

async function resolveOffered(
  client: Client,
  name: string,
  range: string | undefined,
  { weights, ...context }: WeightsOptions,
): Promise<Export> {
  const good = await findManifest(client, context, 'look');
  const here = await findWanted(client, name, range, context);
  const resolved = await resolveModel(client, good, name, range ?? here?.version, context);
  return { ...resolved, wanted: wantedOf(resolved, weights, here?.record?.wanted) };
}

/** The installed version, by the manifest that it was installed by. */
async function resolveInstalled(
  client: Client,
  name: string,
  range: string | undefined,
  options: WeightsOptions,
): Promise<Export> {
  const { record, wanted = [] } = (await findInstalled(client, name, range, { ...options, asInstalled: true })) ?? {};
  const from =
    record && (await readKeptManifest(client.layout, { sha256: record.manifest_sha256, local: record.local }));
  if (record === undefined || from === undefined) {
    throw remoteError(
      `${range === undefined ? name : `${name}@${range}`} is not installed with its manifest, and the client is offline.`,
      'Run it where there is a network, or install the model first.',
    );
  }
  return { name, version: record.version, entry: record.entry, from, wanted, record };
}

interface Brought {
  /** What was written, relative to the directory. */
  readonly files: readonly string[];
  /** The chunk index, where there is one. */
  readonly index: Uint8Array | undefined;
  /** What came over the network. */
  readonly bytes: number;
}

async function bringArchive(
  client: Client,
  resolved: ResolvedModel,
  staging: string,
  to: string,
  context: RunContext,
): Promise<Brought> {
  const { name, from } = resolved;
  const http = (await client.http()).namedBy(from, context);
  const { mirrors: mirrorOrder } = await client.preferences();
  const entry = await placeEntry(client, resolved, context);
  const request = { model: name, entry, staging, reuse: [], mirrorOrder };
  await makeDirectory(staging);
  const index = await loadIndex(request, http, context);
  const { mirrors } = await fetchArchive(request, http, context);
  await rename(pathsIn(staging).archive, to);
  context.onEvent?.({ type: 'done', task: 'download', subject: name });
  return { files: [basename(to)], index: index?.bytes, bytes: mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0) };
}

/** Files alone, by chunks. */
async function bringFiles(
  client: Client,
  resolved: ResolvedModel,
  files: readonly ManifestFile[],
  staging: string,
  to: string,
  context: RunContext,
): Promise<Brought> {
  const http = (await client.http()).namedBy(resolved.from, context);
  const plan = await planFiles(client, resolved, { ...context, staging, files });
  const { bytesFetched, indexBytes } = await runTransfer(plan, http, context);
  await keepOnly(pathsIn(staging).files, files);
  await removeTree(to);
  await rename(pathsIn(staging).files, to);
  context.onEvent?.({ type: 'done', task: 'download', subject: resolved.name });
  return { files: files.map((file) => `${resolved.name}/${file.path}`), index: indexBytes, bytes: bytesFetched };
}

async function copyInstalled(
  { layout }: Client,
  record: InstallRecord,
  files: readonly InstalledFile[] = record.files,
  staging: string,
  to: string,
  context: RunContext,
): Promise<Brought> {
  const { model: name, version } = record;
  await removeTree(staging);
  await copyFiles(directoryOf(record), files, staging, context);
  await removeTree(to);
  await rename(staging, to);
  const index = await readRecordedIndex(layout, name, version);
  return { files: files.map((file) => `${name}/${file.path}`), index: index?.bytes, bytes: 0 };
}

async function fetchBeside(
  client: Client,
  url: string,
  ending: string,
  context: RunContext,
): Promise<Uint8Array | undefined> {
  if (!/^https?:/.test(url)) return readFileIfThere(`${url}${ending}`);
  if (client.offline) return undefined;
  const address = new URL(url);
  address.pathname += ending;
  const http = await client.http();
  const request = { maxBytes: limits.signatureBytes, attempts: 1, signal: context.signal };
  const answer = await http.document(address.href, request).catch(() => undefined);
  context.signal?.throwIfAborted();
  return answer?.bytes;
}
