import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapConcurrently } from '../../core/concurrency.ts';
import { hasSystemCode, unexpectedError } from '../../core/errors.ts';
import { makeDirectory, readFully, removeTree } from '../../core/files.ts';
import { OpenFiles } from './open-files.ts';
import type { FileRecord } from './types.ts';

/** A file to be written; its sha256 where it is known before. */
export type StoredFile = Omit<FileRecord, 'sha256'> & { readonly sha256: FileRecord['sha256'] | undefined };

/** Files open at once; a model with more has them opened and closed in turns. */
const maxOpenFiles = 64;

/** As many as Node's thread pool works on. */
const preparedAtOnce = 4;

/** Written bytes of one file after which the disk is asked to begin, so that little is left to wait for at the end. */
const syncEveryBytes = 16 * 1024 * 1024;

/** No following of a link that stands in a file's place; Windows doesn't know the flag. */
const noFollow = constants.O_NOFOLLOW ?? 0;

/** The files of one version under one directory, opened when needed, written by position. */
export class FileStore {
  readonly directory: string;
  readonly files: readonly StoredFile[];
  readonly #open = new OpenFiles<number>(maxOpenFiles);
  readonly #dirty = new Set<number>();
  readonly #readOnly = new Set<number>();
  readonly #unsynced = new Map<number, number>();
  #syncing: Promise<void> | undefined;
  #syncError: unknown;

  constructor(directory: string, files: readonly StoredFile[]) {
    this.directory = directory;
    this.files = files;
  }

  pathOf(file: number): string {
    return join(this.directory, ...this.#file(file).path.split('/'));
  }

  /** Makes every file with its full length (without its bytes: sparse where the file system can); keeps what is there. */
  async prepare(): Promise<void> {
    const directories = new Set([this.directory, ...this.files.map((_, file) => dirname(this.pathOf(file)))]);
    await mapConcurrently(directories, preparedAtOnce, makeDirectory);
    await mapConcurrently(this.files, preparedAtOnce, async (file, number) => {
      const found = await lstat(this.pathOf(number)).catch((error: unknown) => {
        if (hasSystemCode(error, 'ENOENT')) return undefined;
        throw error;
      });
      if (found?.isFile() && found.size === file.size_bytes) return;
      if (found !== undefined && !found.isFile()) await removeTree(this.pathOf(number));
      await this.#use(number, true, (handle) => handle.truncate(file.size_bytes));
    });
  }

  async write(file: number, bytes: Uint8Array, position: number): Promise<void> {
    this.#dirty.add(file);
    await this.#use(file, true, async (handle) => {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    });
    this.#syncEarly(file, bytes.length);
  }

  #syncEarly(file: number, bytes: number): void {
    const unsynced = (this.#unsynced.get(file) ?? 0) + bytes;
    const begin = unsynced >= syncEveryBytes && this.#syncing === undefined;
    this.#unsynced.set(file, begin ? 0 : unsynced);
    if (!begin) return;
    this.#syncing = this.#use(file, true, (handle) => handle.datasync())
      .catch((error: unknown) => {
        // Linux tells of a failed write-back only once.
        this.#syncError ??= error;
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  async read(file: number, length: number, position: number): Promise<Buffer> {
    return this.#use(file, false, (handle) => readFully(handle, length, position));
  }

  /** Flushes what was written to a file. */
  async sync(file: number): Promise<void> {
    await this.#syncing;
    if (this.#syncError !== undefined) throw this.#syncError;
    if (!this.#dirty.delete(file)) return;
    await this.#use(file, true, (handle) => handle.datasync());
  }

  /** Closes a file that is complete. */
  release(file: number): Promise<void> {
    return this.#open.release(file);
  }

  async close(): Promise<void> {
    await this.#syncing;
    await this.#open.close();
  }

  async #use<T>(file: number, writes: boolean, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    if (writes && this.#readOnly.delete(file)) await this.release(file);
    return this.#open.use(file, () => this.#openFile(file, writes), work);
  }

  async #openFile(file: number, writes: boolean): Promise<FileHandle> {
    const path = this.pathOf(file);
    try {
      return await open(path, constants.O_RDWR | constants.O_CREAT | noFollow, 0o666);
    } catch (error) {
      // An installed file that we may only read can still be checked.
      if (writes || !hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
      this.#readOnly.add(file);
      return open(path, constants.O_RDONLY | noFollow);
    }
  }

  #file(number: number): StoredFile {
    const file = this.files[number];
    if (file === undefined) throw unexpectedError(`no file ${number}`);
    return file;
  }
}
