import * as z from 'zod/mini';
import { invalidError } from '../core/errors.ts';
import { type Sha256, sha256Pattern } from '../core/hashing.ts';
import { type ChunkIndex, structure } from './chunk-index.ts';
import { type EncodingKind, encodingKinds, sha256Field, sizeField } from './fields.ts';
import { objectOf } from './json-values.ts';
import { limits } from './limits.ts';
import { problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';

export const encodingVersion = 1;

/**
 * A chunk's encoded form. `chunk`: its place in the archive's index; offset and length in bytes of
 * the encoding; of a patch the sha256 of the old chunk, from whose bytes it follows.
 */
export type EncodedChunk = readonly [chunk: number, offset: number, length: number, oldSha256?: Sha256];

export interface EncodingIndex {
  readonly encoding_version: typeof encodingVersion;
  readonly kind: EncodingKind;
  readonly archive: { readonly name: string; readonly sha256: Sha256 };
  /** Of the encoding. */
  readonly size_bytes: number;
  readonly sha256: Sha256;
  /** By their place, one behind the other without a gap. */
  readonly chunks: readonly EncodedChunk[];
}

/** The one byte form of an encoding's index: a chunk a line, final newline. */
export function formatEncodingIndex({ kind, archive, size_bytes, sha256, chunks }: EncodingIndex): string {
  const lines = chunks.map((chunk) => JSON.stringify(chunk).replaceAll(',', ', '));
  return `{
  "encoding_version": ${encodingVersion},
  "kind": "${kind}",
  "archive": { "name": ${JSON.stringify(archive.name)}, "sha256": "${archive.sha256}" },
  "size_bytes": ${size_bytes},
  "sha256": "${sha256}",
  "chunks": ${lines.length === 0 ? '[]' : `[\n    ${lines.join(',\n    ')}\n  ]`}
}
`;
}

/** All but the chunks, which are too many for a schema. */
const headSchema = z.object({
  encoding_version: z.literal(encodingVersion, `this client reads ${encodingVersion}`),
  kind: z.enum(encodingKinds, `must be one of ${encodingKinds.join(', ')}`),
  archive: z.object({ name: z.string(), sha256: sha256Field }),
  size_bytes: sizeField,
  sha256: sha256Field,
});

/**
 * Reads an encoding's index that may be hostile: strict JSON of a known version and kind, chunks
 * that exist in the archive's index `of`, in its order, are no tar structure, are shorter than the
 * archive's slice, and cover the encoding exactly. Unknown members are ignored. `file` names it in
 * messages. Throws AircherError `invalid` with the place.
 */
export function parseEncodingIndex(bytes: Uint8Array, of: ChunkIndex, file: string): EncodingIndex {
  const json = parseStrictJson(bytes, {
    file,
    maxBytes: limits.indexBytes,
    maxDepth: 8,
    maxValues: limits.indexValues,
  });
  const fail: Fail = (place, message) => {
    throw invalidError(`${file} ${place}: ${message}`);
  };
  const { success, data, error } = z.safeParse(headSchema, json, { reportInput: true });
  if (!success) {
    const [problem] = problemsOf(error.issues, file);
    return fail(problem?.path ?? '$', problem?.message ?? 'is not valid');
  }
  if (data.archive.name !== of.archive.name || data.archive.sha256 !== of.archive.sha256)
    fail('$.archive', 'is another archive');
  const { chunks } = objectOf(json);
  if (!Array.isArray(chunks)) return fail('$.chunks', 'must be an array');
  checkChunks(data, chunks, of, fail);
  return { ...data, chunks };
}

type Fail = (place: string, message: string) => never;

function checkChunks(
  { kind, size_bytes: size }: Pick<EncodingIndex, 'kind' | 'size_bytes'>,
  chunks: readonly unknown[],
  of: ChunkIndex,
  fail: Fail,
): asserts chunks is readonly EncodedChunk[] {
  let last = -1;
  let end = 0;
  for (const [at, encoded] of chunks.entries()) {
    const wrong = (message: string): never => fail(`$.chunks[${at}]`, message);
    if (!isEncodedChunk(encoded, kind))
      return wrong(`is not three whole numbers${kind === 'patch' ? ' and a sha256' : ''}`);
    const [chunk, offset, length] = encoded;
    const [, archiveLength, file] = of.chunks[chunk] ?? [0, 0, structure];
    if (chunk <= last || file === structure) wrong(`${chunk} is no chunk of a file behind ${last}`);
    if (offset !== end) wrong(`${offset} is not where the chunk before it ends, ${end}`);
    if (length < 1 || length >= archiveLength)
      wrong(`${length} bytes are not fewer than the archive's ${archiveLength}`);
    last = chunk;
    end += length;
  }
  if (end !== size) fail('$.chunks', `cover ${end} of the encoding's ${size} bytes`);
}

function isEncodedChunk(value: unknown, kind: EncodingKind): value is EncodedChunk {
  if (!Array.isArray(value) || !value.slice(0, 3).every(Number.isSafeInteger)) return false;
  if (kind === 'planes') return value.length === 3;
  const digest: unknown = value[3];
  return value.length === 4 && typeof digest === 'string' && sha256Pattern.test(digest);
}
