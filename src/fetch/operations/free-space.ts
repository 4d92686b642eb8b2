import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { modelNameFault } from '../../contract/names.ts';
import * as semver from '../../contract/semver.ts';
import { invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { removeTree } from '../../core/files.ts';
import { refreshChecksumsFile } from '../cache/checksums-file.ts';
import { isDirectory, readInstalled } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { tryModelLock, waitForModelLock } from '../cache/model-lock.ts';
import { writePin } from '../cache/preferences.ts';
import { list, recordedModels, recordedVersions, removeRecord } from '../cache/records.ts';
import { removeCurrent } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import { discardTree, trashPrefix } from '../install/staging.ts';
import { requireInstalled } from './check-updates.ts';

/** Something that `prune` deletes, or would. */
export interface Prunable {
  readonly kind: 'version' | 'partial-download' | 'leftover';
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly path: string;
  readonly bytes: number;
}

export interface PruneOptions extends RunContext {
  /** Versions of a model to keep, the current one among them; default: the preferences file, else 1. */
  readonly keep?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

/**
 * Deletes old versions, what interrupted downloads left, and what a killed process left; never a current or pinned version, and
 * nothing of a model that another process is working on.
 */
export async function prune(client: Client, options: PruneOptions = {}): Promise<readonly Prunable[]> {
  const { layout } = client;
  const { pins, keepVersions } = await client.preferences();
  const keep = options.keep ?? keepVersions;
  const pruned: Prunable[] = [];
  for (const name of await knownNames(layout)) {
    options.signal?.throwIfAborted();
    const lock = options.dryRun ? undefined : await tryModelLock(layout, name);
    if (lock === undefined && !options.dryRun) continue;
    try {
      const found = await prunableOf(layout, name, keep, Object.hasOwn(pins, name) ? pins[name] : undefined);
      for (const item of found) {
        if (!options.dryRun) await removeItem(layout, item);
        pruned.push(item);
      }
    } finally {
      await lock?.release();
    }
  }
  for (const trash of (await list(layout.downloads)).filter((entry) => entry.startsWith(trashPrefix))) {
    const path = join(layout.downloads, trash);
    const item: Prunable = { kind: 'leftover', name: undefined, version: undefined, path, bytes: await sizeOf(path) };
    if (!options.dryRun) await removeTree(path);
    pruned.push(item);
  }
  if (!options.dryRun && pruned.length > 0) await refreshChecksumsFile(layout);
  return pruned;
}

async function knownNames(layout: CacheLayout): Promise<readonly string[]> {
  const names = [
    ...(await recordedModels(layout)),
    ...(await list(layout.versions)),
    ...(await list(layout.downloads)),
  ];
  return [...new Set(names)].filter((name) => modelNameFault(name) === undefined).sort();
}

async function prunableOf(
  layout: CacheLayout,
  name: string,
  keep: number,
  pinned: string | undefined,
): Promise<Prunable[]> {
  const found: Prunable[] = [];
  const model = await readInstalled(layout, name);
  const kept = new Set([model?.current, pinned]);
  for (const { version } of model?.versions ?? []) {
    if (kept.size - (kept.has(undefined) ? 1 : 0) < keep) kept.add(version);
  }
  const add = async (kind: Prunable['kind'], version: string | undefined, path: string): Promise<void> => {
    found.push({ kind, name, version, path, bytes: await sizeOf(path) });
  };
  const installed = new Set(model?.versions.map((record) => record.version));
  for (const version of installed) if (!kept.has(version)) await add('version', version, layout.version(name, version));
  for (const version of await list(join(layout.versions, name))) {
    const path = layout.version(name, version);
    if (!installed.has(version) && (await isDirectory(path))) await add('leftover', undefined, path);
  }
  for (const entry of await list(join(layout.downloads, name))) {
    await add('partial-download', undefined, join(layout.downloads, name, entry));
  }
  return found;
}

async function removeItem(layout: CacheLayout, item: Prunable): Promise<void> {
  if (item.name !== undefined && item.version !== undefined) await removeRecord(layout, item.name, item.version);
  await discardTree(layout, item.path);
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

export interface RemovalReport {
  readonly name: string;
  readonly versions: readonly string[];
  readonly bytes: number;
}

/** Deletes a model with all its versions, its pin and what was downloaded of it. Throws `invalid` where it isn't installed. */
export async function removeModel(client: Client, name: string, context: RunContext = {}): Promise<RemovalReport> {
  const { layout } = client;
  await requireInstalled(client, name);
  const lock = await waitForModelLock(layout, name, async () => false, context);
  try {
    const model = await readInstalled(layout, name);
    if (model === undefined) throw invalidError(`${name} was removed by another process.`);
    const versions = model.versions.map((record) => record.version);
    let bytes = 0;
    for (const version of versions) bytes += await sizeOf(layout.version(name, version));
    const { pins } = await client.preferences();
    if (Object.hasOwn(pins, name)) await writePin(layout, name, undefined);
    await rm(layout.intent(name), { force: true });
    await removeCurrent(layout, name);
    for (const version of await recordedVersions(layout, name)) await removeRecord(layout, name, version);
    await removeTree(layout.records(name));
    await discardTree(layout, join(layout.versions, name));
    await discardTree(layout, join(layout.downloads, name));
    await refreshChecksumsFile(layout);
    return { name, versions: versions.sort(semver.rcompare), bytes };
  } finally {
    await lock?.release();
  }
}
