import { dirname, resolve } from 'node:path';
import { git } from '../git.ts';
import type { Workspace } from '../workspace.ts';

/**
 * The release's `generated_at`: SOURCE_DATE_EPOCH, else the committer time of HEAD where
 * release.json lies in a git work tree, else the time that an earlier plan of this release settled,
 * else now. So running again makes the same bytes.
 */
export async function settleGenerationTime(workspace: Workspace, earlier: string | undefined): Promise<string> {
  const epoch = workspace.environment.sourceDateEpoch ?? (await committerTime(workspace));
  if (epoch !== undefined) return formatTime(epoch);
  return earlier ?? formatTime(Math.floor(Date.now() / 1000));
}

/** `2026-01-01T00:00:00Z` */
export function formatTime(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** The commit of HEAD where release.json lies in a git work tree that tracks it. */
export async function sourceRevision(workspace: Workspace): Promise<string | undefined> {
  const file = resolve(workspace.directory, workspace.configFile);
  // A release.json that git doesn't know (ignored, or not added) doesn't belong to the commit
  // around it.
  if ((await git(dirname(file), ['ls-files', '--error-unmatch', '--', file], workspace)) === undefined)
    return undefined;
  return await git(dirname(file), ['rev-parse', 'HEAD'], workspace);
}

async function committerTime(workspace: Workspace): Promise<number | undefined> {
  const commit = await sourceRevision(workspace);
  if (commit === undefined) return undefined;
  const directory = dirname(resolve(workspace.directory, workspace.configFile));
  const time = Number(await git(directory, ['log', '-1', '--format=%ct', commit], workspace));
  return Number.isSafeInteger(time) && time > 0 ? time : undefined;
}
