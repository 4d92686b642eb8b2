import type { Dirent } from 'node:fs';
import { readdir, realpath, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManifestFile, ManifestModel } from '../../contract/manifest.ts';
import { type Wanted, wantedFiles } from '../../contract/wanted-weights.ts';
import type { RunContext } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import { hasSize, readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, moveTree, removeTree, writeFileAtomically } from '../../core/write-files.ts';
import { isForeignDirectory, moveAside, warnOfMoved } from '../cache/foreign-directory.ts';
import { type CacheLayout, versionFileName } from '../cache/layout.ts';
import { type InstalledFile, type InstallRecord, readRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { commitVersion, recordVersion } from './commit-version.ts';
import { copyFiles } from './copy-files.ts';
import { openStaging } from './staging.ts';

/**
 * Deals with a real directory at `models/<name>` (an older client's cache, or somebody's own
 * files), with the model's lock held: where it holds what is wanted of a published version, file by
 * file, that version is installed from it; else it is moved to `set-aside/` with a warning, and may
 * still give files to the download.
 */
export async function adoptOrSetAside(
  client: Client,
  resolved: ResolvedModel,
  wanted: Wanted,
  context: RunContext,
): Promise<{ readonly adopted?: InstallRecord; readonly setAside?: string }> {
  const { layout } = client;
  const { name } = resolved;
  const path = layout.current(name);
  if (!(await isForeignDirectory(layout, name))) return {};
  const match = await matchingVersion(client, resolved, path, wanted, context);
  const aside = await moveAside(layout, name);
  if (match === undefined) {
    warnOfMoved(layout, name, aside, context);
    return { setAside: aside };
  }
  return { adopted: await moveIn(layout, match, aside, wanted, context) };
}

interface Match {
  readonly version: ResolvedModel;
  readonly files: readonly ManifestFile[];
}

/** The version that the directory's files are: the one its `.version` names, or the wanted one. */
async function matchingVersion(
  client: Client,
  resolved: ResolvedModel,
  path: string,
  wanted: Wanted,
  context: RunContext,
): Promise<Match | undefined> {
  const named = (await readFileIfThere(join(path, versionFileName)))?.toString('utf8').trim();
  const files = await rightFiles(path, resolved.entry, wanted, context);
  if (files) return { version: resolved, files };
  const published = resolved.entry.published_versions?.some((version) => version.version === named);
  if (named === undefined || !published) return undefined;
  // Without a network the old manifest can't be had: then the directory is moved aside, and nothing
  // is lost.
  const older = await resolveModel(client, resolved.from, resolved.name, named, context).catch(() => undefined);
  const found = older && (await rightFiles(path, older.entry, wanted, context));
  return found && { version: older, files: found };
}

/**
 * Where the version's directory is there without a record (state/ was lost), and every wanted file
 * is right: writes the record. With the model's lock held.
 */
export async function adoptVersion(
  { layout }: Client,
  resolved: ResolvedModel,
  wanted: Wanted,
  context: RunContext,
): Promise<InstallRecord | undefined> {
  const { name, version, entry } = resolved;
  if ((await readRecord(layout, name, version)) !== undefined) return undefined;
  const directory = layout.version(name, version);
  const files = await rightFiles(directory, entry, wanted, context);
  if (files === undefined) return undefined;
  await writeFileAtomically(join(directory, versionFileName), `${version}\n`);
  return recordVersion(layout, resolved, { files, wanted });
}

/**
 * The files of the version that are right in the directory; undefined where a wanted one isn't
 * among them.
 */
async function rightFiles(
  directory: string,
  entry: ManifestModel,
  wanted: Wanted,
  context: RunContext,
): Promise<readonly ManifestFile[] | undefined> {
  const needed = wantedFiles(entry, wanted) ?? [];
  for (const file of needed) if (!(await isRight(directory, file, context))) return undefined;
  const right = [...needed];
  for (const file of entry.files ?? []) {
    if (!needed.includes(file) && (await isRight(directory, file, context))) right.push(file);
  }
  return needed.length > 0 ? right : undefined;
}

/** Whether the file lies in the directory, with the bytes that it should have. */
export async function isRight(directory: string, file: InstalledFile, { signal }: RunContext): Promise<boolean> {
  const path = join(directory, file.path);
  if (!(await hasSize(path, file.size_bytes))) return false;
  const found = await hashFile(path, { signal }).catch(() => undefined);
  signal?.throwIfAborted();
  return found?.sha256 === file.sha256;
}

/**
 * Installs the version from its files in `aside`; what else lies there stays there, and so does
 * what a link there leads to.
 */
async function moveIn(
  layout: CacheLayout,
  { version, files }: Match,
  aside: string,
  wanted: Wanted,
  context: RunContext,
): Promise<InstallRecord> {
  const staging = await openStaging(layout, version, false);
  const place = await realpath(aside);
  for (const file of files) {
    const from = join(place, file.path);
    const to = join(staging.files, file.path);
    await makeDirectory(dirname(to));
    if ((await realpath(from)) === from) await moveTree(from, to);
    else await copyFiles(aside, [file], staging.files, context);
  }
  const record = await commitVersion(layout, version, { directory: staging.files, files, wanted });
  await staging.remove();
  const left = await readdir(aside, { recursive: true, withFileTypes: true });
  const isOurs = (entry: Dirent): boolean => entry.name === versionFileName && entry.parentPath === aside;
  if (left.every((entry) => entry.isDirectory() || isOurs(entry))) {
    await removeTree(aside);
    await rmdir(layout.setAside).catch(() => {});
  }
  return record;
}
