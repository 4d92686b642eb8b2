import { readdir, rm } from 'node:fs/promises';
import * as z from 'zod/mini';
import { type ChunkIndex, parseChunkIndex } from '../../contract/chunk-index.ts';
import { fileFields, modelNameField, sha256Field, versionField } from '../../contract/fields.ts';
import { type ManifestModel, manifestModelSchema } from '../../contract/manifest.ts';
import { modelNameFault } from '../../contract/names.ts';
import { ifThere, readFileIfThere, writeFileAtomically } from '../../core/files.ts';
import { formatJson } from '../../core/format.ts';
import type { CacheLayout } from './layout.ts';

const recordSchema = z.object({
  record_version: z.literal(1),
  model: modelNameField,
  version: versionField,
  /** The release it came with. */
  release: z.optional(z.string()),
  installed_at: z.string(),
  /** The manifest that `entry` is from, kept in state/manifests/. */
  manifest_sha256: z.optional(sha256Field),
  /** That manifest came from this machine: then `entry` may name addresses there. */
  local: z.optional(z.boolean()),
  files: z.array(z.object(fileFields)),
  /** The model's entry in the manifest that it was installed by. */
  entry: manifestModelSchema,
});

export interface InstalledFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: string;
}

/** What is known of an installed version. A version is installed when its record and its directory are both there. */
export interface InstallRecord {
  readonly record_version: 1;
  readonly model: string;
  readonly version: string;
  readonly release?: string | undefined;
  readonly installed_at: string;
  readonly manifest_sha256?: string | undefined;
  readonly local?: boolean | undefined;
  readonly files: readonly InstalledFile[];
  readonly entry: ManifestModel;
}

/** The record of a version; undefined where there is none or it is damaged (then the version counts as not installed). */
export async function readRecord(
  layout: CacheLayout,
  name: string,
  version: string,
): Promise<InstallRecord | undefined> {
  const path = layout.record(name, version);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return undefined;
  const known = parsed.get(path);
  if (known?.bytes.equals(bytes)) return known.record;
  const record = parseRecord(bytes);
  if (record?.model !== name || record.version !== version) return undefined;
  parsed.set(path, { bytes, record });
  return record;
}

/** Records by path, as they were last read: one command reads them several times, and parsing takes longer than reading. */
const parsed = new Map<string, { readonly bytes: Buffer; readonly record: InstallRecord }>();

/** Our own file, of fields that were read strictly once: that reading takes longer than all else which a warm command does. */
function parseRecord(bytes: Buffer): InstallRecord | undefined {
  try {
    return z.parse(recordSchema, JSON.parse(bytes.toString()));
  } catch {
    return undefined;
  }
}

export async function writeRecord(layout: CacheLayout, record: InstallRecord): Promise<void> {
  await writeFileAtomically(layout.record(record.model, record.version), formatJson(record));
}

export async function writeRecordedIndex(
  layout: CacheLayout,
  name: string,
  version: string,
  bytes: Uint8Array,
): Promise<void> {
  await writeFileAtomically(layout.index(name, version), bytes);
}

/** The index that a version was installed by, bytes and parsed; undefined where there is none, or a damaged one. */
export async function readRecordedIndex(
  layout: CacheLayout,
  name: string,
  version: string,
): Promise<{ readonly bytes: Buffer; readonly index: ChunkIndex } | undefined> {
  const path = layout.index(name, version);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return { bytes, index: parseChunkIndex(bytes, { file: path }) };
  } catch {
    return undefined;
  }
}

export async function removeRecord(layout: CacheLayout, name: string, version: string): Promise<void> {
  await rm(layout.record(name, version), { force: true });
  await rm(layout.index(name, version), { force: true });
}

/** Versions of a model that have a record; in no order. */
export async function recordedVersions(layout: CacheLayout, name: string): Promise<string[]> {
  const names = await list(layout.records(name));
  return names.flatMap((file) => /^([^.].*)\.json$/.exec(file)?.[1] ?? []);
}

/** Models that have records, by name. */
export async function recordedModels(layout: CacheLayout): Promise<string[]> {
  const names = await list(layout.records('.'));
  return names.filter((name) => modelNameFault(name) === undefined).sort();
}

/** The names in a directory; none where there is no directory. */
export async function list(directory: string): Promise<string[]> {
  return (await ifThere(readdir(directory))) ?? [];
}
