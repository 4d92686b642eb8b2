import { invalidError } from '../core/errors.ts';
import { type Sha256, sha256Pattern } from '../core/hashing.ts';
import { limits } from './limits.ts';
import { filePathFault, modelNameFault, pathClashes } from './names.ts';
import { parseStrictJson } from './strict-json.ts';

/** What an archive is, which is also the ending of its name. */
export type ArchiveFormat = 'tar.gz' | 'tar.zst' | 'tar';

export const archiveFormats: readonly ArchiveFormat[] = ['tar.gz', 'tar.zst', 'tar'];

export const indexVersion = 1;

/** `file_number` of a chunk that holds tar structure (headers, padding, end) instead of a file's bytes. */
export const structure = -1;

/** Bytes of a gzip that no chunk covers: its header before the first chunk, final block + CRC-32 + length after the last. */
export const gzipHeaderBytes = 10;
export const gzipTrailerBytes = 10;

/** One piece of the archive that decodes alone. Offsets and lengths in bytes; `length` and the digest are of the uncompressed chunk. */
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

/**
 * Reads an index that may be hostile: strict JSON, and every promise of the format holds in what it returns: known version
 * and format, safe unique paths, chunks of 1 byte to 1 MiB that cover the archive and each file exactly and in order.
 * Unknown members are ignored. Throws AircherError `invalid` with the place.
 */
export function parseChunkIndex(bytes: Uint8Array, options: ParseChunkIndexOptions): ChunkIndex {
  const { file } = options;
  const maxBytes = options.maxBytes ?? limits.indexBytes;
  const json = parseStrictJson(bytes, { file, maxBytes, maxDepth: 8, maxValues: limits.indexValues });
  return readIndex(json, (place, message, hint = damaged) => {
    throw invalidError(`${file} $${place}: ${message}`, hint);
  });
}

const damaged = 'The index is damaged or was not made by this program. Get it again from another source.';

type Fail = (place: string, message: string, hint?: string) => never;
type JsonObject = Readonly<Record<string, unknown>>;

function readIndex(json: unknown, fail: Fail): ChunkIndex {
  const refuse = (value: unknown, place: string, expected: string): never =>
    fail(place, `${(JSON.stringify(value) ?? 'nothing').slice(0, 80)} is not ${expected}`);
  const object = (value: unknown, place: string): JsonObject =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : refuse(value, place, 'an object');
  const list = (value: unknown, place: string): readonly unknown[] =>
    Array.isArray(value) ? value : refuse(value, place, 'a list');
  // Adding 0 makes 0 of -0.
  const count = (value: unknown, place: string): number =>
    Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number) + 0
      : refuse(value, place, 'a whole number from 0 to 2^53 - 1');
  const digest = (value: unknown, place: string): Sha256 =>
    typeof value === 'string' && sha256Pattern.test(value)
      ? value
      : refuse(value, place, 'a sha256: 64 lower-case hex digits');
  const sized = (entry: JsonObject, place: string): Pick<IndexedFile, 'size_bytes' | 'sha256'> => ({
    size_bytes: count(entry.size_bytes, `${place}.size_bytes`),
    sha256: digest(entry.sha256, `${place}.sha256`),
  });
  const text = (value: unknown, place: string, faultOf: (text: string) => string | undefined): string => {
    if (typeof value !== 'string') return refuse(value, place, 'a string');
    const fault = faultOf(value);
    return fault === undefined ? value : fail(place, `${JSON.stringify(value)} ${fault}`);
  };

  const { index_version: version, ...top } = object(json, '');
  if (version !== indexVersion) {
    const newer = typeof version === 'number' && version > indexVersion;
    fail('.index_version', `this client reads ${indexVersion}`, newer ? 'Update the client.' : damaged);
  }
  const entry = object(top.archive, '.archive');
  const format =
    archiveFormats.find((candidate) => candidate === entry.format) ??
    refuse(entry.format, '.archive.format', `one of ${archiveFormats.join(', ')}`);
  const name = text(entry.name, '.archive.name', (found) =>
    found.endsWith(`.${format}`) ? modelNameFault(found.slice(0, -format.length - 1)) : `does not end in .${format}`,
  );
  const archive = { name, format, ...sized(entry, '.archive') };
  const files = list(top.files, '.files').map((value, number) => {
    const place = `.files[${number}]`;
    const file = object(value, place);
    return { path: text(file.path, `${place}.path`, filePathFault), ...sized(file, place) };
  });
  if (files.length > limits.filesPerModel) fail('.files', `has more than ${limits.filesPerModel} files`);
  const [clash] = pathClashes(files.map((file) => file.path));
  if (clash) fail('.files', `${JSON.stringify(clash[0])} and ${JSON.stringify(clash[1])} clash`);
  const chunks = list(top.chunks, '.chunks').map((value, number): ChunkTuple => {
    const place = `.chunks[${number}]`;
    const [archiveOffset, archiveLength, file, fileOffset, length, sha256, ...more] = list(value, place);
    if (more.length > 0) fail(place, 'has more than 6 fields');
    return [
      count(archiveOffset, place),
      count(archiveLength, place),
      file === structure ? structure : count(file, place),
      count(fileOffset, place),
      count(length, place),
      digest(sha256, place),
    ];
  });
  checkCover(archive, files, chunks, fail);
  return { index_version: indexVersion, archive, files, chunks };
}

function checkCover(
  { format, size_bytes: size }: ArchiveIdentity,
  files: readonly IndexedFile[],
  chunks: readonly ChunkTuple[],
  fail: Fail,
): void {
  const gzip = format === 'tar.gz';
  let inArchive = gzip ? gzipHeaderBytes : 0;
  let file = structure;
  let inFile = 0;
  let number = 0;
  const wrong = (message: string): never => fail(`.chunks[${number}]`, message);
  /** The file that chunks were of is covered to its end, and those between it and `next` are empty. */
  const checkFiles = (next: number): void => {
    for (let other = Math.max(file, 0); other < next; other++) {
      const expected = files[other]?.size_bytes ?? 0;
      const done = other === file ? inFile : 0;
      if (done !== expected) wrong(`the chunks cover ${done} of the ${expected} bytes of $.files[${other}]`);
    }
  };
  for (const [archiveOffset, archiveLength, fileNumber, fileOffset, length] of chunks) {
    const most = format === 'tar' ? length : maxArchiveLength(length);
    if (length < 1 || length > limits.chunkBytes) wrong(`${length} is not a length of 1 to ${limits.chunkBytes} bytes`);
    if (archiveLength < 1 || archiveLength > most || (format === 'tar' && archiveLength < length))
      wrong(`${archiveLength} bytes of ${format} can't be a chunk of ${length} bytes`);
    if (archiveOffset !== inArchive) wrong(`${archiveOffset} is not where the chunk before it ends, ${inArchive}`);
    inArchive += archiveLength;
    if (fileNumber === structure) {
      if (fileOffset !== 0) wrong('structure has file_offset 0');
      if (inFile !== (files[file]?.size_bytes ?? 0)) wrong(`structure inside the file ${file}`);
    } else {
      if (fileNumber >= files.length) wrong(`there is no file ${fileNumber}`);
      if (fileNumber < file) wrong(`the file ${fileNumber} stands before the file ${file}`);
      if (fileNumber !== file) {
        checkFiles(fileNumber);
        file = fileNumber;
        inFile = 0;
      }
      if (fileOffset !== inFile) wrong(`${fileOffset} is not where the file's bytes so far end, ${inFile}`);
      inFile += length;
    }
    number++;
  }
  checkFiles(files.length);
  inArchive += gzip ? gzipTrailerBytes : 0;
  if (inArchive !== size) wrong(`the chunks cover ${inArchive} of the archive's ${size} bytes`);
}

/** The most that a chunk may grow: more than any deflate or zstd encoder adds, so that an index can't ask for needless bytes. */
function maxArchiveLength(length: number): number {
  return length + Math.floor(length / 64) + 1024;
}
