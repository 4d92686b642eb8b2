import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem } from '../../core/errors.ts';
import { ifThere, readBoundedFile } from '../../core/read-files.ts';

/**
 * The mirror's directory as everybody reads it: ordinary files and directories alone. A link, a
 * pipe or a device in it isn't ours: it is never followed, read or written through.
 */

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
