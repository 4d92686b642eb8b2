import type { HubAccount } from './accounts.ts';
import { validateCard } from './card-metadata.ts';
import { readCommitLines } from './commit-request.ts';
import { attributeLine, lfsMatcher, patternOfPath } from './git-attributes.ts';
import { encodeCommit, type ObjectId } from './git-objects.ts';
import { entryNotFound, HubError, revisionNotFound } from './hub-error.ts';
import { decodePointer, encodePointer } from './lfs-pointer.ts';
import { emailOf, type Repository } from './repositories.ts';
import { writeTrees } from './snapshot.ts';
import { isBinary, largestRegularFile } from './upload-mode.ts';

/** A commit that was read and checked as far as it can be without the branch. */
export interface PreparedCommit {
  readonly message: string;
  readonly parentCommit: string | undefined;
  readonly changes: readonly Change[];
}

type Change =
  | { readonly kind: 'put'; readonly path: string; readonly oid: ObjectId; readonly lfs: boolean }
  | { readonly kind: 'rename'; readonly path: string; readonly oldPath: string }
  | { readonly kind: 'deletedFile' | 'deletedFolder'; readonly path: string };

/**
 * Reads a commit request and writes its files as git blobs while it arrives. HubError 400 for
 * ordinary files that belong into large file storage, for large files whose content isn't stored,
 * and for a README.md with bad metadata.
 */
export async function prepareCommit(repository: Repository, body: AsyncIterable<Buffer>): Promise<PreparedCommit> {
  const changes: Change[] = [];
  let message = '';
  let parentCommit: string | undefined;
  for await (const line of readCommitLines(body)) {
    if (line.kind === 'header') {
      message = line.description === '' ? line.summary : `${line.summary}\n\n${line.description}`;
      parentCommit = line.parentCommit;
    } else if (line.kind === 'file') {
      checkRegularFile(line.path, line.content);
      const oid = await repository.objects.write('blob', line.content);
      changes.push({ kind: 'put', path: line.path, oid, lfs: false });
    } else if (line.kind === 'lfsFile') {
      const oid = await writePointer(repository, line);
      changes.push({ kind: 'put', path: line.path, oid, lfs: true });
    } else {
      changes.push(line);
    }
  }
  return { message, parentCommit, changes };
}

/**
 * Makes the commit on a branch. HubError: 404 for an unknown branch or a path to delete that isn't
 * there, 412 where `parentCommit` isn't the head any more.
 */
export async function applyCommit(
  repository: Repository,
  branch: string,
  prepared: PreparedCommit,
  account: HubAccount,
): Promise<ObjectId> {
  const ref = `refs/heads/${branch}`;
  const head = repository.refs.get(ref);
  if (head === undefined) throw revisionNotFound(branch);
  if (prepared.parentCommit !== undefined && prepared.parentCommit !== head.commit) {
    throw new HubError(412, 'A commit has happened since. Please refresh and try again.');
  }
  const before = await repository.snapshots.ofCommit(head.commit);
  const files = new Map<string, { readonly oid: ObjectId }>(before.files);
  const newLfsPaths: string[] = [];
  for (const change of prepared.changes) {
    if (change.kind === 'put') {
      files.set(change.path, { oid: change.oid });
      if (change.lfs) newLfsPaths.push(change.path);
    } else if (change.kind === 'rename') {
      const entry = files.get(change.oldPath);
      if (entry === undefined) throw entryNotFound(change.oldPath, branch);
      files.delete(change.oldPath);
      files.set(change.path, entry);
    } else {
      deletePath(files, change, branch);
    }
  }
  checkFolders(files);
  await trackLargeFiles(repository, files, newLfsPaths);
  const commit = encodeCommit({
    tree: await writeTrees(repository.objects, files),
    parents: [head.commit],
    author: account.user,
    email: emailOf(account.user),
    time: Math.floor(Date.now() / 1000),
    message: prepared.message,
  });
  const oid = await repository.objects.write('commit', commit);
  await repository.refs.set(ref, { oid, commit: oid });
  return oid;
}

function checkRegularFile(path: string, content: Buffer): void {
  if (content.length > largestRegularFile) {
    throw new HubError(
      400,
      `Your push was rejected because "${path}" is larger than 10 MiB and isn't stored as a large file.`,
    );
  }
  if (isBinary(content)) {
    throw new HubError(
      400,
      `Your push was rejected because "${path}" is a binary file that isn't stored as a large file.`,
    );
  }
  if (decodePointer(content) !== undefined) {
    throw new HubError(
      400,
      `Your push was rejected because "${path}" is an LFS pointer that was sent as an ordinary file.`,
    );
  }
  if (path !== 'README.md') return;
  const { errors } = validateCard(content.toString('utf8'));
  if (errors.length > 0) {
    const list = errors.map(({ message }) => `- Error: ${message}`).join('\n');
    throw new HubError(400, `Your push was rejected during YAML metadata verification:\n${list}`);
  }
}

async function writePointer(
  repository: Repository,
  file: { readonly path: string; readonly oid: string; readonly size?: number },
): Promise<ObjectId> {
  const stored = await repository.lfs.sizeOf(file.oid);
  if (stored === undefined || (file.size !== undefined && file.size !== stored)) {
    throw new HubError(
      400,
      `Your push was rejected because an LFS pointer pointed to a file that does not exist. Offending file: ${file.path}`,
    );
  }
  return repository.objects.write('blob', encodePointer({ oid: file.oid, size: stored }));
}

function deletePath(
  files: Map<string, unknown>,
  change: { readonly kind: 'deletedFile' | 'deletedFolder'; readonly path: string },
  branch: string,
): void {
  const doomed =
    change.kind === 'deletedFile'
      ? [change.path].filter((path) => files.has(path))
      : [...files.keys()].filter((path) => path.startsWith(`${change.path}/`));
  if (doomed.length === 0) throw entryNotFound(change.path, branch);
  for (const path of doomed) files.delete(path);
}

/** Nothing can be a file and a folder at once. */
function checkFolders(files: ReadonlyMap<string, unknown>): void {
  for (const path of files.keys()) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash);
      if (files.has(folder)) throw new HubError(400, `"${folder}" can't be both a file and a folder`);
    }
  }
}

/**
 * Adds what `.gitattributes` doesn't track yet, so that git-lfs knows the new large files as such.
 */
async function trackLargeFiles(
  repository: Repository,
  files: Map<string, { readonly oid: ObjectId }>,
  paths: readonly string[],
): Promise<void> {
  const entry = files.get('.gitattributes');
  const text = entry === undefined ? '' : (await repository.objects.read(entry.oid)).body.toString('utf8');
  const isTracked = lfsMatcher(text);
  const missing = [...new Set(paths)].filter((path) => files.has(path) && !isTracked(path));
  if (missing.length === 0) return;
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  const added = missing.map((path) => `${attributeLine(patternOfPath(path))}\n`).join('');
  const oid = await repository.objects.write('blob', Buffer.from(text + separator + added));
  files.set('.gitattributes', { oid });
}
