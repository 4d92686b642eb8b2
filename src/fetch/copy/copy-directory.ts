import { rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copyFileName, parseCopyFile } from '../../contract/copy-file.ts';
import { limits } from '../../contract/limits.ts';
import { parseManifest } from '../../contract/manifest.ts';
import { conflictError, hasSystemCode } from '../../core/errors.ts';
import { exists, isFile, namesIn, readFileIfThere } from '../../core/read-files.ts';
import { makeReadable, makeReadableDirectory } from '../../core/readable-by-all.ts';
import { removeTree, syncDirectory, writeFileAtomically } from '../../core/write-files.ts';

/** What isn't finished; web servers needn't serve it. */
const workName = '.mirror';

export type CopyDirectory = Awaited<ReturnType<typeof openCopyDirectory>>;

/**
 * The directory of a copy, and what it is to do with it; whatever the umask, everybody may read
 * what is in it. Writes nothing by itself. Throws `conflict` where something else is there.
 */
export async function openCopyDirectory(path: string) {
  /** Bytes of a file; undefined where there is none. */
  const read = (name: string): Promise<Buffer | undefined> => readFileIfThere(join(path, name), limits.manifestBytes);
  /** A path for unfinished work, or the lock. */
  const work = (name: string): string => join(path, workName, name);
  /** Moves a finished file to its place, by one rename. */
  const place = async (from: string, name: string): Promise<void> => {
    const to = join(path, name);
    await prepare(dirname(to));
    await makeReadable(from);
    await rename(from, to);
    await syncDirectory(dirname(to));
  };
  const copy = await read(copyFileName);
  const manifest = await read('manifest.json');
  if (manifest !== undefined && copy === undefined) {
    throw conflictError(
      `${path} has a manifest.json, and is no copy that this command made (it has no ${copyFileName}).`,
      'Copy into another directory: a mirror of somebody’s own is not written into.',
    );
  }
  return {
    path,
    /** What is there; undefined where there is no copy yet. */
    models: copy && parseCopyFile(copy, join(path, copyFileName)).models,
    /** That at the root. */
    manifest: manifest && parseManifest(manifest, join(path, 'manifest.json')),
    read,
    work,
    place,
    prepare: (): Promise<void> => prepare(path),
    /** Writes a file, unless these bytes are there. */
    write: async (name: string, bytes: Uint8Array): Promise<void> => {
      if ((await read(name))?.equals(bytes)) return;
      const document = work('document');
      await writeFileAtomically(document, bytes);
      await place(document, name);
    },
    /** The files of releases' directories, by their paths in the copy. */
    list: async (isRelease: (name: string) => boolean): Promise<readonly string[]> => {
      const found: string[] = [];
      for (const directory of (await namesIn(path)).filter(isRelease)) {
        for (const name of await namesIn(join(path, directory))) {
          if (await isFile(join(path, directory, name))) found.push(`${directory}/${name}`);
        }
      }
      return found;
    },
    /** Deletes a file, and its directory with the last one. */
    remove: async (name: string): Promise<void> => {
      await rm(join(path, name));
      await rmdir(dirname(join(path, name))).catch((error: unknown) => {
        if (!hasSystemCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      });
    },
    /** Deletes what interrupted runs left. */
    clear: async (): Promise<void> => {
      for (const name of await namesIn(work(''))) if (name !== 'lock') await removeTree(work(name));
    },
  };
}

/** What is there already keeps its mode. */
async function prepare(directory: string): Promise<void> {
  if (!(await exists(directory))) await makeReadableDirectory(directory);
}
