import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapConcurrently } from '../../core/concurrency.ts';
import { freeLarge } from '../../core/free-buffers.ts';
import { ifThere, readFully } from '../../core/read-files.ts';
import { makeDirectory, removeTree, writeFully } from '../../core/write-files.ts';
import type { Chunk } from './chunk.ts';
import type { FileRecord } from './types.ts';

/** As many as Node's thread pool works on. */
const filesAtOnce = 4;
/** No following of a link that stands in a file's place; Windows doesn't know the flag. */
const readWrite = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0);

interface StoredFile {
  readonly location: string;
  readonly size: number;
  /** Bytes that aren't there yet. */
  missing: number;
}

/**
 * A version's files as they are put together: written by position, flushed when they are whole. A
 * file isn't hashed as a whole: each chunk was, and the index says which chunks it is made of.
 */
export class FileStore {
  readonly #files: ReadonlyMap<number, StoredFile>;
  readonly #onWritten: (place: number) => void;

  /**
   * Files by their number in the index. `onWritten` gets the number of each place of a chunk whose
   * bytes are there.
   */
  constructor(directory: string, files: ReadonlyMap<number, FileRecord>, onWritten: (place: number) => void) {
    this.#onWritten = onWritten;
    const stored = ({ path, size_bytes: size }: FileRecord): StoredFile => ({
      location: join(directory, path),
      size,
      missing: size,
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
      const create = readWrite | constants.O_CREAT;
      if (!found?.isFile() || found.size !== file.size)
        await withFile(file, (handle) => handle.truncate(file.size), create);
      if (file.size === 0) await withFile(file, (handle) => handle.datasync());
    });
  }

  async read(number: number, length: number, position: number): Promise<Buffer> {
    return withFile(this.#files.get(number)!, (handle) => readFully(handle, length, position));
  }

  /**
   * Writes a chunk, whose bytes are right, to every place that isn't among `inPlace`. The bytes'
   * buffer is freed.
   */
  async write({ places }: Chunk, bytes: Uint8Array, inPlace?: ReadonlySet<number>): Promise<void> {
    const { length } = bytes;
    for (const { chunk: place, file: number, offset } of places) {
      const file = this.#files.get(number)!;
      if (!inPlace?.has(place)) await withFile(file, (handle) => writeFully(handle, bytes, offset));
      this.#onWritten(place);
      file.missing -= length;
      if (file.missing === 0) await withFile(file, (handle) => handle.datasync());
    }
    freeLarge(bytes);
  }
}

/** A file that was deleted meanwhile is an error: made anew it would lack what it had. */
async function withFile<T>(
  { location }: StoredFile,
  work: (handle: FileHandle) => Promise<T>,
  flags = readWrite,
): Promise<T> {
  const handle = await open(location, flags, 0o666);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}
