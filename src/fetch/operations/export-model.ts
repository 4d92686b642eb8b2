import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { conflictError, remoteError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { makeDirectory, readFileIfThere, removeTree, writeFileAtomically } from '../../core/files.ts';
import { sha256 } from '../../core/hashing.ts';
import type { ExportReport } from '../api.ts';
import { type InstallRecord, readRecordedIndex } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { copyFiles } from '../install/copy-files.ts';
import { readKeptManifest } from '../manifests/accepted-manifest.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { fetchArchive } from '../transfer/fetch-archive.ts';
import { loadIndex } from '../transfer/fetch-index.ts';
import { pathsIn } from '../transfer/transfer-directory.ts';
import { findInstalled, findWanted } from './find-installed.ts';

/**
 * Writes into a directory what `install --from` needs on a machine without a network: archive, chunk index, manifest and its
 * signatures. Offline, an installed version is copied as a folder of files instead. Several models of one release may
 * share the directory. Throws `conflict` where it has another release's manifest.
 */
export async function exportModel(
  client: Client,
  name: string,
  range: string | undefined,
  to: string,
  context: RunContext = {},
): Promise<ExportReport> {
  const resolved: ResolvedModel & { readonly record?: InstallRecord } = client.offline
    ? await resolveInstalled(client, name, range, await findInstalled(client, name, range, context))
    : await resolveModel(
        client,
        await findManifest(client, context, 'look'),
        name,
        range ?? (await findWanted(client, name, range, context))?.version,
        context,
      );
  const { version, entry, from } = resolved;
  const manifest = join(to, 'manifest.json');
  const other = await readFileIfThere(manifest);
  if (other !== undefined && sha256(other) !== from.sha256) {
    throw conflictError(`${manifest} is of another release.`, 'Export into another directory.');
  }
  // The same name each time, so that an export that was interrupted goes on.
  const staging = join(to, `.export-${name}-${version}`);
  await makeDirectory(to);
  const archive = `${name}.${entry.format ?? 'tar.gz'}`;
  const brought = resolved.record
    ? await copyInstalled(client, resolved.record, staging, join(to, name), context)
    : await bringArchive(client, resolved, staging, join(to, archive), context);
  await removeTree(staging);
  const files = [...brought.files];
  const write = async (file: string, bytes: Uint8Array | undefined): Promise<void> => {
    if (bytes === undefined) return;
    files.push(file);
    await writeFileAtomically(join(to, file), bytes);
  };
  await write(`${archive}.index.json`, brought.index);
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
  return { name, version, form: client.offline ? 'files' : 'archive', files, bytes_fetched: brought.bytes };
}

/** The installed version, by the manifest that it was installed by. */
async function resolveInstalled(
  client: Client,
  name: string,
  range: string | undefined,
  record: InstallRecord | undefined,
): Promise<ResolvedModel & { readonly record: InstallRecord }> {
  const from =
    record && (await readKeptManifest(client.layout, { sha256: record.manifest_sha256, local: record.local }));
  if (record === undefined || from === undefined) {
    throw remoteError(
      `${range === undefined ? name : `${name}@${range}`} is not installed with its manifest, and the client is offline.`,
      'Run it where there is a network, or install the model first.',
    );
  }
  return { name, version: record.version, entry: record.entry, from, record };
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
  { name, entry, from }: ResolvedModel,
  staging: string,
  to: string,
  context: RunContext,
): Promise<Brought> {
  const http = (await client.http()).namedBy(from, context);
  const { mirrors: mirrorOrder } = await client.preferences();
  const request = { model: name, entry, staging, reuse: [], mirrorOrder };
  await makeDirectory(staging);
  const index = await loadIndex(request, http, context);
  const { mirrors } = await fetchArchive(request, http, context);
  await rename(pathsIn(staging).archive, to);
  context.onEvent?.({ type: 'done', task: 'download', subject: name });
  return { files: [basename(to)], index: index?.bytes, bytes: mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0) };
}

async function copyInstalled(
  { layout }: Client,
  { model: name, version, files }: InstallRecord,
  staging: string,
  to: string,
  context: RunContext,
): Promise<Brought> {
  await removeTree(staging);
  await copyFiles(layout.version(name, version), files, staging, context);
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
