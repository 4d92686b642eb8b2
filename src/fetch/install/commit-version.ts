import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadedLast, type Wanted } from '../../contract/wanted-weights.ts';
import { hasSystemCode, invalidError } from '../../core/errors.ts';
import { makeDirectory, moveTree, removeTree, syncDirectory } from '../../core/write-files.ts';
import { copyMarker, incompleteFiles, isDirectory, isRealDirectory, readLinkedVersion } from '../cache/installed.ts';
import { type CacheLayout, versionFileName } from '../cache/layout.ts';
import {
  type InstalledFile,
  type InstallRecord,
  readRecord,
  writeRecord,
  writeRecordedIndex,
} from '../cache/records.ts';
import { pointCurrent, removeCurrent } from '../cache/switch-current.ts';
import { keepManifest } from '../manifests/accepted-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { discardTree } from './staging.ts';

export interface VerifiedFiles {
  /** Holds `files`, checked, data flushed. They are gone from there afterwards. */
  readonly directory: string;
  readonly files: readonly InstalledFile[];
  readonly wanted: Wanted;
  readonly indexBytes?: Uint8Array | undefined;
}

/**
 * Makes verified files an installed version: `.version`, flush of the directories, index and record
 * in state/, then one rename to `versions/<name>/<version>`. A kill before the rename leaves a
 * record without a directory, which counts for nothing. Where another process installed the same
 * version meanwhile, the files are added to it.
 */
export async function commitVersion(
  layout: CacheLayout,
  resolved: ResolvedModel,
  verified: VerifiedFiles,
): Promise<InstallRecord> {
  const { name, version } = resolved;
  const { directory, files, indexBytes } = verified;
  const target = layout.version(name, version);
  const reserved = files.find((file) => [versionFileName, copyMarker].includes(file.path.toLowerCase()));
  if (reserved !== undefined) {
    throw invalidError(`${name} ${version} has a file named ${reserved.path}, which the client needs itself`);
  }
  await makeDirectory(dirname(target));
  const other = await readRecord(layout, name, version);
  if (await isDirectory(target)) {
    if (other) return addToVersion(layout, other, verified);
    await discardTree(layout, target);
  }
  const [record] = await Promise.all([
    recordVersion(layout, resolved, verified),
    indexBytes && writeRecordedIndex(layout, name, version, indexBytes),
    flushVersion(directory, version, files),
  ]);
  try {
    await moveTree(directory, target);
  } catch (error) {
    if (!hasSystemCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    return addToVersion(layout, record, verified);
  }
  await syncDirectory(dirname(target));
  return keepRecord(layout, record);
}

/**
 * Puts verified files into an installed version, new ones and right ones in the place of wrong
 * ones: a rename each, what a loader is given last, then the record. A kill leaves whole files,
 * which the next run takes for what they are.
 */
export async function addToVersion(
  layout: CacheLayout,
  known: InstallRecord,
  { directory, files, wanted }: VerifiedFiles,
): Promise<InstallRecord> {
  const { model: name, version, entry } = known;
  const target = layout.version(name, version);
  // Where there are no links, `models/<name>` is a copy, which is made anew.
  const isCopied = (await isRealDirectory(layout.current(name))) && (await readLinkedVersion(layout, name)) === version;
  if (isCopied) await removeCurrent(layout, name);
  for (const { path } of loadedLast(entry, files)) await replaceFile(join(directory, path), join(target, path));
  const record = await keepRecord(layout, { ...known, wanted, files: [...known.files, ...files] });
  if (isCopied) await pointCurrent(layout, name, version);
  return record;
}

async function replaceFile(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  await moveTree(from, to).catch(async () => {
    // Something else than a file stands there.
    await removeTree(to);
    await moveTree(from, to);
  });
  await syncDirectory(dirname(to));
}

/** Writes the record of a version, and keeps the manifest that it came with. */
export async function recordVersion(
  layout: CacheLayout,
  { name, version, entry, from, acceptedLicenses = [] }: ResolvedModel,
  { files, wanted }: Pick<VerifiedFiles, 'files' | 'wanted'>,
): Promise<InstallRecord> {
  const record: InstallRecord = {
    record_version: 1,
    cache: layout,
    model: name,
    version,
    release: entry.release ?? from.manifest.release,
    namespace: from.manifest.namespace,
    installed_at: new Date().toISOString(),
    manifest_sha256: from.sha256,
    local: from.local,
    wanted,
    ...(acceptedLicenses.length > 0 && { accepted_licenses: acceptedLicenses }),
    files,
    entry,
  };
  await keepManifest(layout, from);
  await writeRecord(layout, record);
  return record;
}

/**
 * Adds to the record what is wanted and the files that are there now. Without locks another process
 * may do the same at the same time: so each looks again after it wrote.
 */
async function keepRecord(layout: CacheLayout, mine: InstallRecord): Promise<InstallRecord> {
  for (let round = 1; ; round++) {
    const found = await readRecord(layout, mine.model, mine.version);
    const wanted = [...new Set([...(found?.wanted ?? []), ...mine.wanted])];
    const named = new Map([...(found?.files ?? []), ...mine.files].map((file) => [file.path, file]));
    const missing = await incompleteFiles({ ...mine, files: [...named.values()] });
    const files = [...named.values()].filter(({ path }) => !missing.includes(path));
    const isSaid = found?.wanted.length === wanted.length && found.files.length === files.length;
    if (found && (isSaid || round === 10)) return found;
    await writeRecord(layout, { ...mine, wanted, files });
  }
}

async function flushVersion(directory: string, version: string, files: readonly InstalledFile[]): Promise<void> {
  await writeFile(join(directory, versionFileName), `${version}\n`, { flush: true });
  await keepOnly(directory, [{ path: versionFileName }, ...files]);
}

/**
 * Removes what is none of the files (an interrupted run may have left pieces of others), and
 * flushes the directories, so that the names of the files survive a power cut as their data does.
 */
export async function keepOnly(directory: string, files: readonly { readonly path: string }[]): Promise<void> {
  const names = new Set<string>();
  for (const { path } of files) {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) names.add(path.slice(0, end));
  }
  const tidy = async (place: string, within: string): Promise<void> => {
    for (const entry of await readdir(place, { withFileTypes: true })) {
      const path = join(place, entry.name);
      if (!names.has(within + entry.name)) await removeTree(path);
      else if (entry.isDirectory()) await tidy(path, `${within}${entry.name}/`);
    }
    await syncDirectory(place);
  };
  await tidy(directory, '');
}
