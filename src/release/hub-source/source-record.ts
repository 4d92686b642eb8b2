import * as z from 'zod/mini';
import { sha256Field, sizeField } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { AircherError } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { HubSource } from './hub-source.ts';

/**
 * A file of a pinned revision, as the Hub lists it: `sha256` in large file storage, else git's
 * `blob_id`.
 */
export interface ListedFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256?: string | undefined;
  readonly blob_id?: string | undefined;
}

/**
 * `<out>/.sources/<model>/<revision>.json`: the revision's listing, which never changes, and what
 * each staged file looked like when its digest was checked. As long as it looks the same, it isn't
 * read again.
 */
export interface SourceRecord {
  readonly files: readonly ListedFile[];
  readonly stamps: Map<string, string>;
}

const recordSchema = z.looseObject({
  source_version: z.literal(1),
  repository: z.string(),
  revision: z.string(),
  files: z.array(
    z.looseObject({
      path: z.string(),
      size_bytes: sizeField,
      sha256: z.optional(sha256Field),
      blob_id: z.optional(z.string()),
    }),
  ),
  stamps: z.record(z.string(), z.string()),
});

/** The record of a source; undefined where there is none, or one of something else. */
export async function readSourceRecord(source: HubSource): Promise<SourceRecord | undefined> {
  const file = recordPath(source);
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) return undefined;
  try {
    const found = z.parse(recordSchema, parseStrictJson(bytes, { file, maxBytes: limits.manifestBytes }));
    if (found.repository !== source.repository || found.revision !== source.revision) return undefined;
    return { files: found.files, stamps: new Map(Object.entries(found.stamps)) };
  } catch (error) {
    // A torn or foreign record is worth nothing: the Hub is asked again, and what is there is
    // hashed.
    if (error instanceof z.core.$ZodError || error instanceof AircherError) return undefined;
    throw error;
  }
}

export async function writeSourceRecord(source: HubSource, record: SourceRecord): Promise<void> {
  const { repository, revision } = source;
  const stamps = Object.fromEntries(record.stamps);
  const text = JSON.stringify({ source_version: 1, repository, revision, files: record.files, stamps }, null, 1);
  await writeFileAtomically(recordPath(source), `${text}\n`);
}

function recordPath(source: HubSource): string {
  return `${source.directory}.json`;
}
