import * as z from 'zod/mini';
import { invalidError } from '../core/errors.ts';
import { type Sha256, sha256Pattern } from '../core/hashing.ts';
import { type ArchiveFormat, archiveFormatField, fileFields, fileListOf, sha256Field, sizeField } from './fields.ts';
import { objectOf } from './json-values.ts';
import { limits } from './limits.ts';
import { modelNameFault } from './names.ts';
import { problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';

export { type ArchiveFormat, archiveFormats } from './fields.ts';

export const indexVersion = 1;

/**
 * `file_number` of a chunk that holds tar structure (headers, padding, end) instead of a file's
 * bytes.
 */
export const structure = -1;

/**
 * Bytes of a gzip that no chunk covers: its header before the first chunk, final block + CRC-32 +
 * length after the last.
 */
const gzipHeaderBytes = 10;
const gzipTrailerBytes = 10;

/**
 * One piece of the archive that decodes alone. Offsets and lengths in bytes; `length` and the
 * digest are of the uncompressed chunk.
 */
export type ChunkTuple = readonly [
  archiveOffset: number,
  archiveLength: number,
  fileNumber: number,
  fileOffset: number,
  length: number,
  sha256: Sha256,
];

/** A file's path in the model's directory, its size and digest. */
export interface IndexedFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

export interface ArchiveIdentity {
  readonly name: string;
  readonly format: ArchiveFormat;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

export interface ChunkIndex {
  readonly index_version: typeof indexVersion;
  readonly archive: ArchiveIdentity;
  /** Regular files, in archive order; chunks name them by their place here. */
  readonly files: readonly IndexedFile[];
  /** In archive order. */
  readonly chunks: readonly ChunkTuple[];
}

/** The one byte form of an index: a file and a chunk a line, final newline. */
export function formatChunkIndex(index: ChunkIndex): string {
  const { archive } = index;
  const files = index.files.map(
    (file) => `{ "path": ${JSON.stringify(file.path)}, "size_bytes": ${file.size_bytes}, "sha256": "${file.sha256}" }`,
  );
  const chunks = index.chunks.map(
    ([archiveOffset, archiveLength, file, fileOffset, length, digest]) =>
      `[${archiveOffset}, ${archiveLength}, ${file}, ${fileOffset}, ${length}, "${digest}"]`,
  );
  return `{
  "index_version": ${index.index_version},
  "archive": { "name": ${JSON.stringify(archive.name)}, "format": "${archive.format}", "size_bytes": ${archive.size_bytes}, "sha256": "${archive.sha256}" },
  "files": ${formatLines(files)},
  "chunks": ${formatLines(chunks)}
}
`;
}

function formatLines(lines: readonly string[]): string {
  return lines.length === 0 ? '[]' : `[\n    ${lines.join(',\n    ')}\n  ]`;
}

export interface ParseChunkIndexOptions {
  /** What is read, for messages. */
  readonly file: string;
  /** Largest index that is read, in bytes. */
  readonly maxBytes?: number;
}

/** All but the chunks, which are too many for a schema. */
const indexSchema = z.object({
  index_version: z.literal(indexVersion, `this client reads ${indexVersion}`),
  archive: z.object({ name: z.string(), format: archiveFormatField, size_bytes: sizeField, sha256: sha256Field }),
  files: fileListOf(z.object(fileFields)),
});

/**
 * Reads an index that may be hostile: strict JSON, and every promise of the format holds in what it
 * returns: known version and format, safe unique paths, chunks of 1 byte to 1 MiB that cover the
 * archive and each file exactly and in order; one that is all of a file has its sha256. (Whether
 * those of a larger file make its sha256 only its bytes tell.) Unknown members are ignored. Throws
 * AircherError `invalid` with the place.
 */
export function parseChunkIndex(bytes: Uint8Array, options: ParseChunkIndexOptions): ChunkIndex {
  const { file, maxBytes = limits.indexBytes } = options;
  const json = parseStrictJson(bytes, { file, maxBytes, maxDepth: 8, maxValues: limits.indexValues });
  const { index_version: version, files: listed, chunks } = objectOf(json);
  const fail: Fail = (place, message) => {
    const newer = typeof version === 'number' && version > indexVersion;
    throw invalidError(
      `${file} ${place}: ${message}`,
      newer
        ? 'Update the client.'
        : 'The index is damaged or was not made by this program. Get it again from another source.',
    );
  };
  if (Array.isArray(listed) && listed.length > limits.filesPerModel) fail('$.files', 'has too many files');
  const { success, data, error } = z.safeParse(indexSchema, json, { reportInput: true });
  if (!success) {
    const [problem] = problemsOf(error.issues, file);
    return fail(problem?.path ?? '$', problem?.message ?? 'is not valid');
  }
  const { name, format } = data.archive;
  if (modelNameFault(name.slice(0, -format.length - 1)) !== undefined || !name.endsWith(`.${format}`))
    fail('$.archive.name', `${JSON.stringify(name)} is not a model's name and .${format}`);
  if (!Array.isArray(chunks)) return fail('$.chunks', 'must be an array');
  checkChunks(data, chunks, fail);
  return { ...data, chunks };
}

type Fail = (place: string, message: string) => never;

/** Whether `value` has a chunk's fields, none of which need make sense. */
function isChunk(value: unknown): value is ChunkTuple {
  if (!Array.isArray(value) || value.length !== 6) return false;
  const digest: unknown = value[5];
  return value.slice(0, 5).every(Number.isSafeInteger) && typeof digest === 'string' && sha256Pattern.test(digest);
}

/** The chunks cover the archive exactly, and every file, in order. */
function checkChunks(
  { archive: { format, size_bytes: size }, files }: Omit<ChunkIndex, 'chunks'>,
  chunks: readonly unknown[],
  fail: Fail,
): asserts chunks is readonly ChunkTuple[] {
  const gzip = format === 'tar.gz';
  let inArchive = gzip ? gzipHeaderBytes : 0;
  /** The file that the chunks so far are of, and how much of it they are. */
  let file = 0;
  let inFile = 0;
  /** Moves on over files that are complete, empty ones among them. */
  const moveTo = (next: number): void => {
    for (; file < next && inFile === files[file]?.size_bytes; inFile = 0) file++;
  };
  for (const [at, chunk] of chunks.entries()) {
    const wrong = (message: string): never => fail(`$.chunks[${at}]`, message);
    if (!isChunk(chunk)) return wrong('is not five whole numbers and a sha256');
    const [archiveOffset, archiveLength, fileNumber, fileOffset, length, digest] = chunk;
    if (length < 1 || length > limits.chunkBytes) wrong(`${length} is not a length of 1 to ${limits.chunkBytes} bytes`);
    const fits = format === 'tar' ? archiveLength === length : archiveLength > 0 && archiveLength <= mostBytes(length);
    if (!fits) wrong(`${archiveLength} bytes of ${format} can't be a chunk of ${length} bytes`);
    if (archiveOffset !== inArchive) wrong(`${archiveOffset} is not where the chunk before it ends, ${inArchive}`);
    inArchive += archiveLength;
    if (fileNumber === structure) {
      if (fileOffset !== 0) wrong('structure has file_offset 0');
      if (inFile > 0 && inFile !== files[file]?.size_bytes) wrong(`structure inside the file ${file}`);
    } else {
      moveTo(fileNumber);
      const end = fileOffset + length;
      if (fileNumber !== file || fileOffset !== inFile || end > (files[file]?.size_bytes ?? 0))
        wrong(
          `${length} bytes at ${fileOffset} of the file ${fileNumber} do not go on at ${inFile} of the file ${file}`,
        );
      const { size_bytes: whole, sha256 } = files[file]!;
      if (length === whole && digest !== sha256) wrong(`is all of the file ${file}, and has another sha256`);
      inFile = end;
    }
  }
  moveTo(files.length);
  if (file < files.length) fail('$.chunks', `cover ${inFile} bytes of $.files[${file}]`);
  inArchive += gzip ? gzipTrailerBytes : 0;
  if (inArchive !== size) fail('$.chunks', `cover ${inArchive} of the archive's ${size} bytes`);
}

/**
 * More than any deflate or zstd encoder makes of so many bytes, so that an index can't ask for
 * needless ones.
 */
function mostBytes(length: number): number {
  return length + Math.floor(length / 64) + 1024;
}
