import { limits } from '../../contract/limits.ts';
import { gitBlobId } from '../file-content.ts';
import type { ReleaseFile } from '../target.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree, TreeFile } from './hub-shapes.ts';

/** Git blob ids of our own ordinary files, by name: each file is read for it once. */
export type BlobIdCache = Map<string, string>;

/** Whether the Hub has that file's bytes: by sha256 in large file storage, else by git blob id. */
export async function isStored(file: ReleaseFile, found: TreeFile | undefined, cache: BlobIdCache): Promise<boolean> {
  if (found === undefined || found.sizeBytes !== file.sizeBytes) return false;
  if (found.lfsSha256 !== undefined) return found.lfsSha256 === file.sha256;
  if (found.blobId === undefined) return false;
  const key = `${file.name} ${file.sha256}`;
  const blobId = cache.get(key) ?? (await gitBlobId(file));
  cache.set(key, blobId);
  return found.blobId === blobId;
}

/** Like `isStored`, but a signature that the file itself accepts is as good. */
export async function isAsGood(
  api: HubApi,
  revision: string,
  file: ReleaseFile,
  found: TreeFile | undefined,
  cache: BlobIdCache,
): Promise<boolean> {
  if (await isStored(file, found, cache)) return true;
  if (found === undefined || file.accepts === undefined || found.sizeBytes > limits.signatureBytes) return false;
  const stored = await api.file(revision, file.name, limits.signatureBytes);
  return stored !== undefined && file.accepts(stored);
}

/** The planned files that a revision doesn't have. */
export async function lackingFiles(
  api: HubApi,
  revision: string,
  tree: Tree,
  files: readonly ReleaseFile[],
  cache: BlobIdCache,
): Promise<readonly ReleaseFile[]> {
  const lacking: ReleaseFile[] = [];
  for (const file of files) {
    if (!(await isAsGood(api, revision, file, tree.get(file.name), cache))) lacking.push(file);
  }
  return lacking;
}

/** Whether two revisions have the same content under a path. */
export function isSameFile(a: TreeFile | undefined, b: TreeFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.lfsSha256 !== undefined || b.lfsSha256 !== undefined) return a.lfsSha256 === b.lfsSha256;
  return a.blobId !== undefined && a.blobId === b.blobId;
}
