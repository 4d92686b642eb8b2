import { link, lstat, readdir, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { builtins } from '../core/builtins.ts';
import { conflictError, hasSystemCode, integrityError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { exists, ifThere, readFileIfThere } from '../core/read-files.ts';
import { makeDirectory, removeTree, renamePatiently, syncDirectory, temporaryName } from '../core/write-files.ts';
import type { InstalledFile } from './cache/records.ts';
import { refusesLinks } from './cache/switch-current.ts';
import { isRight } from './install/adopt-directory.ts';
import { copyFile } from './install/copy-files.ts';

/**
 * A snapshot in a Hugging Face cache, in huggingface_hub's layout: `blobs/<etag>`, and links to
 * them in `snapshots/<revision>/`; files themselves, where there are no such links. What is there
 * stays.
 * [https://huggingface.co/docs/huggingface_hub/guides/manage-cache]
 */
export interface Snapshot {
  /** `…/hub/models--<owner>--<name>`. */
  readonly folder: string;
  readonly path: string;
  /** Where the right files are. */
  readonly source: string;
  /** The remedy where they aren't right. */
  readonly remedy: string;
  readonly hasSymlinks: boolean;
  readonly fileSystem: FileLinks;
}

/** A test puts refusals in their place. */
export interface FileLinks {
  readonly link: typeof link;
  readonly symlink: typeof symlink;
}

/** A file is the source by another name, takes its own space, or was there already. */
export type Placed = 'linked' | 'copied' | 'present';

/** Makes the snapshot's directory. `isAlone`: what a killed run left isn't another's work. */
export async function openSnapshot(
  place: Omit<Snapshot, 'hasSymlinks' | 'fileSystem'>,
  isAlone: boolean,
  fileSystem: FileLinks = { link, symlink },
): Promise<Snapshot> {
  const { folder, path } = place;
  // huggingface_hub takes a repository without snapshots for damaged: so these are the first.
  await makeDirectory(path);
  const left = isAlone ? (await readdir(folder)).filter((name) => name.startsWith('.tmp-')) : [];
  for (const name of left) await removeTree(join(folder, name));
  // Windows has symbolic links for some users, some file systems for none.
  const probe = temporaryName(path);
  const hasSymlinks = await fileSystem.symlink('.', probe).then(
    () => true,
    (error: unknown) => {
      if (refusesLinks(error)) return false;
      throw error;
    },
  );
  await removeTree(probe);
  return { ...place, hasSymlinks, fileSystem };
}

/** Throws `conflict` where other bytes are there, `integrity` where the source's are wrong. */
export async function placeFile(snapshot: Snapshot, file: InstalledFile, context: RunContext): Promise<Placed> {
  const { folder, path, source, hasSymlinks, fileSystem } = snapshot;
  if (await isThere(path, file, context)) return 'present';
  const pointer = join(path, file.path);
  if (!hasSymlinks) return bringFile(snapshot, file, pointer, context);
  const blobs = join(folder, 'blobs');
  const name = await blobName(source, file);
  const blob = join(blobs, name);
  const isKnown = await isThere(blobs, { ...file, path: name }, context);
  const placed = isKnown ? 'present' : await bringFile(snapshot, file, blob, context);
  await putInPlace(folder, pointer, (temporary) => fileSystem.symlink(relative(dirname(pointer), blob), temporary));
  return placed;
}

/** Whether a file is there as it should be; a link that leads nowhere isn't. */
async function isThere(directory: string, file: InstalledFile, context: RunContext): Promise<boolean> {
  if (await isRight(directory, file, context)) return true;
  const path = join(directory, file.path);
  const found = await ifThere(lstat(path));
  if (found === undefined || (found.isSymbolicLink() && !(await exists(path)))) return false;
  throw conflictError(
    `${path} has other bytes than it must have.`,
    'Something else put it there, or the disk lost some. Delete it, or take another id: --as OWNER/NAME',
  );
}

/** A hard link, or a copy where that can't be; in either case the bytes are read, once. */
async function bringFile(
  { folder, source, remedy, fileSystem }: Snapshot,
  file: InstalledFile,
  to: string,
  context: RunContext,
): Promise<Placed> {
  const from = join(source, file.path);
  let placed: Placed = 'linked';
  await putInPlace(folder, to, async (temporary) => {
    await fileSystem.link(from, temporary).catch((error: unknown) => {
      if (!refusesLinks(error) && !hasSystemCode(error, 'EXDEV', 'EMLINK', 'EACCES')) throw error;
      placed = 'copied';
    });
    const isCopied = placed === 'copied';
    const isWhole = isCopied
      ? (await copyFile(from, temporary, file, context)) === undefined
      : await isRight(source, file, context);
    if (!isWhole) throw integrityError(`${from} is damaged.`, remedy);
  });
  return placed;
}

/**
 * Makes something under a name that means nothing to others, at the top of the repository's folder,
 * and moves it to its place by one rename.
 */
export async function putInPlace(
  folder: string,
  to: string,
  make: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(join(folder, 'blobs'));
  await makeDirectory(dirname(to));
  try {
    await make(temporary);
    await renamePatiently(temporary, to);
  } finally {
    // Also where both were links to one file: then the rename does nothing.
    await removeTree(temporary);
  }
  await syncDirectory(dirname(to));
}

/** What the Hub keeps in LFS: by its default .gitattributes, and whatever is larger than this. */
const lfsBytes = 10 * 1024 * 1024;
const lfsEndings =
  /\.(7z|arrow|bin|bz2|ckpt|ftz|gz|h5|joblib|mlmodel|model|msgpack|npy|npz|onnx|ot|parquet|pb|pickle|pkl|pt|pth|rar|safetensors|tar|tflite|tgz|wasm|xz|zip|zst)$/;

/**
 * The name that the Hub's ETag gives the blob, by which huggingface_hub finds it for a revision to
 * come: the sha256 of what lies in LFS, git's id of other files.
 */
async function blobName(directory: string, { path, size_bytes, sha256 }: InstalledFile): Promise<string> {
  if (size_bytes > lfsBytes || lfsEndings.test(path)) return sha256;
  const bytes = (await readFileIfThere(join(directory, path), lfsBytes)) ?? Buffer.alloc(0);
  return builtins.crypto.createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
