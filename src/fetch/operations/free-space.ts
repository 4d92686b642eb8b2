import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { modelNameFault } from '../../contract/names.ts';
import * as semver from '../../contract/versions.ts';
import type { RunContext } from '../../core/events.ts';
import { exists, namesIn } from '../../core/read-files.ts';
import { removeTree } from '../../core/write-files.ts';
import type { Prunable, PruneOptions, PruneReport, RemovalReport } from '../api.ts';
import { refreshChecksumsFile } from '../cache/checksums-file.ts';
import { isDirectory, readInstalled, readLinkedVersion } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { tryModelLock, withModelLock } from '../cache/model-lock.ts';
import { writePin } from '../cache/preferences.ts';
import { recordedModels, recordedVersions, removeRecord } from '../cache/records.ts';
import { removeCurrent } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import { discardTree, trashPrefix } from '../install/staging.ts';
import { currentRecord, notInstalled, requireOwn } from './select-installed.ts';

/**
 * Deletes old versions, what interrupted downloads left, and what a killed process left; never a
 * current or pinned version, and nothing of a model that another process is working on.
 */
export async function prune(client: Client, options: PruneOptions = {}): Promise<PruneReport> {
  const { layout } = client;
  const { dryRun = false, signal } = options;
  const items: Prunable[] = [];
  const take = async (kind: Prunable['kind'], path: string, name?: string, version?: string): Promise<void> => {
    items.push({ kind, name, version, path, bytes: await sizeOf(path) });
    if (dryRun) return;
    if (name !== undefined && version !== undefined) await removeRecord(layout, name, version);
    await discardTree(layout, path);
  };
  for (const name of await knownNames(layout)) {
    signal?.throwIfAborted();
    const lock = dryRun ? undefined : await tryModelLock(layout, name);
    if (lock === undefined && !dryRun) continue;
    try {
      await pruneModel(client, name, options.keep, take);
    } finally {
      await lock?.release();
    }
  }
  for (const entry of await namesIn(layout.downloads)) {
    if (entry.startsWith(trashPrefix)) await take('leftover', join(layout.downloads, entry));
  }
  if (!dryRun && items.length > 0) await refreshChecksumsFile(layout);
  return { dry_run: dryRun, bytes: items.reduce((sum, item) => sum + item.bytes, 0), items };
}

async function knownNames(layout: CacheLayout): Promise<readonly string[]> {
  const names = [
    ...(await recordedModels(layout)),
    ...(await namesIn(layout.versions)),
    ...(await namesIn(layout.downloads)),
  ];
  return [...new Set(names)].filter((name) => modelNameFault(name) === undefined).sort();
}

async function pruneModel(
  { layout, preferences }: Client,
  name: string,
  wanted: number | undefined,
  take: (kind: Prunable['kind'], path: string, name: string, version?: string) => Promise<void>,
): Promise<void> {
  const { pins, keepVersions } = await preferences();
  const model = await readInstalled(layout, name);
  const records = model?.versions ?? [];
  const installed = records.map(({ version }) => version);
  const kept = new Set(installed.filter((version) => version === model?.current || version === pins[name]));
  for (const version of installed) if (kept.size < (wanted ?? keepVersions)) kept.add(version);
  for (const { cache, version } of records) {
    if (cache === layout && !kept.has(version)) await take('version', layout.version(name, version), name, version);
  }
  for (const version of await namesIn(join(layout.versions, name))) {
    const path = layout.version(name, version);
    if (!installed.includes(version) && (await isDirectory(path))) await take('leftover', path, name);
  }
  const downloads = join(layout.downloads, name);
  for (const entry of await namesIn(downloads)) await take('partial-download', join(downloads, entry), name);
}

/** Bytes of all files below a path. */
async function sizeOf(path: string): Promise<number> {
  const status = await lstat(path).catch(() => undefined);
  if (!status?.isDirectory()) return status?.size ?? 0;
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}

/**
 * Deletes a model with all its versions, its pin and what was downloaded of it, also where no
 * version is complete. Throws `invalid` where nothing of it is here.
 */
export async function removeModel(client: Client, name: string, context: RunContext = {}): Promise<RemovalReport> {
  const { layout } = client;
  const trees = [join(layout.versions, name), join(layout.downloads, name), layout.records(name)];
  const model = await readInstalled(layout, name);
  if (!(await Promise.all(trees.map(exists))).includes(true)) {
    if (model !== undefined) requireOwn(client, currentRecord(model), 'remove');
    throw await notInstalled(client, name);
  }
  return withModelLock(layout, name, context, async () => {
    const recorded = (await recordedVersions(layout, name)).sort(semver.rcompare);
    const isThere = await Promise.all(recorded.map((version) => isDirectory(layout.version(name, version))));
    const versions = recorded.filter((_, at) => isThere[at]);
    const sizes = await Promise.all(trees.slice(0, 2).map(sizeOf));
    if ((await client.preferences()).pins[name]) await writePin(layout, name, undefined);
    await rm(layout.intent(name), { force: true });
    if ((await readLinkedVersion(layout, name)) !== undefined) await removeCurrent(layout, name);
    for (const version of recorded) await removeRecord(layout, name, version);
    await removeTree(layout.records(name));
    await discardTree(layout, join(layout.versions, name));
    await discardTree(layout, join(layout.downloads, name));
    await refreshChecksumsFile(layout);
    return { name, versions, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
  });
}
