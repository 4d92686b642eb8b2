import { link, lstat, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { builtins } from '../../core/builtins.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { conflictError, hasSystemCode, integrityError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { exists, ifThere, readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, removeTree, renamePatiently, syncDirectory, temporaryName } from '../../core/write-files.ts';
import { readInstalled } from '../cache/installed.ts';
import { withModelLock } from '../cache/model-lock.ts';
import { directoryOf, type InstalledFile, type InstallRecord } from '../cache/records.ts';
import { refusesLinks } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import { isRight } from '../install/adopt-directory.ts';
import { copyFile } from '../install/copy-files.ts';

/** What to do with refs of the Hugging Face cache that something else has put there. */
export type RefsChoice = 'keep' | 'replace' | undefined;

export interface LinkReport {
  readonly name: string;
  readonly version: string;
  /** Its id there: `owner/name`. */
  readonly repository: string;
  readonly revision: string;
  /** The snapshot's directory. */
  readonly path: string;
  /** `main`, the version: what leads to the snapshot. */
  readonly refs: readonly string[];
  /** Files that are the installed ones by another name, take their own space, were there already. */
  readonly linked: number;
  readonly copied: number;
  readonly present: number;
}

/** A test puts refusals in their place. */
export interface FileLinks {
  readonly link: typeof link;
  readonly symlink: typeof symlink;
}

type How = 'linked' | 'copied' | 'present';

/**
 * Puts an installed version into the Hugging Face cache, in huggingface_hub's layout: files into
 * `blobs/`, links to them into `snapshots/<revision>/`, then the refs `main` and the version. What
 * is there stays: a file of other bytes, or a ref that something else put there, is a `conflict`
 * before that is touched. Each step is one rename, so that a kill leaves what the next run
 * completes. Throws `usage` where nothing says which id it gets, `integrity` for a damaged install.
 * [https://huggingface.co/docs/huggingface_hub/guides/manage-cache]
 */
export async function linkModel(
  client: Client,
  record: InstallRecord,
  { as, refs: choice, ...context }: RunContext & { readonly as?: string | undefined; readonly refs?: RefsChoice },
  fileSystem: FileLinks = { link, symlink },
): Promise<LinkReport> {
  const { model: name, version, files } = record;
  const { repository, revision } = placeOf(record, as);
  if (client.huggingFaceCache === undefined) {
    throw usageError('Nothing says where the Hugging Face cache is.', 'Set HF_HOME or HF_HUB_CACHE.');
  }
  const folder = join(client.huggingFaceCache, `models--${repository.replace('/', '--')}`);
  const path = join(folder, 'snapshots', revision);
  return withModelLock(client.layout, name, context, async (isAlone) => {
    const refs = await refsToWrite(client, record, { folder, revision, choice });
    // huggingface_hub takes a repository without this directory for damaged.
    await makeDirectory(path);
    if (isAlone) await removeLeftovers(folder);
    const hasLinks = await canLink(folder, fileSystem);
    const done = await mapConcurrently(files, 4, async (file) => {
      context.signal?.throwIfAborted();
      if (await isThere(path, file, context)) return 'present';
      if (!hasLinks) return bring(record, file, { folder, to: join(path, file.path), fileSystem }, context);
      const blobs = join(folder, 'blobs');
      const blob = await blobName(directoryOf(record), file);
      const how = (await isThere(blobs, { ...file, path: blob }, context))
        ? 'present'
        : await bring(record, file, { folder, to: join(blobs, blob), fileSystem }, context);
      const pointer = join(path, file.path);
      const target = relative(dirname(pointer), join(blobs, blob));
      await putInPlace(folder, pointer, (temporary) => fileSystem.symlink(target, temporary));
      return how;
    });
    for (const ref of refs.missing) {
      await putInPlace(folder, join(folder, 'refs', ref), (temporary) =>
        writeFile(temporary, revision, { flush: true }),
      );
    }
    const count = (how: How): number => done.filter((one) => one === how).length;
    const counts = { linked: count('linked'), copied: count('copied'), present: count('present') };
    return { name, version, repository, revision, path, refs: refs.all, ...counts };
  });
}

/** The Hub's source at its revision, or what the caller names, at a revision of our own making. */
function placeOf(
  { model: name, version, entry, namespace = 'OWNER' }: InstallRecord,
  as: string | undefined,
): Pick<LinkReport, 'repository' | 'revision'> {
  const source = /^[0-9a-f]{40}$/.test(entry.source?.revision ?? '') ? entry.source : undefined;
  const repository = as ?? source?.huggingface;
  if (repository === undefined) {
    throw usageError(
      `The release of ${name} ${version} names no repository on the Hub, whose id it could have.`,
      `Name an id: link ${name} --hf-cache --as ${namespace}/${name}`,
    );
  }
  // As huggingface_hub has it; its cache writes the slash as two dashes.
  const word = /^\w(?:[\w.-]*\w)?$/;
  const words = repository.split('/');
  const isId = words.length === 2 && words.every((one) => word.test(one)) && !/--|\.\./.test(repository);
  if (!isId || repository.length > 96) {
    throw usageError(`${JSON.stringify(repository)} is not the id of a repository on the Hub.`, 'Name one: OWNER/NAME');
  }
  const isSource = repository === source?.huggingface;
  return { repository, revision: isSource ? source.revision : entry.sha256.slice(0, 40) };
}

/**
 * Which refs lead to the revision, and which of them must be written. Throws `conflict` where one
 * leads to what no version of this model is, and the caller hasn't chosen.
 */
async function refsToWrite(
  { layout }: Client,
  { model: name, version, entry }: InstallRecord,
  { folder, revision, choice }: { readonly folder: string; readonly revision: string; readonly choice: RefsChoice },
): Promise<{ readonly all: readonly string[]; readonly missing: readonly string[] }> {
  const read = async (ref: string): Promise<string | undefined> =>
    (await readFileIfThere(join(folder, 'refs', ref)))?.toString('utf8').trim();
  const versions = [...((await readInstalled(layout, name))?.versions ?? []), ...(entry.published_versions ?? [])];
  const ours = await Promise.all([version, ...versions.map((one) => one.version)].map(read));
  const found = await Promise.all(
    ['main', version].map(async (ref) => {
      const leadsTo = await read(ref);
      const isFree = leadsTo === undefined || leadsTo === revision || (ref === 'main' && ours.includes(leadsTo));
      return { ref, leadsTo, isFree };
    }),
  );
  const foreign = found.filter(({ isFree }) => !isFree);
  if (foreign.length > 0 && choice === undefined) {
    const [{ ref, leadsTo } = { ref: '', leadsTo: '' }] = foreign;
    throw conflictError(
      `${join(folder, 'refs', ref)} leads to ${leadsTo}, which is no version of ${name} that was linked.`,
      `Choose: --refs keep leaves it, and ${revision} is loaded by naming that revision${ref === 'main' ? ` or ${version}` : ''}; --refs replace makes it lead to ${name} ${version}; --as OWNER/NAME takes another id.`,
    );
  }
  const meant = found.filter(({ isFree }) => isFree || choice === 'replace');
  return {
    all: meant.map(({ ref }) => ref),
    missing: meant.filter(({ leadsTo }) => leadsTo !== revision).map(({ ref }) => ref),
  };
}

/** Whether the file is there as it should be. What leads nowhere isn't. Throws `conflict` for other bytes. */
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

/** A hard link to the installed file, or a copy where that can't be, in either case with right bytes. */
async function bring(
  record: InstallRecord,
  file: InstalledFile,
  { folder, to, fileSystem }: { readonly folder: string; readonly to: string; readonly fileSystem: FileLinks },
  context: RunContext,
): Promise<How> {
  const source = join(directoryOf(record), file.path);
  let how: How = 'linked';
  await putInPlace(folder, to, async (temporary) => {
    try {
      await fileSystem.link(source, temporary);
    } catch (error) {
      if (!refusesLinks(error) && !hasSystemCode(error, 'EXDEV', 'EMLINK', 'EACCES')) throw error;
      how = 'copied';
    }
    const isWhole =
      how === 'copied'
        ? (await copyFile(source, temporary, file, context)) === undefined
        : await isRight(directoryOf(record), file, context);
    if (isWhole) return;
    throw integrityError(
      `${source} has other bytes than ${record.model} ${record.version} has.`,
      `Fetch what is wrong: verify --repair ${record.model}`,
    );
  });
  return how;
}

/**
 * Makes something under a name that means nothing to others, at the top of the repository's folder,
 * and moves it to its place by one rename.
 */
async function putInPlace(folder: string, to: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryName(join(folder, 'x'));
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

/** What a killed run left: the lock says that none is under way. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.startsWith('.tmp-')) await removeTree(join(folder, name));
}

/** Windows has symbolic links for some users, some file systems for none. */
async function canLink(folder: string, { symlink }: FileLinks): Promise<boolean> {
  const temporary = temporaryName(join(folder, 'x'));
  try {
    await symlink('snapshots', temporary);
    return true;
  } catch (error) {
    if (!refusesLinks(error)) throw error;
    return false;
  } finally {
    await removeTree(temporary);
  }
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
