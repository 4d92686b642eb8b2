import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasSystemCode, invalidError } from '../../core/errors.ts';
import { makeDirectory, moveTree, syncDirectory } from '../../core/files.ts';
import { copyMarker, isDirectory, looksComplete } from '../cache/installed.ts';
import { type CacheLayout, versionFileName } from '../cache/layout.ts';
import {
  type InstalledFile,
  type InstallRecord,
  readRecord,
  writeRecord,
  writeRecordedIndex,
} from '../cache/records.ts';
import { keepManifest } from '../manifests/accepted-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { discardTree } from './staging.ts';

export interface VerifiedFiles {
  /** Holds exactly `files`, each sha256 checked, data flushed. Gone afterwards. */
  readonly directory: string;
  readonly files: readonly InstalledFile[];
  readonly indexBytes?: Uint8Array | undefined;
}

/**
 * Makes verified files an installed version: `.version`, flush of the directories, index and record in state/, then one rename to
 * `versions/<name>/<version>`. A kill before the rename leaves a record without a directory, which counts for nothing. Where
 * another process installed the same version meanwhile, theirs stays.
 */
export async function commitVersion(
  layout: CacheLayout,
  resolved: ResolvedModel,
  { directory, files, indexBytes }: VerifiedFiles,
): Promise<InstallRecord> {
  const { name, version } = resolved;
  const target = layout.version(name, version);
  const reserved = files.find((file) => [versionFileName, copyMarker].includes(file.path.toLowerCase()));
  if (reserved !== undefined) {
    throw invalidError(`${name} ${version} has a file named ${reserved.path}, which the client needs itself`);
  }
  await makeDirectory(dirname(target));
  const other = await readRecord(layout, name, version);
  if (await isDirectory(target)) {
    if (other && (await looksComplete(layout, other))) return other;
    await discardTree(layout, target);
  }
  const [record] = await Promise.all([
    recordVersion(layout, resolved, files),
    indexBytes && writeRecordedIndex(layout, name, version, indexBytes),
    flushVersion(directory, version),
  ]);
  try {
    await moveTree(directory, target);
  } catch (error) {
    if (!hasSystemCode(error, 'ENOTEMPTY', 'EEXIST') || !(await looksComplete(layout, record))) throw error;
  }
  await syncDirectory(dirname(target));
  return record;
}

/** Writes the record of a version, and keeps the manifest that it came with. */
export async function recordVersion(
  layout: CacheLayout,
  { name, version, entry, from }: ResolvedModel,
  files: readonly InstalledFile[],
): Promise<InstallRecord> {
  const record: InstallRecord = {
    record_version: 1,
    model: name,
    version,
    release: entry.release ?? from.manifest.release,
    installed_at: new Date().toISOString(),
    manifest_sha256: from.sha256,
    local: from.local,
    files: files.map(({ path, size_bytes, sha256 }) => ({ path, size_bytes, sha256 })),
    entry,
  };
  await keepManifest(layout, from);
  await writeRecord(layout, record);
  return record;
}

async function flushVersion(directory: string, version: string): Promise<void> {
  await writeFile(join(directory, versionFileName), `${version}\n`, { flush: true });
  await syncTree(directory);
}

/** Flushes a directory and those in it, so that the names of the files survive a power cut as their data does. */
async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(directory, entry.name));
  }
  await syncDirectory(directory);
}
