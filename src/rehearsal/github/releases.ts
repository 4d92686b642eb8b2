import { randomBytes } from 'node:crypto';
import semver from 'semver';
import { isHiddenByLag } from '../faults.ts';
import type { Exchange } from '../http.ts';
import { canWrite } from './accounts.ts';
import type { Call } from './context.ts';
import { findTag, resolveCommit } from './git-objects.ts';
import { type FieldError, notFound, validationFailed } from './refusals.ts';
import type { StoredAsset, StoredRelease, StoredRepository } from './store.ts';

/** GitHub's limit of a release's text, in characters. */
const maximumBodyLength = 125_000;

/** What `create` and `update` set; absent fields stay as they are. */
export interface ReleaseFields {
  readonly tag_name?: string | undefined;
  readonly target_commitish?: string | undefined;
  readonly name?: string | undefined;
  readonly body?: string | undefined;
  readonly draft?: boolean | undefined;
  readonly prerelease?: boolean | undefined;
  readonly make_latest?: string | undefined;
}

/** Releases that the caller may see, newest first; drafts only with push rights. */
export function visibleReleases({ caller, exchange }: Call, repository: StoredRepository): StoredRelease[] {
  const seesDrafts = canWrite(caller.account, repository);
  return repository.releases
    .filter((release) => (seesDrafts || !release.draft) && !isHiddenByLag(exchange.faults, release.madeAt))
    .sort((a, b) => b.createdAt - a.createdAt || b.id - a.id);
}

export function findRelease(call: Call, repository: StoredRepository, id: string): StoredRelease {
  const found = visibleReleases(call, repository).find((release) => String(release.id) === id);
  if (found === undefined) throw notFound();
  return found;
}

/** The published release of a tag; never a draft. */
export function releaseByTag(
  { exchange }: Pick<Call, 'exchange'>,
  repository: StoredRepository,
  tag: string,
): StoredRelease | undefined {
  return repository.releases.find(
    ({ draft, tagName, publishedAt }) => !draft && tagName === tag && !isHiddenByLag(exchange.faults, publishedAt ?? 0),
  );
}

export function visibleAssets({ faults }: Exchange, release: StoredRelease): StoredAsset[] {
  return release.assets.filter((asset) => !isHiddenByLag(faults, asset.createdAt));
}

/**
 * The repository's latest release: the one marked so (`make_latest`), else by commit date and then
 * by version among the published ones that aren't prereleases. There is one as soon as there is any
 * such release: `make_latest: false` doesn't prevent that.
 */
export function latestRelease(repository: StoredRepository): StoredRelease | undefined {
  const candidates = repository.releases.filter(({ draft, prerelease }) => !draft && !prerelease);
  const version = ({ tagName }: StoredRelease): string =>
    semver.coerce(tagName, { includePrerelease: true })?.version ?? '0.0.0';
  return (
    candidates.find(({ id }) => id === repository.latestReleaseId) ??
    candidates.sort((a, b) => b.createdAt - a.createdAt || semver.rcompare(version(a), version(b)))[0]
  );
}

/** Makes a release (and its tag, if it isn't a draft). 422 as GitHub answers it. */
export function createRelease(
  call: Call,
  repository: StoredRepository,
  login: string,
  fields: ReleaseFields,
): StoredRelease {
  const now = Date.now();
  const release: StoredRelease = {
    id: call.context.store.newId(),
    tagName: fields.tag_name ?? '',
    targetCommitish: fields.target_commitish ?? repository.defaultBranch,
    name: null,
    body: null,
    draft: true,
    prerelease: false,
    immutable: false,
    author: login,
    madeAt: now,
    createdAt: now,
    publishedAt: null,
    updatedAt: now,
    untagged: `untagged-${randomBytes(10).toString('hex')}`,
    assets: [],
  };
  changeRelease(repository, release, { ...fields, draft: fields.draft ?? false });
  repository.releases.push(release);
  call.context.store.save();
  return release;
}

export function updateRelease(
  call: Call,
  repository: StoredRepository,
  release: StoredRelease,
  fields: ReleaseFields,
): void {
  changeRelease(repository, release, fields);
  release.updatedAt = Date.now();
  call.context.store.save();
}

/** Deletes the release; its tag stays. A deleted immutable release leaves its tag name used up. */
export function deleteRelease(call: Call, repository: StoredRepository, release: StoredRelease): void {
  if (release.immutable) repository.retiredTags.push(release.tagName);
  repository.releases = repository.releases.filter((other) => other !== release);
  call.context.store.save();
}

/** Checks everything first, then changes: a refused request leaves the release as it was. */
function changeRelease(repository: StoredRepository, release: StoredRelease, fields: ReleaseFields): void {
  const tagName = fields.tag_name ?? release.tagName;
  const draft = fields.draft ?? release.draft;
  const target = fields.target_commitish ?? release.targetCommitish;
  const isPublication = !draft && release.draft;
  const errors: FieldError[] = [];
  const wrong = (field: string, message: string): void => {
    errors.push({ resource: 'Release', code: 'custom', field, message });
  };
  if (release.immutable && (tagName !== release.tagName || draft))
    wrong('tag_name', 'Cannot change the tag of an immutable release');
  if ((fields.body?.length ?? 0) > maximumBodyLength) wrong('body', 'body is too long (maximum is 125000 characters)');
  if (!isRefName(tagName)) wrong('tag_name', 'tag_name is not well-formed');
  if (!draft) {
    const taken = repository.releases.some((other) => other !== release && !other.draft && other.tagName === tagName);
    if (taken) errors.push({ resource: 'Release', code: 'already_exists', field: 'tag_name' });
    if (repository.retiredTags.includes(tagName)) wrong('tag_name', 'tag_name was used by an immutable release');
    const needsTag = findTag(repository, tagName) === undefined;
    if (needsTag && resolveCommit(repository, target) === undefined) {
      errors.push({ resource: 'Release', code: 'invalid', field: 'target_commitish' });
    }
  }
  const makeLatest = fields.make_latest ?? (isPublication ? 'true' : undefined);
  if (makeLatest !== undefined && !['true', 'false', 'legacy'].includes(makeLatest)) {
    errors.push({ resource: 'Release', code: 'invalid', field: 'make_latest' });
  }
  if (errors.length > 0) throw validationFailed(...errors);

  release.tagName = tagName;
  release.targetCommitish = target;
  release.name = fields.name ?? release.name;
  release.body = fields.body ?? release.body;
  release.prerelease = fields.prerelease ?? release.prerelease;
  release.draft = draft;
  if (!draft) publish(repository, release);
  if (!draft && !release.prerelease && makeLatest === 'true') repository.latestReleaseId = release.id;
  const losesMark = draft || release.prerelease || makeLatest === 'false' || makeLatest === 'legacy';
  if (losesMark && repository.latestReleaseId === release.id) repository.latestReleaseId = null;
  if (makeLatest === 'legacy') repository.latestReleaseId = null;
}

/** The tag is made where it is missing: lightweight, at the target. */
function publish(repository: StoredRepository, release: StoredRelease): void {
  const now = Date.now();
  const tag = findTag(repository, release.tagName);
  const commit = tag?.commit ?? resolveCommit(repository, release.targetCommitish);
  if (commit !== undefined) {
    if (tag === undefined) repository.tags[release.tagName] = { commit, tagObject: null, madeAt: now };
    release.createdAt = repository.commits[commit]?.date ?? release.createdAt;
  }
  release.publishedAt ??= now;
  if (repository.immutableReleases) release.immutable = true;
}

/** The rules of git-check-ref-format(1), as far as they matter in a tag. */
function isRefName(name: string): boolean {
  const bad = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(\/|$)|(^|\/)\.|\.$|\/$|^\/|^@$|^-/;
  return name !== '' && name.length <= 255 && !bad.test(name);
}
