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
  const value = parseStrictJson(bytes, { file, maxBytes, maxDepth: 8, maxValues: limits.indexValues });
  const reader = new IndexReader(file);
  return reader.read(value);
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Carries the file's name into the messages. */
class IndexReader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(value: unknown): ChunkIndex {
    const top = this.#object(value, '$');
    if (top.index_version !== indexVersion) {
      const newer = typeof top.index_version === 'number' && top.index_version > indexVersion;
      throw invalidError(
        `${this.#file} $.index_version: ${this.#show(top.index_version)} is not ${indexVersion}`,
        newer ? 'Update the client.' : 'This is no chunk index, or a damaged one.',
      );
    }
    const archive = this.#archive(top.archive);
    const files = this.#array(top.files, '$.files').map((entry, number) =>
      this.#indexedFile(entry, `$.files[${number}]`),
    );
    if (files.length > limits.filesPerModel) this.#fail('$.files', `has more than ${limits.filesPerModel} files`);
    const [clash] = pathClashes(files.map((entry) => entry.path));
    if (clash) this.#fail('$.files', `${JSON.stringify(clash[0])} and ${JSON.stringify(clash[1])} clash`);
    const chunks = this.#array(top.chunks, '$.chunks').map((chunk, number) =>
      this.#chunk(chunk, number, archive.format),
    );
    this.#checkCover(archive, files, chunks);
    return { index_version: indexVersion, archive, files, chunks };
  }

  #archive(value: unknown): ArchiveIdentity {
    const path = '$.archive';
    const entry = this.#object(value, path);
    const format = archiveFormats.find((candidate) => candidate === entry.format);
    if (format === undefined)
      return this.#fail(`${path}.format`, `${this.#show(entry.format)} is not one of ${archiveFormats.join(', ')}`);
    const name = this.#text(entry.name, `${path}.name`);
    const fault = name.endsWith(`.${format}`)
      ? modelNameFault(name.slice(0, -format.length - 1))
      : `does not end in .${format}`;
    if (fault !== undefined) this.#fail(`${path}.name`, `${this.#show(name)} ${fault}`);
    return {
      name,
      format,
      size_bytes: this.#integer(entry.size_bytes, `${path}.size_bytes`),
      sha256: this.#digest(entry.sha256, `${path}.sha256`),
    };
  }

  #indexedFile(value: unknown, path: string): IndexedFile {
    const entry = this.#object(value, path);
    const name = this.#text(entry.path, `${path}.path`);
    const fault = filePathFault(name);
    if (fault !== undefined) this.#fail(`${path}.path`, `${this.#show(name)} ${fault}`);
    return {
      path: name,
      size_bytes: this.#integer(entry.size_bytes, `${path}.size_bytes`),
      sha256: this.#digest(entry.sha256, `${path}.sha256`),
    };
  }

  #chunk(value: unknown, number: number, format: ArchiveFormat): ChunkTuple {
    const path = `$.chunks[${number}]`;
    const fields = this.#array(value, path);
    if (fields.length !== 6) this.#fail(path, `has ${fields.length} fields instead of 6`);
    const archiveOffset = this.#integer(fields[0], `${path}[0]`);
    const archiveLength = this.#integer(fields[1], `${path}[1]`);
    const fileNumber = fields[2] === structure ? structure : this.#integer(fields[2], `${path}[2]`);
    const fileOffset = this.#integer(fields[3], `${path}[3]`);
    const length = this.#integer(fields[4], `${path}[4]`);
    if (length < 1 || length > limits.chunkBytes)
      this.#fail(`${path}[4]`, `${length} is not a length of 1 to ${limits.chunkBytes} bytes`);
    if (archiveLength < 1 || archiveLength > maxArchiveLength(format, length)) {
      this.#fail(`${path}[1]`, `${archiveLength} bytes of ${format} can't be a chunk of ${length} bytes`);
    }
    if (format === 'tar' && archiveLength !== length)
      this.#fail(`${path}[1]`, `${archiveLength} is not the chunk's length, ${length}`);
    return [archiveOffset, archiveLength, fileNumber, fileOffset, length, this.#digest(fields[5], `${path}[5]`)];
  }

  #checkCover(archive: ArchiveIdentity, files: readonly IndexedFile[], chunks: readonly ChunkTuple[]): void {
    const gzip = archive.format === 'tar.gz';
    let inArchive = gzip ? gzipHeaderBytes : 0;
    let file = structure;
    let inFile = 0;
    for (const [number, [archiveOffset, archiveLength, fileNumber, fileOffset, length]] of chunks.entries()) {
      const path = `$.chunks[${number}]`;
      if (archiveOffset !== inArchive) {
        this.#fail(`${path}[0]`, `${archiveOffset} is not where the chunk before it ends, ${inArchive}`);
      }
      inArchive += archiveLength;
      if (fileNumber === structure) {
        if (fileOffset !== 0) this.#fail(`${path}[3]`, 'structure has file_offset 0');
        if (inFile !== (files[file]?.size_bytes ?? 0)) this.#fail(path, `structure inside the file ${file}`);
        continue;
      }
      if (fileNumber >= files.length) this.#fail(`${path}[2]`, `there is no file ${fileNumber}`);
      if (fileNumber < file) this.#fail(`${path}[2]`, `the file ${fileNumber} stands before the file ${file}`);
      if (fileNumber !== file) {
        this.#checkFiles(files, file, inFile, fileNumber, path);
        file = fileNumber;
        inFile = 0;
      }
      if (fileOffset !== inFile) {
        this.#fail(`${path}[3]`, `${fileOffset} is not where the file's bytes so far end, ${inFile}`);
      }
      inFile += length;
    }
    this.#checkFiles(files, file, inFile, files.length, '$.chunks');
    inArchive += gzip ? gzipTrailerBytes : 0;
    if (inArchive !== archive.size_bytes) {
      this.#fail('$.chunks', `cover ${inArchive} of the archive's ${archive.size_bytes} bytes`);
    }
  }

  /** The file `current` is covered to its end, and those between it and `next` are empty. */
  #checkFiles(files: readonly IndexedFile[], current: number, covered: number, next: number, path: string): void {
    for (let number = Math.max(current, 0); number < next; number++) {
      const size = files[number]?.size_bytes ?? 0;
      const done = number === current ? covered : 0;
      if (done !== size) this.#fail(path, `the chunks cover ${done} of the ${size} bytes of $.files[${number}]`);
    }
  }

  #object(value: unknown, path: string): JsonObject {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
    return this.#fail(path, `${this.#show(value)} is not an object`);
  }

  #array(value: unknown, path: string): readonly unknown[] {
    return Array.isArray(value) ? value : this.#fail(path, `${this.#show(value)} is not a list`);
  }

  #text(value: unknown, path: string): string {
    return typeof value === 'string' ? value : this.#fail(path, `${this.#show(value)} is not a string`);
  }

  #integer(value: unknown, path: string): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value + 0;
    return this.#fail(path, `${this.#show(value)} is not a whole number from 0 to 2^53 - 1`);
  }

  #digest(value: unknown, path: string): Sha256 {
    if (typeof value === 'string' && sha256Pattern.test(value)) return value;
    return this.#fail(path, `${this.#show(value)} is not a sha256: 64 lower-case hex digits`);
  }

  #show(value: unknown): string {
    const text = JSON.stringify(value) ?? 'nothing';
    return text.length > 80 ? `${text.slice(0, 80)}…` : text;
  }

  #fail(path: string, message: string): never {
    throw invalidError(
      `${this.#file} ${path}: ${message}`,
      'The index is damaged or was not made by this program. Get it again from another source.',
    );
  }
}

/** The most that a chunk may grow: more than any deflate or zstd encoder adds, so that an index can't ask for needless bytes. */
function maxArchiveLength(format: ArchiveFormat, length: number): number {
  return format === 'tar' ? length : length + Math.floor(length / 64) + 1024;
}
