import { dirname, resolve } from 'node:path';
import { defaultGithubServerUrl } from '../../contract/github-installation.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { git } from '../git.ts';
import type { Workspace } from '../workspace.ts';

/**
 * The commit that GitHub's tag is to name: that of the running job where its repository is the
 * release's, else HEAD of the work tree where that repository is a remote of it and has the commit.
 * Undefined leaves the choice to GitHub: the default branch's head.
 */
export async function findTargetCommit(config: ReleaseConfig, workspace: Workspace): Promise<string | undefined> {
  const repository = config.github?.repository;
  if (repository === undefined) return undefined;
  const { githubSha, githubRepository } = workspace.environment;
  if (githubSha !== undefined && githubRepository?.toLowerCase() === repository.toLowerCase()) return githubSha;
  const directory = dirname(resolve(workspace.directory, workspace.configFile));
  const host = new URL(config.github?.server_url ?? defaultGithubServerUrl).host;
  const remotes = (await git(directory, ['remote', '-v'], workspace)) ?? '';
  const remote = remotes
    .split('\n')
    .map((line) => line.split(/\s+/))
    .find(([, url]) => url !== undefined && isRepository(url, host, repository))?.[0];
  if (remote === undefined) return undefined;
  const branches = await git(directory, ['branch', '-r', '--list', `${remote}/*`, '--contains', 'HEAD'], workspace);
  return branches ? await git(directory, ['rev-parse', 'HEAD'], workspace) : undefined;
}

/** Whether a remote's URL (https or ssh, with or without `.git`) is this repository. */
function isRepository(url: string, host: string, repository: string): boolean {
  const match = /^(?:[a-z+]+:\/\/)?(?:[^@/]+@)?([^:/]+(?::\d+)?)[:/](.+?)(?:\.git)?\/?$/.exec(url);
  return match?.[1]?.toLowerCase() === host.toLowerCase() && match[2]?.toLowerCase() === repository.toLowerCase();
}
