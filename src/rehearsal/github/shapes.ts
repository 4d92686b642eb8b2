import { hasPushRole } from './accounts.ts';
import type { Urls } from './context.ts';
import type { Account } from './options.ts';
import { objectId, type StoredAsset, type StoredRelease, type StoredRepository } from './store.ts';

/** A release as the REST API gives it (schema `release` of GitHub's OpenAPI description). */
export interface ReleaseShape {
  readonly id: number;
  readonly tag_name: string;
  readonly html_url: string;
  readonly draft: boolean;
  readonly assets: readonly AssetShape[];
  readonly [field: string]: unknown;
}

/** Schema `release-asset`; `state` is also `starter`. */
export interface AssetShape {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly digest: string | null;
  readonly browser_download_url: string;
  readonly [field: string]: unknown;
}

export const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const nodeId = (prefix: string, id: number): string => `${prefix}_${Buffer.from(String(id)).toString('base64url')}`;

const encodePath = (text: string): string => text.split('/').map(encodeURIComponent).join('/');

export const repositoryPath = ({ owner, name }: StoredRepository): string => `/repos/${owner}/${name}`;

export function releaseShape(
  urls: Urls,
  repository: StoredRepository,
  release: StoredRelease,
  assets: readonly StoredAsset[] = release.assets,
): ReleaseShape {
  const api = `${urls.api}${repositoryPath(repository)}`;
  const web = `${urls.web}/${repository.owner}/${repository.name}`;
  const tag = encodePath(release.tagName);
  return {
    url: `${api}/releases/${release.id}`,
    assets_url: `${api}/releases/${release.id}/assets`,
    upload_url: `${urls.uploads}${repositoryPath(repository)}/releases/${release.id}/assets{?name,label}`,
    html_url: `${web}/releases/tag/${release.draft ? release.untagged : tag}`,
    id: release.id,
    author: userShape(urls, release.author),
    node_id: nodeId('RE', release.id),
    tag_name: release.tagName,
    target_commitish: release.targetCommitish,
    name: release.name,
    draft: release.draft,
    immutable: release.immutable,
    prerelease: release.prerelease,
    created_at: timestamp(release.createdAt),
    updated_at: timestamp(release.updatedAt),
    published_at: release.publishedAt === null ? null : timestamp(release.publishedAt),
    assets: assets.map((asset) => assetShape(urls, repository, release, asset)),
    tarball_url: release.draft ? null : `${api}/tarball/${tag}`,
    zipball_url: release.draft ? null : `${api}/zipball/${tag}`,
    body: release.body,
  };
}

export function assetShape(
  urls: Urls,
  repository: StoredRepository,
  release: StoredRelease,
  asset: StoredAsset,
): AssetShape {
  const place = release.draft ? release.untagged : encodePath(release.tagName);
  const web = `${urls.web}/${repository.owner}/${repository.name}`;
  return {
    url: `${urls.api}${repositoryPath(repository)}/releases/assets/${asset.id}`,
    id: asset.id,
    node_id: nodeId('RA', asset.id),
    name: asset.name,
    label: asset.label,
    uploader: userShape(urls, asset.uploader),
    content_type: asset.contentType,
    state: asset.state,
    size: asset.size,
    digest: asset.sha256 === null ? null : `sha256:${asset.sha256}`,
    download_count: asset.downloadCount,
    created_at: timestamp(asset.createdAt),
    updated_at: timestamp(asset.updatedAt),
    browser_download_url: `${web}/releases/download/${place}/${encodeURIComponent(asset.name)}`,
  };
}

export function userShape(urls: Urls, login: string): Readonly<Record<string, unknown>> {
  const id = Number.parseInt(objectId('user', login).slice(0, 7), 16);
  const api = `${urls.api}/users/${encodeURIComponent(login)}`;
  return {
    login,
    id,
    node_id: nodeId('U', id),
    avatar_url: `${urls.web}/avatars/u/${id}?v=4`,
    gravatar_id: '',
    url: api,
    html_url: `${urls.web}/${login}`,
    followers_url: `${api}/followers`,
    following_url: `${api}/following{/other_user}`,
    gists_url: `${api}/gists{/gist_id}`,
    starred_url: `${api}/starred{/owner}{/repo}`,
    subscriptions_url: `${api}/subscriptions`,
    organizations_url: `${api}/orgs`,
    repos_url: `${api}/repos`,
    events_url: `${api}/events{/privacy}`,
    received_events_url: `${api}/received_events`,
    type: login.endsWith('[bot]') ? 'Bot' : 'User',
    user_view_type: 'public',
    site_admin: false,
  };
}

export function repositoryShape(
  urls: Urls,
  repository: StoredRepository,
  account: Account | undefined,
): Readonly<Record<string, unknown>> {
  const { owner, name } = repository;
  const api = `${urls.api}${repositoryPath(repository)}`;
  // For an app's token all of them are false, whatever its own permissions: the role is a person's.
  const push = account?.kind !== 'actions' && hasPushRole(account, repository);
  const pull = account?.kind !== 'actions';
  return {
    id: repository.id,
    node_id: nodeId('R', repository.id),
    name,
    full_name: `${owner}/${name}`,
    private: repository.private,
    owner: userShape(urls, owner),
    html_url: `${urls.web}/${owner}/${name}`,
    description: null,
    fork: false,
    url: api,
    branches_url: `${api}/branches{/branch}`,
    tags_url: `${api}/tags`,
    git_refs_url: `${api}/git/refs{/sha}`,
    commits_url: `${api}/commits{/sha}`,
    releases_url: `${api}/releases{/id}`,
    clone_url: `${urls.web}/${owner}/${name}.git`,
    archived: repository.archived,
    disabled: false,
    visibility: repository.private ? 'private' : 'public',
    default_branch: repository.defaultBranch,
    ...(account === undefined ? {} : { permissions: { admin: false, maintain: false, push, triage: push, pull } }),
  };
}
