import type { Problem } from '../../core/errors.ts';
import { formatBytes } from '../../core/format.ts';
import { contentProblems } from '../file-content.ts';
import { otherContentFact, otherContentHint } from '../other-content.ts';
import { preflightError, repositoryStateProblems } from '../preflight-problems.ts';
import { hasStatus } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { DigestCache } from './asset-content.ts';
import { findReleases } from './find-releases.ts';
import type { GithubApi, RepositoryAnswer } from './github-api.ts';
import { differingAssets } from './published-release.ts';
import { releaseBody } from './release-body.ts';

/** An asset must be smaller than this (docs.github.com, "About releases": "under 2 GiB"). */
const maxAssetBytes = 2 * 1024 ** 3 - 1;
/** docs.github.com, "About releases": "up to 1000 release assets". */
const maxAssets = 1000;
/** Other characters are replaced by GitHub, and a dot in front gets a word before it. */
const keptName = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** A token that expires before an upload could end is as good as expired. */
const soonMs = 60 * 60_000;

export interface GithubPreflight {
  readonly place: string;
  readonly allowPrivate: boolean;
}

/** Everything that would stop the release on GitHub. Read-only. */
export async function preflightGithub(
  api: GithubApi,
  release: TargetRelease,
  options: GithubPreflight,
  cache: DigestCache,
): Promise<readonly Problem[]> {
  const { place } = options;
  const problems: Problem[] = [...nameAndSizeProblems(release, place), ...(await contentProblems(release.files))];
  const { token, repository } = api.settings;
  if (token === undefined) {
    problems.push(
      preflightError(place, 'no token is set', 'Set GITHUB_TOKEN to a token with "Contents: write" on the repository.'),
    );
  }
  let answer: RepositoryAnswer;
  try {
    answer = await api.repository();
  } catch (failure) {
    const problem = repositoryProblem(failure, place);
    if (problem === undefined) throw failure;
    return [...problems, problem];
  }
  problems.push(...repositoryProblems(answer, options, repository), ...expiryProblems(answer.expires, place));
  const { archived, disabled } = answer.repository;
  if (token === undefined || archived || disabled) return problems;
  return [...problems, ...(await stateProblems(api, release, place, cache))];
}

function nameAndSizeProblems(release: TargetRelease, place: string): readonly Problem[] {
  const problems: Problem[] = [];
  if (release.files.length > maxAssets) {
    problems.push(
      preflightError(
        place,
        `${release.files.length} files are more than the ${maxAssets} that a release may have`,
        'Release fewer models at once.',
      ),
    );
  }
  for (const { name, sizeBytes } of release.files) {
    if (!keptName.test(name)) {
      problems.push(
        preflightError(
          place,
          `GitHub would rename the file ${JSON.stringify(name)}`,
          'Use only letters, digits, dot, underscore and hyphen.',
          name,
        ),
      );
    }
    if (sizeBytes > maxAssetBytes) {
      problems.push(
        preflightError(
          place,
          `${name} has ${formatBytes(sizeBytes)}; a release's file must be smaller than 2 GiB`,
          'Let the Hub or a mirror serve this model.',
          name,
        ),
      );
    }
    if (sizeBytes === 0)
      problems.push(preflightError(place, `${name} is empty; GitHub takes no empty files`, 'Leave it out.', name));
  }
  if (releaseBody(release.notes).shortened) {
    problems.push({
      level: 'warning',
      file: place,
      message: "the release notes are longer than GitHub takes; the release's text will be shortened",
    });
  }
  return problems;
}

function repositoryProblem(failure: unknown, place: string): Problem | undefined {
  if (hasStatus(failure, 401)) {
    return preflightError(place, 'the token is not valid or has expired', 'Set GITHUB_TOKEN to a valid token.');
  }
  if (hasStatus(failure, 404)) {
    return preflightError(
      place,
      'the repository does not exist, or the token may not see it',
      'Create it, or correct "github.repository" in release.json, or use a token of somebody who may see it.',
    );
  }
  if (hasStatus(failure, 403, 451))
    return preflightError(place, failure.message, 'Check what the token is allowed to do.');
  return undefined;
}

function repositoryProblems(
  { repository }: RepositoryAnswer,
  { place, allowPrivate }: GithubPreflight,
  configured: string,
): readonly Problem[] {
  const state = repositoryStateProblems({
    place,
    allowPrivate,
    closed: repository.private ? { as: 'private', remedy: 'Make it public' } : undefined,
    name: repository.full_name,
    configured,
    key: 'github.repository',
  });
  if (!repository.archived && !repository.disabled) return state;
  const fact = `the repository is ${repository.archived ? 'archived' : 'disabled'}`;
  return [...state, preflightError(place, fact, 'Unarchive it, or release to another repository.')];
}

function expiryProblems(expires: string | undefined, place: string): readonly Problem[] {
  // "2026-01-01 00:00:00 UTC", or with an offset
  const end = expires === undefined ? Number.NaN : Date.parse(expires.replace(' UTC', 'Z').replace(' ', 'T'));
  if (!(end < Date.now() + soonMs)) return [];
  return [
    {
      level: 'warning',
      file: place,
      message: `the token expires at ${expires}`,
      hint: 'Renew it if the upload takes long.',
    },
  ];
}

/** What stands under the tag already. */
async function stateProblems(
  api: GithubApi,
  release: TargetRelease,
  place: string,
  cache: DigestCache,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  let releases: Awaited<ReturnType<typeof findReleases>>;
  try {
    releases = await findReleases(api, release.tag);
  } catch (failure) {
    if (failure instanceof Error && 'hint' in failure && 'code' in failure && failure.code === 'conflict') {
      return [preflightError(place, failure.message, String(failure.hint))];
    }
    throw failure;
  }
  const { draft, published } = releases;
  if (published !== undefined) {
    const differing = await differingAssets(api, published, release, cache);
    if (differing.length > 0) {
      const immutable = published.immutable ? ' (immutable)' : '';
      problems.push(
        preflightError(
          place,
          `${otherContentFact(release.tag, published.html_url, differing)}${immutable}`,
          otherContentHint,
        ),
      );
    }
    if (draft !== undefined) {
      problems.push({
        level: 'warning',
        file: place,
        message: `beside the public release of ${release.tag} there is a draft: ${draft.html_url}`,
        hint: 'Delete the draft.',
      });
    }
    return problems;
  }
  const refusal = await api.releaseRefusal(release.tag);
  if (refusal !== undefined) {
    problems.push(
      preflightError(
        place,
        `the token may not write to the repository (${refusal})`,
        'Use a token with "Contents: write" on it (in Actions: permissions: contents: write).',
      ),
    );
  }
  return [...problems, ...(await commitProblems(api, release, place))];
}

/**
 * An unpublished release makes its tag at the target commit: that must exist, and an existing tag
 * must name it.
 */
async function commitProblems(api: GithubApi, release: TargetRelease, place: string): Promise<readonly Problem[]> {
  const { tag, targetCommit } = release;
  const tagged = await api.tagCommit(tag);
  if (targetCommit === undefined) return [];
  if (tagged !== undefined && tagged !== targetCommit) {
    return [
      preflightError(
        place,
        `the tag ${tag} is at the commit ${tagged}, not at ${targetCommit}`,
        `Delete the tag (git push --delete origin ${tag}), or publish from its commit, or raise "release" in release.json.`,
      ),
    ];
  }
  if (tagged === undefined && !(await api.hasCommit(targetCommit))) {
    return [preflightError(place, `the commit ${targetCommit} is not on GitHub`, 'Push it first.')];
  }
  return [];
}
