import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { builtins } from './builtins.ts';
import { hasSystemCode, invalidError } from './errors.ts';

/** Errors that a virus scanner or indexer holding a fresh file causes on Windows for seconds. */
const transientRenameErrors = ['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY'];

/**
 * Renames, trying again for up to `patienceMs` where the platform is known to refuse for a moment (Windows, where another
 * program holds the file open). Elsewhere those errors are final at once.
 */
export async function renamePatiently(
  from: string,
  to: string,
  options: { readonly patienceMs?: number; readonly rename?: typeof rename } = {},
): Promise<void> {
  const patienceMs = options.patienceMs ?? (process.platform === 'win32' ? 10_000 : 0);
  const end = Date.now() + patienceMs;
  for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
    try {
      await (options.rename ?? rename)(from, to);
      return;
    } catch (error) {
      if (!hasSystemCode(error, ...transientRenameErrors) || Date.now() >= end) throw error;
      await delay(wait);
    }
  }
}

export function randomHex(bytes: number): string {
  return builtins.crypto.randomBytes(bytes).toString('hex');
}

/** A name beside `path` that no other process uses; what a killed process leaves is recognisable by `.tmp-`. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.tmp-${process.pid}-${randomHex(6)}`);
}

/** Flushes a directory, so that renames in it survive a power cut. Does nothing where the platform can't (Windows). */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse to sync a directory; the data itself is flushed already.
    if (!hasSystemCode(error, 'EINVAL', 'ENOTSUP', 'EBADF')) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file so that its final name holds the old content or the whole new one, never part of it: temporary file,
 * `write`, flush, rename, flush of the directory. The directory is made where it is missing.
 */
export async function writeAtomically<T>(
  path: string,
  write: (handle: FileHandle) => Promise<T>,
  options: { readonly mode?: number } = {},
): Promise<T> {
  await makeDirectory(dirname(path));
  const temporary = temporaryName(path);
  const handle = await open(temporary, 'wx', options.mode ?? 0o666);
  try {
    const result = await write(handle);
    await handle.sync();
    await handle.close();
    await renamePatiently(temporary, path);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  options: { readonly mode?: number } = {},
): Promise<void> {
  await writeAtomically(path, (handle) => handle.writeFile(content), options);
}

/** Makes a directory and those above it, where they are missing. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    // What Node says of a read-only file system too (Node 20 and 24): the directories one by one have the true reason.
    if (!hasSystemCode(error, 'ENOENT')) throw error;
    await makeOneByOne(path);
  }
}

async function makeOneByOne(path: string): Promise<void> {
  const above = dirname(path);
  if (above !== path && !(await exists(above))) await makeOneByOne(above);
  await mkdir(path).catch((error: unknown) => {
    // Another process was faster.
    if (!hasSystemCode(error, 'EEXIST')) throw error;
  });
}

/** Deletes a file, or a directory with all that is in it, if it is there; patiently, for other programs may hold a file open. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** What `work` on a file gives, or undefined where there is no such file. Other errors are thrown. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The file's bytes, or undefined where there is no such file. Other errors are thrown. */
export async function readFileIfThere(path: string): Promise<Buffer | undefined> {
  return ifThere(readFile(path));
}

/**
 * The bytes of a file that somebody else put there; undefined where there is none, or something that isn't a file (reading a named
 * pipe would never end). Throws `invalid` where it is larger than `maxBytes`.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const status = await ifThere(stat(path));
  if (!status?.isFile()) return undefined;
  if (status.size > maxBytes) throw invalidError(`${path}: ${status.size} bytes is more than the limit of ${maxBytes}`);
  return readFileIfThere(path);
}

/** Whether an ordinary file, or a link to one, lies at the path. */
export async function isFile(path: string): Promise<boolean> {
  return (await ifThere(stat(path)))?.isFile() ?? false;
}

export async function exists(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
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
 * What tells, without reading it, that a file is still the one that it was: identity, size and times. Undefined where there is no
 * such file. On another machine, or after a copy, it differs though the bytes are the same.
 */
export async function fileStamp(path: string): Promise<string | undefined> {
  const state = await ifThere(stat(path, { bigint: true }));
  return state && [state.dev, state.ino, state.size, state.mtimeNs, state.ctimeNs].join('-');
}
