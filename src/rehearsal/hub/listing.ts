import { type Exchange, readBytes } from '../http.ts';
import { jsonReply, type Reply } from '../reply.ts';
import type { ObjectId } from './git-objects.ts';
import { lastCommits } from './history.ts';
import { HubError } from './hub-error.ts';
import { nextPage } from './paging.ts';
import type { Repository } from './repositories.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Entries of a page of `tree`; fewer where each is expanded (huggingface_hub,
 * `_iter_repo_tree_pages`).
 */
const pageSize = { plain: 1000, expanded: 50 };
/**
 * Paths that one `paths-info` request may name; more are answered with 413 (huggingface_hub#1503).
 */
const mostPaths = 1000;

interface Revision {
  readonly commit: ObjectId;
  readonly snapshot: Snapshot;
}

/** `GET …/tree/…`: what lies in a folder (the top one: ''), folders first, page by page. */
export async function answerTree(
  exchange: Exchange,
  repository: Repository,
  revision: Revision,
  folder: string,
): Promise<Reply> {
  const { searchParams } = exchange.url;
  const isRecursive = isTrue(searchParams.get('recursive'));
  const expand = isTrue(searchParams.get('expand'));
  const prefix = folder === '' ? '' : `${folder}/`;
  const isListed = (path: string): boolean =>
    path.startsWith(prefix) && (isRecursive || !path.slice(prefix.length).includes('/'));
  const { files, folders } = revision.snapshot;
  const paths = [...[...folders.keys()].filter(isListed), ...[...files.keys()].filter(isListed)];
  const from = decodeCursor(searchParams.get('cursor'));
  const to = from + (expand ? pageSize.expanded : pageSize.plain);
  const entries = await describePaths(repository, revision, paths.slice(from, to), expand);
  return jsonReply(200, entries, to < paths.length ? nextPage(exchange, 'cursor', encodeCursor(to)) : {});
}

/**
 * `POST …/paths-info/…`: what is known of some paths; those that aren't there are left out. Takes
 * JSON or a form.
 */
export async function answerPathsInfo(exchange: Exchange, repository: Repository, revision: Revision): Promise<Reply> {
  const text = (await readBytes(exchange)).toString('utf8');
  const isForm = exchange.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  const { paths, expand } = isForm ? parseForm(text) : parseJson(text);
  if (paths.length > mostPaths) throw new HubError(413, 'too many parameters');
  const there = paths
    .map((path) => path.replace(/\/$/, ''))
    .filter((path) => revision.snapshot.files.has(path) || revision.snapshot.folders.has(path));
  return jsonReply(200, await describePaths(repository, revision, there, expand));
}

async function describePaths(
  repository: Repository,
  revision: Revision,
  paths: readonly string[],
  expand: boolean,
): Promise<Record<string, unknown>[]> {
  const { files, folders } = revision.snapshot;
  const commits = expand ? await lastCommits(repository, revision.commit, paths) : undefined;
  return paths.map((path) => {
    const commit = commits?.get(path);
    const lastCommit = commit && { lastCommit: { id: commit.id, title: commit.title, date: commit.date } };
    const file = files.get(path);
    if (file === undefined) return { type: 'directory', oid: folders.get(path), size: 0, path, ...lastCommit };
    return {
      type: 'file',
      oid: file.oid,
      size: file.size,
      ...(file.lfs && { lfs: { oid: file.lfs.oid, size: file.lfs.size, pointerSize: file.blobSize } }),
      path,
      ...lastCommit,
      ...(expand && { securityFileStatus: { status: 'unscanned', avScan: null, pickleImportScan: null } }),
    };
  });
}

interface PathsRequest {
  readonly paths: readonly string[];
  readonly expand: boolean;
}

function parseForm(text: string): PathsRequest {
  const form = new URLSearchParams(text);
  return { paths: form.getAll('paths'), expand: isTrue(form.get('expand')) };
}

function parseJson(text: string): PathsRequest {
  const bad = new HubError(400, '"paths" must be an array of strings');
  try {
    const { paths, expand } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) throw bad;
    return { paths, expand: expand === true };
  } catch {
    throw bad;
  }
}

function isTrue(value: string | null): boolean {
  return value !== null && ['true', '1'].includes(value.toLowerCase());
}

function encodeCursor(offset: number): string {
  return Buffer.from(`after:${offset}`).toString('base64url');
}

function decodeCursor(cursor: string | null): number {
  if (cursor === null) return 0;
  const [, offset] = /^after:(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (offset === undefined) throw new HubError(400, 'the cursor is invalid');
  return Number(offset);
}
