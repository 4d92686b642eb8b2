import { constants } from 'node:fs';
import { cp, type FileHandle, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { builtins } from './builtins.ts';
import { hasSystemCode } from './errors.ts';
import { ifThere } from './read-files.ts';

/** Errors that a virus scanner or indexer holding a fresh file causes on Windows for seconds. */
const transientRenameErrors = ['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY'];

/**
 * Renames, trying again for up to `patienceMs` where the platform is known to refuse for a moment
 * (Windows, where another program holds the file open). Elsewhere those errors are final at once.
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

/**
 * Moves a file, or a directory with all that is in it. What can't be renamed (another disk, a
 * directory of a lower layer of an overlay) is copied beside its new place, flushed, renamed, and
 * removed where it was. Links are moved as links, never followed.
 */
export async function moveTree(
  from: string,
  to: string,
  options: Parameters<typeof renamePatiently>[2] = {},
): Promise<void> {
  try {
    await renamePatiently(from, to, options);
    return;
  } catch (error) {
    if (!hasSystemCode(error, 'EXDEV')) throw error;
  }
  const beside = temporaryName(to);
  try {
    // Pipes and sockets can't be copied, and hold nothing.
    const filter = async (path: string): Promise<boolean> => {
      const found = await lstat(path);
      return found.isFile() || found.isDirectory() || found.isSymbolicLink();
    };
    await cp(from, beside, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter });
    await syncTree(beside);
    await renamePatiently(beside, to, options);
  } catch (error) {
    await removeTree(beside);
    throw error;
  }
  await syncDirectory(dirname(to));
  await removeTree(from);
}

export function randomHex(bytes: number): string {
  return builtins.crypto.randomBytes(bytes).toString('hex');
}

/**
 * A name beside `path` that no other process uses; what a killed process leaves is recognisable by
 * `.tmp-`.
 */
export function temporaryName(path: string): string {
  return join(dirname(path), `.tmp-${process.pid}-${randomHex(6)}`);
}

/**
 * Flushes a directory, so that renames in it survive a power cut. Does nothing where the platform
 * can't (Windows).
 */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY);
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse to sync a directory, and one that may be written to needn't
    // be readable. The data itself is flushed already.
    if (!hasSystemCode(error, 'EINVAL', 'ENOTSUP', 'EBADF', 'EACCES', 'EPERM')) throw error;
  } finally {
    await handle?.close();
  }
}

/**
 * Flushes a file, or a directory and all that is in it, so that what was copied survives a power
 * cut.
 */
async function syncTree(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isDirectory()) {
    for (const name of await readdir(path)) await syncTree(join(path, name));
    await syncDirectory(path);
  } else if (found.isFile()) {
    // Windows flushes only what may be written to.
    const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r');
    await handle.sync().finally(() => handle.close());
  }
}

/**
 * Writes a file so that its final name holds the old content or the whole new one, never part of
 * it: temporary file, `write`, flush, rename, flush of the directory. The directory is made where
 * it is missing.
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

/**
 * Makes a directory and those above it, where they are missing. Each new one is flushed where it is
 * named, in the one above. One by one: Node's recursive `mkdir` blames a read-only file system for
 * a missing directory, and below /proc it never ends (Node 20 and 24).
 */
export async function makeDirectory(path: string): Promise<void> {
  const isThere = async (): Promise<boolean> => (await ifThere(stat(path)))?.isDirectory() === true;
  if (await isThere()) return;
  const above = dirname(path);
  if (above !== path) await makeDirectory(above);
  await mkdir(path).catch(async (error: unknown) => {
    // Another process was faster.
    if (!hasSystemCode(error, 'EEXIST') || !(await isThere())) throw error;
  });
  await syncDirectory(above);
}

/**
 * Deletes a file, or a directory with all that is in it, if it is there; patiently, for other
 * programs may hold a file open.
 */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/**
 * Writes all of the bytes, from `position` on; without one, where the file ends or the last write
 * did.
 */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === undefined ? undefined : position + at;
    at += (await handle.write(bytes, at, bytes.length - at, place)).bytesWritten;
  }
}
