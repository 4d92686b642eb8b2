import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { hasSystemCode } from '../../core/errors.ts';
import { exists, ifThere, namesIn } from '../../core/read-files.ts';
import { makeDirectory, moveTree, randomHex, removeTree } from '../../core/write-files.ts';
import { isRealDirectory } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';

/**
 * A directory of work in progress, `downloads/<name>/<version>-<digest>.<owner>/`. It belongs to
 * one process, whose random token is in its name; so two processes never write into the same one,
 * whatever locks do.
 */
export interface Staging {
  readonly directory: string;
  /** Where the transfer leaves the model's files. */
  readonly files: string;
  /** False where another process took it over. */
  stillThere(): Promise<boolean>;
  remove(): Promise<void>;
}

/** What is brought: a version of a model, and its archive's digest. */
type Artifact = Pick<ResolvedModel, 'name' | 'version'> & { readonly entry: { readonly sha256: string } };

/**
 * Takes over what an interrupted run left of this very artifact, by renaming it to a name of our
 * own, else begins an empty one. `takeOver` is false where no lock is held: then what lies there
 * may be another process's work.
 */
export async function openStaging(layout: CacheLayout, artifact: Artifact, takeOver: boolean): Promise<Staging> {
  const parent = join(layout.downloads, artifact.name);
  await makeDirectory(parent);
  const prefix = artifactPrefix(artifact);
  const directory = join(parent, `${prefix}${process.pid}-${randomHex(6)}`);
  const files = join(directory, 'files');
  for (const name of takeOver ? await namesIn(parent) : []) {
    const left = join(parent, name);
    // A link isn't ours: what is brought would lie, and be moved, where it leads.
    if (!name.startsWith(prefix) || !(await isRealDirectory(left))) continue;
    // Where several are left, the first one is taken that can be had.
    const isTaken = await moveTree(left, directory).then(
      () => true,
      () => false,
    );
    if (isTaken) break;
  }
  await makeDirectory(directory);
  if (!(await isRealDirectory(files))) await removeTree(files);
  return {
    directory,
    files,
    stillThere: () => exists(directory),
    remove: () => removeTree(directory),
  };
}

/**
 * Where a plan may look at what an interrupted run left, and leave its index for the install to
 * come: such a directory, or one that the next install takes over. Not made here.
 */
export async function planningStaging(layout: CacheLayout, artifact: Artifact): Promise<string> {
  const parent = join(layout.downloads, artifact.name);
  const prefix = artifactPrefix(artifact);
  const left = (await namesIn(parent)).find((name) => name.startsWith(prefix));
  return join(parent, left ?? `${prefix}plan`);
}

function artifactPrefix({ version, entry }: Artifact): string {
  return `${version}-${entry.sha256.slice(0, 16)}.`;
}

/**
 * Moves a directory out of sight by one rename, then deletes it. A killed deletion leaves something
 * for `prune` only. What can't be renamed (`downloads/` on another disk, a lower layer of an
 * overlay) is deleted where it is: whoever calls has removed its record, so that half of it counts
 * for nothing.
 */
export async function discardTree(layout: CacheLayout, path: string): Promise<void> {
  await makeDirectory(layout.downloads);
  const trash = join(layout.downloads, `${trashPrefix}${process.pid}-${randomHex(6)}`);
  await ifThere(rename(path, trash)).catch(async (error: unknown) => {
    if (!hasSystemCode(error, 'EXDEV')) throw error;
    await removeTree(path);
  });
  await removeTree(trash);
}

export const trashPrefix = '.trash-';
