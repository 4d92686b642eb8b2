import { open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManifestModel } from '../../contract/manifest.ts';
import { hasSystemCode, invalidError } from '../../core/errors.ts';
import { makeDirectory, renamePatiently, syncDirectory } from '../../core/files.ts';
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
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { discardTree } from './staging.ts';

export interface VerifiedFiles {
  readonly name: string;
  readonly version: string;
  readonly entry: ManifestModel;
  readonly release: string | undefined;
  /** The manifest that `entry` is from. */
  readonly manifest: GoodManifest | undefined;
  /** Holds exactly `files`, each sha256 checked, data flushed. Gone afterwards. */
  readonly directory: string;
  readonly files: readonly InstalledFile[];
  readonly indexBytes: Uint8Array | undefined;
}

/**
 * Makes verified files an installed version: `.version`, flush of the directories, index and record in state/, then one rename to
 * `versions/<name>/<version>`. A kill before the rename leaves a record without a directory, which counts for nothing. Where
 * another process installed the same version meanwhile, theirs stays.
 */
export async function commitVersion(layout: CacheLayout, verified: VerifiedFiles): Promise<InstallRecord> {
  const { name, version, directory } = verified;
  const target = layout.version(name, version);
  const record = recordFor(verified);
  const reserved = verified.files.find((file) => [versionFileName, copyMarker].includes(file.path.toLowerCase()));
  if (reserved !== undefined) {
    throw invalidError(`${name} ${version} has a file named ${reserved.path}, which is the client’s own`);
  }
  await writeFlushed(join(directory, versionFileName), `${version}\n`);
  await syncTree(directory);
  await makeDirectory(dirname(target));
  const other = await readRecord(layout, name, version);
  if (await isDirectory(target)) {
    if (other && (await looksComplete(layout, other))) return other;
    await discardTree(layout, target);
  }
  if (verified.indexBytes) await writeRecordedIndex(layout, name, version, verified.indexBytes);
  if (verified.manifest) await keepManifest(layout, verified.manifest);
  await writeRecord(layout, record);
  try {
    await renamePatiently(directory, target, { rename });
  } catch (error) {
    if (!hasSystemCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    if (!(await looksComplete(layout, record))) throw error;
  }
  await syncDirectory(dirname(target));
  return record;
}

/** The record of a version that is installed now. */
export function recordFor(
  version: Pick<VerifiedFiles, 'name' | 'version' | 'entry' | 'release' | 'manifest' | 'files'>,
): InstallRecord {
  return {
    record_version: 1,
    model: version.name,
    version: version.version,
    release: version.release,
    installed_at: new Date().toISOString(),
    ...(version.manifest && { manifest_sha256: version.manifest.sha256 }),
    files: version.files.map(({ path, size_bytes, sha256 }) => ({ path, size_bytes, sha256 })),
    entry: version.entry,
  };
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes a directory and those in it, so that the names of the files survive a power cut as their data does. */
async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(directory, entry.name));
  }
  await syncDirectory(directory);
}
