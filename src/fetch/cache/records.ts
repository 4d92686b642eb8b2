import { rm } from 'node:fs/promises';
import { type ChunkIndex, parseChunkIndex } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { modelNameFault } from '../../contract/names.ts';
import type { Wanted } from '../../contract/wanted-weights.ts';
import { formatJson } from '../../core/format.ts';
import { namesIn, readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { CacheLayout } from './layout.ts';

export interface InstalledFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: string;
}

/** By which weights (a path in the model) and runtime a version made the reference vectors. */
export interface CheckedVectors {
  readonly weights: string;
  readonly runtime: string;
  readonly checked_at: string;
}

/**
 * What is known of an installed version. A version is installed when its record and its directory
 * are both there.
 */
export interface InstallRecord {
  readonly record_version: 1;
  /** Where it was read from, and where the version lies. Not in the file. */
  readonly cache: CacheLayout;
  readonly model: string;
  readonly version: string;
  /** The release it came with. */
  readonly release?: string | undefined;
  /** Of that release's manifest. */
  readonly namespace?: string | undefined;
  readonly installed_at: string;
  /** The manifest that `entry` is from, kept in state/manifests/. */
  readonly manifest_sha256: string;
  /** That manifest came from this machine: then `entry` may name addresses there. */
  readonly local: boolean;
  /** What was asked for, at any time. An update brings it too. */
  readonly wanted: Wanted;
  /** Licences that were accepted for it, against a policy or without one. */
  readonly accepted_licenses?: readonly string[] | undefined;
  /** The files that are there. More may be wanted, where bringing them was interrupted. */
  readonly files: readonly InstalledFile[];
  /** Runtimes whose vectors were held against the reference's, and are equal. */
  readonly checked?: readonly CheckedVectors[] | undefined;
  /** The model's entry in the manifest that it was installed by. */
  readonly entry: ManifestModel;
}

/**
 * The record of a version; undefined where there is none or it is damaged (then the version counts
 * as not installed).
 */
export async function readRecord(
  layout: CacheLayout,
  name: string,
  version: string,
): Promise<InstallRecord | undefined> {
  const bytes = await readFileIfThere(layout.record(name, version));
  const record = bytes && parseRecord(bytes);
  return record?.model === name && record.version === version ? { ...record, cache: layout } : undefined;
}

/** Where the files of an installed version are. */
export function directoryOf({ cache, model, version }: InstallRecord): string {
  return cache.version(model, version);
}

/**
 * Our own file, whose fields were read strictly before it was written: that takes longer than all
 * else which a warm command does.
 */
function parseRecord(bytes: Buffer): Omit<InstallRecord, 'cache'> | undefined {
  try {
    const record: Omit<InstallRecord, 'cache'> = JSON.parse(bytes.toString());
    return record.record_version === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

export async function writeRecord(layout: CacheLayout, record: InstallRecord): Promise<void> {
  const { cache: _, ...content } = record;
  const files = record.files.map(({ path, size_bytes, sha256 }) => ({ path, size_bytes, sha256 }));
  await writeFileAtomically(layout.record(record.model, record.version), formatJson({ ...content, files }));
}

export async function writeRecordedIndex(
  layout: CacheLayout,
  name: string,
  version: string,
  bytes: Uint8Array,
): Promise<void> {
  await writeFileAtomically(layout.index(name, version), bytes);
}

/**
 * The index that a version was installed by, bytes and parsed; undefined where there is none, or a
 * damaged one.
 */
export async function readRecordedIndex(
  layout: CacheLayout,
  name: string,
  version: string,
): Promise<{ readonly bytes: Buffer; readonly index: ChunkIndex } | undefined> {
  const path = layout.index(name, version);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return layout.system && readRecordedIndex(layout.system, name, version);
  try {
    return { bytes, index: parseChunkIndex(bytes, { file: path }) };
  } catch {
    return undefined;
  }
}

export async function removeRecord(layout: CacheLayout, name: string, version: string): Promise<void> {
  await rm(layout.record(name, version), { force: true });
  await rm(layout.index(name, version), { force: true });
  await rm(layout.vectors(name, version), { force: true });
}

/** Versions of a model that have a record; in no order. */
export async function recordedVersions(layout: CacheLayout, name: string): Promise<string[]> {
  const names = await namesIn(layout.records(name));
  return names.flatMap((file) => /^([^.].*)\.json$/.exec(file)?.[1] ?? []);
}

/** Models that have records, here or in the system cache, by name. */
export async function recordedModels(layout: CacheLayout): Promise<string[]> {
  const names = [
    ...(await namesIn(layout.records('.'))),
    ...(layout.system ? await recordedModels(layout.system) : []),
  ];
  return [...new Set(names)].filter((name) => modelNameFault(name) === undefined).sort();
}
