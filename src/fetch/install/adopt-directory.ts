import type { Dirent } from 'node:fs';
import { readdir, realpath, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManifestModel } from '../../contract/manifest.ts';
import { type RunContext, warn } from '../../core/events.ts';
import {
  hasSize,
  makeDirectory,
  moveTree,
  readFileIfThere,
  removeTree,
  writeFileAtomically,
} from '../../core/files.ts';
import { hashFile } from '../../core/hashing.ts';
import { readLinkedVersion } from '../cache/installed.ts';
import { type CacheLayout, versionFileName } from '../cache/layout.ts';
import { type InstallRecord, readRecord } from '../cache/records.ts';
import { isRealDirectory } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { commitVersion, recordVersion } from './commit-version.ts';
import { copyFiles } from './copy-files.ts';
import { openStaging } from './staging.ts';

/**
 * Deals with a real directory at `models/<name>` (an older client's cache, or somebody's own files), with the model's lock held:
 * where it holds a published version, file by file, that version is installed from it; else it is moved to `set-aside/` with
 * a warning, and may still give files to the download.
 */
export async function adoptOrSetAside(
  client: Client,
  resolved: ResolvedModel,
  context: RunContext,
): Promise<{ readonly adopted?: InstallRecord; readonly setAside?: string }> {
  const { layout } = client;
  const { name } = resolved;
  const path = layout.current(name);
  if (!(await isRealDirectory(path)) || (await readLinkedVersion(layout, name)) !== undefined) return {};
  const match = await matchingVersion(client, resolved, path, context);
  const aside = join(layout.setAside, `${name}-${new Date().toISOString().replace(/[:.]/g, '-')}`);
  await makeDirectory(dirname(aside));
  await moveTree(path, aside);
  if (match === undefined) {
    warn(context, {
      file: path,
      message: `held files of no published version of ${name}; they were moved to ${aside}`,
      hint: 'Delete them there if you need none of them.',
    });
    return { setAside: aside };
  }
  return { adopted: await moveIn(layout, match, aside, context) };
}

/** The version that the directory's files are: the one its `.version` names, or the wanted one. */
async function matchingVersion(
  client: Client,
  resolved: ResolvedModel,
  path: string,
  context: RunContext,
): Promise<ResolvedModel | undefined> {
  const named = (await readFileIfThere(join(path, versionFileName)))?.toString('utf8').trim();
  if (await holdsFiles(path, resolved.entry, context)) return resolved;
  const published = resolved.entry.published_versions?.some((version) => version.version === named);
  if (named === undefined || !published) return undefined;
  // Without a network the old manifest can't be had: then the directory is moved aside, and nothing is lost.
  const older = await resolveModel(client, resolved.from, resolved.name, named, context).catch(() => undefined);
  return older !== undefined && (await holdsFiles(path, older.entry, context)) ? older : undefined;
}

/**
 * Where the version's directory is there without a record (state/ was lost), and every file is right: writes the record.
 * With the model's lock held.
 */
export async function adoptVersion(
  client: Client,
  resolved: ResolvedModel,
  context: RunContext,
): Promise<InstallRecord | undefined> {
  const { layout } = client;
  const { name, version, entry } = resolved;
  const directory = layout.version(name, version);
  if ((await readRecord(layout, name, version)) !== undefined || !(await holdsFiles(directory, entry, context))) {
    return undefined;
  }
  await writeFileAtomically(join(directory, versionFileName), `${version}\n`);
  return recordVersion(layout, resolved, entry.files ?? []);
}

async function holdsFiles(directory: string, { files = [] }: ManifestModel, { signal }: RunContext): Promise<boolean> {
  for (const file of files) {
    const path = join(directory, file.path);
    if (!(await hasSize(path, file.size_bytes))) return false;
    const found = await hashFile(path, { signal }).catch(() => undefined);
    signal?.throwIfAborted();
    if (found?.sha256 !== file.sha256) return false;
  }
  return files.length > 0;
}

/** Installs the version from its files in `aside`; what else lies there stays there, and so does what a link there leads to. */
async function moveIn(
  layout: CacheLayout,
  match: ResolvedModel,
  aside: string,
  context: RunContext,
): Promise<InstallRecord> {
  const { files = [] } = match.entry;
  const staging = await openStaging(layout, match, false);
  const place = await realpath(aside);
  for (const file of files) {
    const from = join(place, file.path);
    const to = join(staging.files, file.path);
    await makeDirectory(dirname(to));
    if ((await realpath(from)) === from) await moveTree(from, to);
    else await copyFiles(aside, [file], staging.files, context);
  }
  const record = await commitVersion(layout, match, { directory: staging.files, files });
  await staging.remove();
  const left = await readdir(aside, { recursive: true, withFileTypes: true });
  const isOurs = (entry: Dirent): boolean => entry.name === versionFileName && entry.parentPath === aside;
  if (left.every((entry) => entry.isDirectory() || isOurs(entry))) {
    await removeTree(aside);
    await rmdir(layout.setAside).catch(() => {});
  }
  return record;
}
