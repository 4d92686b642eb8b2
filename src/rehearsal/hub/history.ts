import { decodeCommit, type ObjectId } from './git-objects.ts';
import type { Repository } from './repositories.ts';

export interface HistoryEntry {
  readonly id: ObjectId;
  readonly author: string;
  readonly title: string;
  readonly message: string;
  readonly date: string;
}

/** The commits from `head` back to the first; history here is a line. */
export async function* walkHistory(repository: Repository, head: ObjectId): AsyncGenerator<HistoryEntry, undefined> {
  for (let id: ObjectId | undefined = head; id !== undefined; ) {
    const commit = decodeCommit((await repository.objects.read(id)).body);
    const [title = '', ...rest] = commit.message.split('\n');
    yield {
      id,
      author: commit.author,
      title,
      message: rest.join('\n').trim(),
      date: new Date(commit.time * 1000).toISOString(),
    };
    id = commit.parents[0];
  }
  return undefined;
}

/** For each path (of a file or a folder), the newest commit that made it what it is at `head`. */
export async function lastCommits(
  repository: Repository,
  head: ObjectId,
  paths: readonly string[],
): Promise<ReadonlyMap<string, HistoryEntry>> {
  const found = new Map<string, HistoryEntry>();
  const idAt = async (commit: ObjectId, path: string): Promise<ObjectId | undefined> => {
    const { files, folders } = await repository.snapshots.ofCommit(commit);
    return files.get(path)?.oid ?? folders.get(path);
  };
  const open = new Map<string, ObjectId | undefined>();
  for (const path of paths) open.set(path, await idAt(head, path));
  let newer: HistoryEntry | undefined;
  for await (const entry of walkHistory(repository, head)) {
    for (const [path, id] of open) {
      if (newer !== undefined && (await idAt(entry.id, path)) !== id) {
        found.set(path, newer);
        open.delete(path);
      }
    }
    newer = entry;
    if (open.size === 0) break;
  }
  for (const path of open.keys()) if (newer !== undefined) found.set(path, newer);
  return found;
}
