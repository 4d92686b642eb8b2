import { chmod, type FileHandle, lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasSystemCode } from './errors.ts';
import { exists } from './read-files.ts';
import { makeDirectory, writeAtomically } from './write-files.ts';

/** Whatever the umask: a web server runs as somebody else. */
const fileMode = 0o644;
const directoryMode = 0o755;

/** Makes a directory, and those above it that are missing, so that everybody can read them. */
export async function makeReadableDirectory(path: string): Promise<void> {
  if (!(await exists(dirname(path)))) await makeReadableDirectory(dirname(path));
  await makeDirectory(path);
  await openToAll(path, directoryMode);
}

/**
 * Writes a file that everybody can read: the old content or the whole new one stands under its
 * name.
 */
export async function writeReadable<T>(path: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
  return writeAtomically(path, async (handle) => {
    await unlessForbidden(handle.chmod(fileMode));
    return write(handle);
  });
}

/** What an earlier run left may be closed to others. */
export async function makeReadable(path: string): Promise<void> {
  await openToAll(path, fileMode);
}

async function openToAll(path: string, mode: number): Promise<void> {
  const found = await lstat(path);
  if (!found.isSymbolicLink() && (found.mode & mode) !== mode) await unlessForbidden(chmod(path, found.mode | mode));
}

/**
 * Some file systems have no modes, and some files are somebody else's: whether they can be read,
 * the public address tells.
 */
async function unlessForbidden(change: Promise<void>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!hasSystemCode(error, 'EPERM', 'ENOTSUP', 'ENOSYS')) throw error;
  });
}
