import { constants } from 'node:fs';
import { access, type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { hasSystemCode, invalidError, machineError } from './errors.ts';

/**
 * What `work` on a file gives, or undefined where there is no such file. Other errors are thrown.
 */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Never waits for whoever is at the other end of a pipe or a device. Windows doesn't know the flag.
 */
const readOnly = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The bytes of a file; undefined where there is none, or a pipe or a device, which might never end.
 * Throws `invalid` where it is larger than `maxBytes`. Other errors are thrown.
 */
export async function readFileIfThere(path: string, maxBytes?: number): Promise<Buffer | undefined> {
  const handle = await ifThere(open(path, readOnly));
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    // Of a directory, reading says that it is one.
    if (!found.isFile() && !found.isDirectory()) return undefined;
    if (maxBytes !== undefined && found.size > maxBytes) {
      throw invalidError(`${path}: ${found.size} bytes is more than the limit of ${maxBytes}`);
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/**
 * The bytes of a file that somebody else put there; undefined where there is none, or something
 * that isn't a file. Throws `invalid` where it is larger than `maxBytes`.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  return (await isFile(path)) ? readFileIfThere(path, maxBytes) : undefined;
}

/**
 * The bytes of an ordinary file, in pieces of a megabyte, and no more than it had at the start:
 * what the kernel shows as a file of no size may never end. Throws `machine` where it is something
 * else.
 */
export async function* readPieces(path: string): AsyncGenerator<Buffer, void, undefined> {
  const handle = await open(path, readOnly);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw machineError(`${path} is not an ordinary file.`, 'Put the file itself in its place.');
    if (found.size === 0) return;
    yield* handle.createReadStream({ end: found.size - 1, highWaterMark: 1 << 20, autoClose: false });
  } finally {
    await handle.close();
  }
}

/** Size of an ordinary file, or of the one that a link leads to; undefined where there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  const found = await ifThere(stat(path));
  return found?.isFile() ? found.size : undefined;
}

/**
 * Whether an ordinary file of so many bytes lies at the path; false, too, where that can't be seen.
 */
export async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return (await fileSize(path).catch(() => undefined)) === sizeBytes;
}

/** Whether an ordinary file, or a link to one, lies at the path. */
export async function isFile(path: string): Promise<boolean> {
  return (await fileSize(path)) !== undefined;
}

export async function exists(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}

/** Of what is in a directory; none where there is no directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return (await ifThere(readdir(directory))) ?? [];
}

export async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Fills `length` bytes from `position`; shorter only where the file ends. */
export async function readFully(handle: FileHandle, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === length ? buffer : buffer.subarray(0, filled);
}

/**
 * What tells, without reading it, that a file is still the one that it was: identity, size and
 * times. Undefined where there is no such file. On another machine, or after a copy, it differs
 * though the bytes are the same.
 */
export async function fileStamp(path: string): Promise<string | undefined> {
  const state = await ifThere(stat(path, { bigint: true }));
  return state && [state.dev, state.ino, state.size, state.mtimeNs, state.ctimeNs].join('-');
}
