import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapConcurrently } from '../../core/concurrency.ts';
import { integrityError } from '../../core/errors.ts';
import { freeLarge } from '../../core/free-buffers.ts';
import { startHash } from '../../core/hashing.ts';
import { ifThere, readFully } from '../../core/read-files.ts';
import { makeDirectory, removeTree, writeFully } from '../../core/write-files.ts';
import type { Chunk } from './chunk.ts';
import type { FileRecord } from './types.ts';

/** As many as Node's thread pool works on. */
const filesAtOnce = 4;
/** Bytes, over all files, that wait in memory to be hashed; what doesn't fit is read back later. */
const mostWaitingBytes = 16 * 1024 * 1024;
/** No following of a link that stands in a file's place; Windows doesn't know the flag. */
const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

interface StoredFile extends FileRecord {
  readonly location: string;
  readonly hash: ReturnType<typeof startHash>;
  /** Everything before it is hashed. */
  hashed: number;
  /** Chunks behind it that are written, by offset; their bytes, where they wait in memory. */
  readonly written: Map<
    number,
    { readonly length: number; readonly bytes: Uint8Array | undefined; readonly isOwn: boolean }
  >;
  isHashing: boolean;
}

/**
 * A version's files as they are put together: written by position, hashed in order, flushed when
 * they are whole.
 */
export class FileStore {
  readonly #files: ReadonlyMap<number, StoredFile>;
  readonly #onWritten: (place: number) => void;
  #waitingBytes = 0;

  /**
   * Files by their number in the index. `onWritten` gets the number of each place of a chunk whose
   * bytes are there.
   */
  constructor(directory: string, files: ReadonlyMap<number, FileRecord>, onWritten: (place: number) => void) {
    this.#onWritten = onWritten;
    const stored = (file: FileRecord): StoredFile => ({
      ...file,
      location: join(directory, file.path),
      hash: startHash(),
      hashed: 0,
      written: new Map(),
      isHashing: false,
    });
    this.#files = new Map([...files].map(([number, file]) => [number, stored(file)]));
  }

  /**
   * Makes every file with its full length (without its bytes: sparse where the file system can);
   * keeps what is there.
   */
  async prepare(): Promise<void> {
    const directories = new Set([...this.#files.values()].map((file) => dirname(file.location)));
    await mapConcurrently(directories, filesAtOnce, makeDirectory);
    await mapConcurrently(this.#files.values(), filesAtOnce, async (file) => {
      const found = await ifThere(lstat(file.location));
      if (found && !found.isFile()) await removeTree(file.location);
      if (!found?.isFile() || found.size !== file.size_bytes)
        await withFile(file, (handle) => handle.truncate(file.size_bytes));
      if (file.size_bytes === 0) await this.#complete(file);
    });
  }

  async read(number: number, length: number, position: number): Promise<Buffer> {
    return withFile(this.#files.get(number)!, (handle) => readFully(handle, length, position));
  }

  /**
   * Writes a chunk, whose bytes are right, to every place that isn't among `inPlace`. Each file
   * that is complete is compared with its digest: throws `integrity`.
   */
  async write(chunk: Chunk, bytes: Uint8Array, inPlace?: ReadonlySet<number>): Promise<void> {
    for (const { chunk: place, file: number, offset } of chunk.places) {
      const file = this.#files.get(number)!;
      if (!inPlace?.has(place)) await this.#writeAt(file, bytes, offset);
      this.#onWritten(place);
      await this.#hash(file, bytes, offset, chunk.places.length === 1);
    }
  }

  async #writeAt(file: StoredFile, bytes: Uint8Array, offset: number): Promise<void> {
    await withFile(file, (handle) => writeFully(handle, bytes, offset));
  }

  /**
   * From memory where a chunk continues what is hashed, or will soon; read back, once, where it
   * came too early.
   */
  async #hash(file: StoredFile, bytes: Uint8Array, offset: number, isOwn: boolean): Promise<void> {
    const { length } = bytes;
    const isKept = offset === file.hashed || this.#waitingBytes + length <= mostWaitingBytes;
    if (isKept) this.#waitingBytes += length;
    file.written.set(offset, { length, bytes: isKept ? bytes : undefined, isOwn });
    if (!isKept && isOwn) freeLarge(bytes);
    // Whoever fills the gap hashes on; chunks that come meanwhile are taken along.
    if (file.isHashing || offset !== file.hashed) return;
    file.isHashing = true;
    for (let next = file.written.get(offset); next; next = file.written.get(file.hashed)) {
      file.written.delete(file.hashed);
      if (next.bytes) this.#waitingBytes -= next.length;
      const bytes = next.bytes ?? (await this.#readBack(file, next.length));
      file.hash.update(bytes);
      if (next.isOwn || !next.bytes) freeLarge(bytes);
      file.hashed += next.length;
    }
    file.isHashing = false;
    if (file.hashed === file.size_bytes) await this.#complete(file);
  }

  #readBack(file: StoredFile, length: number): Promise<Buffer> {
    return withFile(file, (handle) => readFully(handle, length, file.hashed));
  }

  async #complete(file: StoredFile): Promise<void> {
    const found = file.hash.digest('hex');
    const { path, sha256 } = file;
    if (found !== sha256) {
      throw integrityError(
        `${path}: its sha256 is ${found} though each of its chunks is right`,
        'The release contradicts itself, or this disk gives back other bytes than were written. Tell its maintainer.',
        { details: { expected: sha256, found, path } },
      );
    }
    await withFile(file, (handle) => handle.datasync());
  }
}

async function withFile<T>({ location }: StoredFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(location, flags, 0o666);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}
