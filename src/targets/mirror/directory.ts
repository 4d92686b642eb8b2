import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasSystemCode, type Problem } from '../../core/errors.ts';
import { exists, ifThere, readBoundedFile } from '../../core/read-files.ts';
import { makeDirectory, writeAtomically } from '../../core/write-files.ts';

/**
 * The mirror's directory as everybody reads it: ordinary files and directories alone. A link, a
 * pipe or a device in it isn't ours: it is never followed, read or written through.
 */

/** Whatever the umask: a web server runs as somebody else. */
const fileMode = 0o644;
const directoryMode = 0o755;

/** Size of an ordinary file; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await ifThere(lstat(path));
  return found?.isFile() ? found.size : undefined;
}

/** Whether anything stands there, be it a link to nothing. */
export async function isTaken(path: string): Promise<boolean> {
  return (await ifThere(lstat(path))) !== undefined;
}

export async function isDirectory(path: string): Promise<boolean> {
  return (await ifThere(lstat(path)))?.isDirectory() ?? false;
}

/**
 * The bytes of an ordinary file; undefined where there is none. Throws `invalid` where it is larger
 * than `maxBytes`.
 */
export async function readOrdinary(path: string, maxBytes: number): Promise<Buffer | undefined> {
  return (await sizeOf(path)) === undefined ? undefined : readBoundedFile(path, maxBytes);
}

export async function namesIn(directory: string): Promise<readonly string[]> {
  return (await ifThere(readdir(directory))) ?? [];
}

/**
 * What stands where a release is to be written and isn't what it writes. `names` are its files in
 * `<directory>/<tag>`.
 */
export async function strangers(
  directory: string,
  tag: string,
  names: readonly string[],
  pointers: readonly string[],
): Promise<readonly Problem[]> {
  const files = [...pointers, ...names.map((name) => join(tag, name))].map((name) => join(directory, name));
  const problems: Problem[] = [];
  const check = async (path: string, kind: 'file' | 'directory'): Promise<void> => {
    const found = await ifThere(lstat(path));
    if (found === undefined || (kind === 'file' ? found.isFile() : found.isDirectory())) return;
    problems.push({
      level: 'error',
      code: 'conflict',
      file: path,
      message: `is ${found.isSymbolicLink() ? 'a link' : `no ${kind}`}: nothing is written there`,
      hint: "Move it away. A mirror's directory holds ordinary files and directories alone.",
    });
  };
  await check(join(directory, tag), 'directory');
  if (problems.length === 0) for (const path of files) await check(path, 'file');
  return problems;
}

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
