import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasSystemCode, integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { startHash } from '../../core/hashing.ts';
import { fileSize, readPieces } from '../../core/read-files.ts';
import { makeDirectory } from '../../core/write-files.ts';
import type { InstalledFile } from '../cache/records.ts';

/**
 * Copies files from one directory to another; each is hashed while it is copied, and flushed.
 * Throws `integrity` where one is missing or another than it should be.
 */
export async function copyFiles(
  from: string,
  files: readonly InstalledFile[],
  to: string,
  context: RunContext,
): Promise<void> {
  for (const file of files) {
    const source = join(from, file.path);
    const target = join(to, file.path);
    await makeDirectory(dirname(target));
    const fault = await copyFile(source, target, file, context);
    if (fault !== undefined) {
      throw integrityError(
        `${source} ${fault}.`,
        'Copy the folder again, or have it exported again with the weights that you want (--weights).',
      );
    }
  }
}

/** What is wrong with the file, or undefined. One of another size isn't read. */
export async function copyFile(
  source: string,
  target: string,
  file: InstalledFile,
  context: RunContext,
): Promise<string | undefined> {
  const size = await fileSize(source);
  if (size === undefined) return 'is missing';
  if (size !== file.size_bytes) return `has ${size} bytes instead of ${file.size_bytes}`;
  const hash = startHash();
  const handle = await open(target, 'w');
  try {
    for await (const piece of readPieces(source)) {
      context.signal?.throwIfAborted();
      hash.update(piece);
      await handle.writeFile(piece);
    }
    await handle.sync();
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return 'is missing';
    throw error;
  } finally {
    await handle.close();
  }
  return hash.digest('hex') === file.sha256 ? undefined : 'has another sha256 than the manifest says';
}
