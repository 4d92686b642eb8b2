import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, removeTree } from '../../core/files.ts';

/** What lies in the directory of a transfer under way. */
export interface Staging {
  /** The files of the version, as they will be installed. */
  readonly files: string;
  readonly index: string;
  readonly journal: string;
  /** The archive, where there is no index. */
  readonly archive: string;
}

export function stagingOf(directory: string): Staging {
  return {
    files: join(directory, 'files'),
    index: join(directory, 'index.json'),
    journal: join(directory, 'progress'),
    archive: join(directory, 'archive'),
  };
}

/** Empties what belongs to another release. */
export async function startAfresh(directory: string): Promise<void> {
  const { files, journal } = stagingOf(directory);
  await rm(journal, { force: true });
  await removeTree(files);
  await makeDirectory(files);
}
