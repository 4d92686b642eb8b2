import { join } from 'node:path';
import { copyFileName } from '../../contract/copy-file.ts';
import * as semver from '../../contract/versions.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { checkDiskSpace } from '../../core/disk-space.ts';
import { conflictError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { formatJson } from '../../core/format.ts';
import { sha256 } from '../../core/hashing.ts';
import { fileSize, hasSize } from '../../core/read-files.ts';
import { removeTree } from '../../core/write-files.ts';
import type { CopyReport, MirrorOptions } from '../api.ts';
import { withModelLock } from '../cache/model-lock.ts';
import type { Client } from '../client.ts';
import { clientName } from '../lock/find-client-file.ts';
import { compareReleases, releaseName } from '../manifests/compare-releases.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { tagPrefixOf } from '../sources/fetch-release.ts';
import { fetchArchive } from '../transfer/fetch-archive.ts';
import { pathsIn } from '../transfer/transfer-directory.ts';
import { type CopyDirectory, openCopyDirectory } from './copy-directory.ts';
import { copyDocuments, documentNames } from './copy-documents.ts';
import { type CopiedFile, type CopyPlan, directoryOf, planCopy } from './plan-copy.ts';

/** Files that are fetched at once. */
const parallel = 4;

/**
 * Copies releases into a directory that a web server may serve at any moment: artifacts first, then
 * the releases' manifests, last what the root names. Only what is missing is fetched, each file
 * checked by its digest; what an interrupted run left is used. Throws `conflict` where the
 * directory is something else, or has a newer release; `remote`, `integrity`, `machine`, and as
 * `planCopy`.
 */
export async function copyReleases(client: Client, to: string, options: MirrorOptions): Promise<CopyReport> {
  const { prune = false, dryRun = false, signal, onEvent } = options;
  const context = { signal, onEvent };
  if (prune && !isPointed(client)) {
    throw usageError('What the root names would go: --prune goes with the newest release, not with --release.');
  }
  const newest = await findManifest(client, context);
  if (newest.unconfirmed) throw newest.unconfirmed;
  const plan = await planCopy(client, newest, options);
  const work = async (): Promise<CopyReport> => {
    const directory = await openCopyDirectory(to);
    await refuseOther(client, directory, plan);
    const missing: CopiedFile[] = [];
    let bytes = 0;
    for (const file of plan.files) {
      if (await hasSize(join(to, file.path), file.size_bytes)) continue;
      missing.push(file);
      bytes += file.size_bytes - ((await fileSize(pathsIn(directory.work(file.sha256)).archive)) ?? 0);
    }
    const removed = prune ? await spare(directory, plan) : [];
    if (!dryRun) {
      await checkDiskSpace(to, bytes, 'Free some disk space, or name fewer models. What is whole stays.');
      await mapConcurrently(missing, parallel, (file) => copyFile(client, directory, file, context));
      for (const good of [...plan.manifests].reverse()) {
        await copyDocuments(client, directory, good, good === newest, context);
      }
      await movePointers(client, directory, plan, prune);
      for (const name of removed) await directory.remove(name);
      await directory.clear();
    }
    return {
      directory: to,
      dry_run: dryRun,
      tags: plan.manifests.map(({ manifest }) => directoryOf(manifest.release)),
      models: [...plan.models].map(([name, versions]) => ({ name, versions })),
      files: missing.map(({ path }) => path),
      bytes,
      removed,
    };
  };
  if (dryRun) return work();
  const directory = await openCopyDirectory(to);
  await directory.prepare();
  return withModelLock({ lock: directory.work }, 'lock', context, work);
}

/** A copy is of one publisher, goes forward, and a release never changes. */
async function refuseOther(client: Client, directory: CopyDirectory, { manifests }: CopyPlan): Promise<void> {
  const [newest] = manifests;
  const { path, manifest: before } = directory;
  if (before && before.namespace !== newest?.manifest.namespace) {
    throw conflictError(
      `${path} is a copy of the namespace ${JSON.stringify(before.namespace)}, not of ${JSON.stringify(newest?.manifest.namespace)}.`,
      'Releases of another publisher belong into a directory of their own.',
    );
  }
  if (before && newest && isPointed(client) && compareReleases(newest.manifest, before) < 0 && !client.allowDowngrade) {
    throw conflictError(
      `${path} has ${releaseName(before)}, newer than ${releaseName(newest.manifest)} of the source.`,
      'The source lags behind. If the older one is meant, add --allow-downgrade.',
    );
  }
  for (const good of manifests) {
    const name = `${directoryOf(good.manifest.release)}/manifest.json`;
    const there = await directory.read(name);
    if (there === undefined || sha256(there) === good.sha256) continue;
    throw conflictError(
      `${join(path, name)} is another manifest than that of ${good.url}.`,
      'A release never changes: ask its maintainer which one is right, and remove the other with its directory.',
    );
  }
}

/** The root names the newest release, not one that was asked for by `--release`. */
function isPointed({ release }: Client): boolean {
  return release === undefined;
}

async function copyFile(client: Client, directory: CopyDirectory, file: CopiedFile, context: RunContext) {
  const { path, sha256: digest } = file;
  const http = (await client.http()).namedBy(file.from, context);
  const { mirrors: mirrorOrder } = await client.preferences();
  const staging = directory.work(digest);
  await fetchArchive({ model: path, entry: file, staging, mirrorOrder }, http, context);
  await directory.place(pathsIn(staging).archive, path);
  await removeTree(staging);
  context.onEvent?.({ type: 'done', task: 'download', subject: path });
}

/** What the root names: what is there first, the manifest last. */
async function movePointers(
  client: Client,
  directory: CopyDirectory,
  { manifests: [newest], models }: CopyPlan,
  prune: boolean,
): Promise<void> {
  const there = new Map(Object.entries(prune ? {} : (directory.models ?? {})));
  for (const [name, versions] of models) {
    const all = [...new Set([...versions, ...(there.get(name) ?? [])])];
    there.set(name, all.sort(semver.rcompare));
  }
  const content = { copy_version: 1, models: Object.fromEntries([...there].sort()) };
  await directory.write(copyFileName, Buffer.from(formatJson(content)));
  if (!isPointed(client) || newest === undefined) return;
  for (const name of [clientName, 'manifest.json.minisig', 'manifest.json.asc', 'manifest.json']) {
    const bytes = await directory.read(`${directoryOf(newest.manifest.release)}/${name}`);
    if (bytes !== undefined) await directory.write(name, bytes);
  }
}

/** Files of releases that the plan has no use for. */
async function spare(directory: CopyDirectory, { manifests, files }: CopyPlan): Promise<readonly string[]> {
  const prefix = tagPrefixOf(manifests[0]?.manifest.release);
  const isRelease = (name: string): boolean => prefix !== undefined && tagPrefixOf(name) === prefix;
  const kept = new Set(files.map(({ path }) => path));
  const whole = manifests.map(({ manifest }) => `${manifest.release}/`);
  const isDocument = (path: string): boolean =>
    whole.some((place) => documentNames.some((name) => path === place + name));
  return (await directory.list(isRelease)).filter((path) => !kept.has(path) && !isDocument(path));
}
