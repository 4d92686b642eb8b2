import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Octokit } from '@octokit/rest';
import type { GitHubOptions } from '../../src/rehearsal/github/options.ts';
import { type GitHub, startGitHub } from '../../src/rehearsal/github/server.ts';

export const run = promisify(execFile);

export const place = { owner: 'acme', repo: 'models' } as const;
export const head = 'a'.repeat(40);

/** A stand-in with one public repository, a token that may push and one that may not. */
export function startAcme(options: GitHubOptions = {}): Promise<GitHub> {
  return startGitHub({
    tokens: {
      'push-token': { login: 'maintainer', push: true },
      'read-token': { login: 'reader', read: true },
    },
    repositories: [{ owner: 'acme', name: 'models', commits: [{ sha: head, date: '2025-05-05T05:05:05Z' }] }],
    ...options,
  });
}

/** The unmodified client, without its console. */
export function octokitFor(github: GitHub, token?: string): Octokit {
  const quiet = (): void => {};
  return new Octokit({
    baseUrl: github.apiUrl,
    ...(token === undefined ? {} : { auth: token }),
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
}

/** Uploads some bytes as an asset. */
export async function upload(
  octokit: Octokit,
  release: { id: number; upload_url: string },
  name: string,
  data: Buffer,
) {
  const { data: asset } = await octokit.repos.uploadReleaseAsset({
    ...place,
    release_id: release.id,
    url: release.upload_url,
    name,
    data: data as unknown as string,
    headers: { 'content-type': 'application/octet-stream', 'content-length': data.length },
  });
  return asset;
}

/** Why a program can't be used here; false where it can. */
export async function missing(program: string): Promise<string | false> {
  return run(program, ['--version']).then(
    () => false as const,
    () => `${program} is not installed`,
  );
}

/** The facts of an Octokit error. */
export async function failure(
  promise: Promise<unknown>,
): Promise<{ status: number; errors: unknown; message: string }> {
  try {
    await promise;
  } catch (error) {
    const { status, message, response } = error as {
      status: number;
      message: string;
      response?: { data?: { errors?: unknown } };
    };
    return { status, message, errors: response?.data?.errors };
  }
  throw new Error('it did not fail');
}
