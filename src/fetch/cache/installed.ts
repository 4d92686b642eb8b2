import { lstat, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { clashKey } from '../../contract/names.ts';
import * as semver from '../../contract/versions.ts';
import { type Wanted, wantedFiles } from '../../contract/wanted-weights.ts';
import { invalidError } from '../../core/errors.ts';
import { hasSize, ifThere, isFile, readFileIfThere } from '../../core/read-files.ts';
import { type CacheLayout, versionFileName } from './layout.ts';
import {
  directoryOf,
  type InstalledFile,
  type InstallRecord,
  readRecord,
  recordedModels,
  recordedVersions,
} from './records.ts';

/** A model as the cache and the system cache have it. Reading it writes nothing. */
export interface InstalledModel {
  readonly name: string;
  /** Newest first. Never empty. */
  readonly versions: readonly InstallRecord[];
  /**
   * The version in use: the one that `models/<name>` leads to, or shall lead to; where that is
   * none, the one that it leads to in the system cache; the newest where nothing says so.
   */
  readonly current: string;
  /** What `models/<name>` shall lead to: undefined where only the system cache has the model. */
  readonly linked: string | undefined;
}

/** The model's installed versions; undefined where there is none. */
export async function readInstalled(layout: CacheLayout, name: string): Promise<InstalledModel | undefined> {
  const versions = await readVersions(layout, name);
  const [newest] = versions;
  if (newest === undefined) return undefined;
  const chosenIn = async (cache: CacheLayout | undefined): Promise<string | undefined> => {
    if (cache === undefined) return undefined;
    const intended = await readIntent(cache, name);
    const known = versions.map(({ version }) => version);
    if (intended !== undefined && known.includes(intended)) return intended;
    const linked = await readLinkedVersion(cache, name);
    return known.find((version) => version === linked);
  };
  const chosen = await chosenIn(layout);
  const current = chosen ?? (await chosenIn(layout.system)) ?? newest.version;
  const isHere = chosen !== undefined || recordOf({ versions }, current)?.cache === layout;
  return { name, versions, current, linked: isHere ? current : undefined };
}

/**
 * Of a version that both caches have, the one in the system cache counts, unless it lacks files
 * that the other has, or they are missing or cut.
 */
async function readVersions(layout: CacheLayout, name: string): Promise<InstallRecord[]> {
  const records = await Promise.all(
    (await recordedVersions(layout, name)).map(async (version) => {
      const record = await readRecord(layout, name, version);
      // One that may not be looked at isn't missing: then it is said why.
      return record && (await ifThere(stat(directoryOf(record))))?.isDirectory() ? record : undefined;
    }),
  );
  const versions = new Map(records.flatMap((record) => (record ? [[record.version, record]] : [])));
  for (const shared of layout.system ? await readVersions(layout.system, name) : []) {
    const { namespace } = shared;
    if (namespace !== undefined && layout.namespace !== undefined && namespace !== layout.namespace) continue;
    const own = versions.get(shared.version);
    if (own === undefined || (await hasAllOf(shared, own))) versions.set(shared.version, shared);
  }
  return [...versions.values()].sort((a, b) => semver.rcompare(a.version, b.version));
}

async function hasAllOf(shared: InstallRecord, own: InstallRecord): Promise<boolean> {
  const paths = shared.files.map(({ path }) => path);
  return own.files.every(({ path }) => paths.includes(path)) && (await incompleteFiles(shared)).length === 0;
}

/** The record of one of the model's versions. */
export function recordOf(
  model: Pick<InstalledModel, 'versions'> | undefined,
  version: string | undefined,
): InstallRecord | undefined {
  return model?.versions.find((record) => record.version === version);
}

/** Every model that has an installed version, by name. */
export async function readAllInstalled(layout: CacheLayout): Promise<InstalledModel[]> {
  const models = await Promise.all((await recordedModels(layout)).map((name) => readInstalled(layout, name)));
  return models.filter((model) => model !== undefined);
}

/**
 * Refuses a name that differs in case alone from one that is here: on many disks they would share
 * their directories. Throws `invalid`.
 */
export async function refuseOtherCase(layout: CacheLayout, name: string): Promise<void> {
  const other = (await recordedModels(layout)).find((model) => model !== name && clashKey(model) === clashKey(name));
  if (other === undefined) return;
  throw invalidError(`${other} is installed, and ${name} differs from it in case alone.`, `Did you mean ${other}?`);
}

/** The version that `models/<name>` shall lead to, as the last switch wrote it down. */
export async function readIntent(layout: CacheLayout, name: string): Promise<string | undefined> {
  const text = (await readFileIfThere(layout.intent(name)))?.toString('utf8').trim();
  return text !== undefined && semver.valid(text) === text ? text : undefined;
}

/**
 * The version that `models/<name>` leads to: by a link's (POSIX) or junction's (Windows) target, or
 * by the `.version` of a copy where no link was possible. Undefined where there is none of ours.
 */
export async function readLinkedVersion(layout: CacheLayout, name: string): Promise<string | undefined> {
  const path = layout.current(name);
  try {
    const target = resolve(dirname(path), await readlink(path));
    const places = [layout, layout.system].map((cache) => cache && dirname(cache.version(name, 'x')));
    return places.includes(dirname(target)) ? basename(target) : undefined;
  } catch {
    if (!(await isFile(join(path, copyMarker)).catch(() => false))) return undefined;
    return (await readFileIfThere(join(path, versionFileName)).catch(() => undefined))?.toString('utf8').trim();
  }
}

/** Whether a directory, not a link to one, lies at the path. */
export async function isRealDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

/** Stands in a `models/<name>` that is a copy of a version, for want of links. */
export const copyMarker = '.aircher-copy';

/**
 * Paths of the version's files that are missing or have another size. Bytes are what `verify` looks
 * at.
 */
export async function incompleteFiles(record: InstallRecord): Promise<readonly string[]> {
  const directory = directoryOf(record);
  const found = await Promise.all(
    record.files.map(async ({ path, size_bytes }) =>
      (await hasSize(join(directory, path), size_bytes)) ? [] : [path],
    ),
  );
  return found.flat();
}

/** Files that are wanted, and aren't among the version's. */
export function absentFiles({ entry, files }: InstallRecord, wanted: Wanted): readonly InstalledFile[] {
  const present = new Set(files.map(({ path }) => path));
  return (wantedFiles(entry, wanted) ?? []).filter(({ path }) => !present.has(path));
}

/** False, too, where it can't be looked at. */
export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
