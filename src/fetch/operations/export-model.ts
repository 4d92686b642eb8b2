import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { conflictError, invalidError, remoteError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { makeDirectory, readFileIfThere, removeTree, writeFileAtomically } from '../../core/files.ts';
import { sha256 } from '../../core/hashing.ts';
import { type InstallRecord, readRecordedIndex } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { copyFiles } from '../install/copy-files.ts';
import { readKeptManifest } from '../manifests/accepted-manifest.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { loadIndex } from '../transfer/fetch-index.ts';
import { stagingOf } from '../transfer/staging.ts';
import { transferArchive } from '../transfer/transfer-archive.ts';
import { findInstalled } from './find-installed.ts';

export interface ExportReport {
  readonly name: string;
  readonly version: string;
  /** `archive`: the release's own tarball and index. `files`: the installed files, for want of a network. */
  readonly form: 'archive' | 'files';
  /** Everything that was written, relative to the directory. */
  readonly files: readonly string[];
  readonly bytes_fetched: number;
}

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
  const installed = await findInstalled(client, name, range);
  const resolved = client.offline
    ? await resolveInstalled(client, name, range, installed)
    : await resolveModel(
        client,
        await findManifest(client, context, 'look'),
        name,
        range ?? installed?.version,
        context,
      );
  await checkDirectory(to, resolved);
  await makeDirectory(to);
  const form = client.offline ? 'files' : 'archive';
  const brought =
    form === 'archive'
      ? await exportArchive(client, resolved, to, context)
      : await exportFiles(client, resolved, to, context);
  const manifests = await exportManifest(client, resolved, to, context);
  return {
    name,
    version: resolved.version,
    form,
    files: [...brought.files, ...manifests],
    bytes_fetched: brought.bytes,
  };
}

/** The installed version, by the manifest that it was installed by. */
async function resolveInstalled(
  client: Client,
  name: string,
  range: string | undefined,
  installed: InstallRecord | undefined,
): Promise<ResolvedModel> {
  const from =
    installed?.manifest_sha256 === undefined
      ? undefined
      : await readKeptManifest(client.layout, installed.manifest_sha256);
  if (installed === undefined || from === undefined) {
    const what = range === undefined ? name : `${name}@${range}`;
    throw remoteError(
      `${what} is not installed with its manifest, and the client is offline.`,
      'Run it where there is a network, or install the model first.',
    );
  }
  return { name, version: installed.version, entry: installed.entry, from, yanked: undefined };
}

async function checkDirectory(to: string, { from }: ResolvedModel): Promise<void> {
  const path = join(to, 'manifest.json');
  const other = await readFileIfThere(path);
  if (other === undefined || sha256(other) === from.sha256) return;
  throw conflictError(`${path} is of another release.`, 'Export into another directory.');
}

interface Brought {
  readonly files: readonly string[];
  readonly bytes: number;
}

async function exportArchive(
  client: Client,
  resolved: ResolvedModel,
  to: string,
  context: RunContext,
): Promise<Brought> {
  const { name, version, entry } = resolved;
  const http = await client.http();
  const { mirrors: mirrorOrder } = await client.preferences();
  // The same name each time, so that an export that was interrupted goes on.
  const staging = join(to, `.export-${name}-${version}`);
  const request = { model: name, entry, staging, reuse: [], mirrorOrder };
  await makeDirectory(staging);
  const index = await loadIndex(request, http, context);
  const { mirrors } = await transferArchive(request, http, context);
  const archive = `${name}.${entry.format ?? 'tar.gz'}`;
  await rename(stagingOf(staging).archive, join(to, archive));
  context.onEvent?.({ type: 'done', task: 'download', subject: name });
  const files = [archive];
  if (index !== undefined) {
    files.push(`${archive}.index.json`);
    await writeFileAtomically(join(to, `${archive}.index.json`), index.bytes);
  }
  await removeTree(staging);
  return { files, bytes: mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0) };
}

async function exportFiles(client: Client, resolved: ResolvedModel, to: string, context: RunContext): Promise<Brought> {
  const { name, version, entry } = resolved;
  const record = await findInstalled(client, name, version);
  if (record === undefined) throw invalidError(`${name} ${version} is no longer installed.`);
  const temporary = join(to, `.export-${name}-${version}`);
  await removeTree(temporary);
  await copyFiles(client.layout.version(name, version), record.files, temporary, context);
  await removeTree(join(to, name));
  await rename(temporary, join(to, name));
  const files = record.files.map((file) => `${name}/${file.path}`);
  const index = await readRecordedIndex(client.layout, name, version);
  if (index !== undefined) {
    const path = `${name}.${entry.format ?? 'tar.gz'}.index.json`;
    await writeFileAtomically(join(to, path), index.bytes);
    files.push(path);
  }
  return { files, bytes: 0 };
}

/** manifest.json and the signatures that can be had: that of minisign was checked with the manifest, others are for people. */
async function exportManifest(
  client: Client,
  { from }: ResolvedModel,
  to: string,
  context: RunContext,
): Promise<string[]> {
  const files = ['manifest.json'];
  const write = async (ending: string, bytes: Uint8Array | undefined): Promise<void> => {
    if (bytes === undefined) return;
    files.push(`manifest.json${ending}`);
    await writeFileAtomically(join(to, `manifest.json${ending}`), bytes);
  };
  await write('.minisig', from.signature ?? (await fetchBeside(client, from.url, '.minisig', context)));
  await write('.asc', await fetchBeside(client, from.url, '.asc', context));
  await writeFileAtomically(join(to, 'manifest.json'), from.bytes);
  if (client.publicKeys.length > 0 && !files.includes('manifest.json.minisig')) {
    warn(context, {
      file: from.url,
      message: 'has no signature that could be exported; install --from will refuse it',
    });
  }
  return files;
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
