import semver from 'semver';
import { isModelData } from '../../contract/artifacts.ts';
import { defaultGithubApiUrl, defaultGithubServerUrl } from '../../contract/github-installation.ts';
import { limits } from '../../contract/limits.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { publishedTags, versionOf } from '../published-tags.ts';
import { checkedBase, createPatience, type HostRules, type RemoteTuning } from '../remote.ts';
import { targetError } from '../request-failure.ts';
import type { Downloads, InspectedFile, ListedRelease, ReleaseFile, Target, TargetInspection } from '../target.ts';
import { assetDigest, type DigestCache, holds, readAsset } from './asset-content.ts';
import { findReleases } from './find-releases.ts';
import { GithubApi, type GithubSettings } from './github-api.ts';
import type { Asset, Release } from './github-shapes.ts';
import { publishDraft } from './make-public.ts';
import { preflightGithub } from './preflight-github.ts';
import { awaitPublicUrls, readPublicFile } from './public-urls.ts';
import { requireSame } from './published-release.ts';
import { checkDraft, fillDraft, findOrCreateDraft } from './upload-draft.ts';

export interface GithubTargetOptions {
  /** `owner/name`. */
  readonly repository: string;
  readonly tagPrefix: string;
  /** Whether the release becomes the repository's "latest". Prereleases never do. */
  readonly makeLatest?: boolean;
  /** Without it only public releases can be read. */
  readonly token?: string | undefined;
  /** https://api.github.com, or another installation's. */
  readonly apiUrl?: string;
  /** https://github.com: where public files are polled. */
  readonly serverUrl?: string;
  /** A private repository is an error, with this a warning; its public URLs aren't waited for. */
  readonly allowPrivate?: boolean;
  readonly tuning?: RemoteTuning;
}

/**
 * docs.github.com, "Best practices": a second between requests that change something, a minute
 * after a limit that names no time.
 */
const rules: HostRules = { writeEveryMs: 1000, unnamedWaitMs: 60_000 };

/**
 * GitHub Releases: a draft that nobody sees is filled and checked, then made public. Throws `usage`
 * for a bad URL.
 */
export function createGithubTarget(options: GithubTargetOptions): Target {
  const serverUrl = checkedBase(options.serverUrl ?? defaultGithubServerUrl, 'The GitHub server URL');
  const apiUrl = checkedBase(options.apiUrl ?? defaultGithubApiUrl, 'The GitHub API URL');
  const settings: GithubSettings = {
    repository: options.repository,
    apiUrl,
    serverUrl,
    token: options.token === '' ? undefined : options.token,
    patience: createPatience(options.tuning ?? {}, rules, apiUrl),
  };
  const place = `${new URL(serverUrl).host}/${options.repository}`;
  const cache: DigestCache = new Map();
  const allowPrivate = options.allowPrivate ?? false;

  async function run<T>(context: RunContext, work: (api: GithubApi) => Promise<T>): Promise<T> {
    try {
      context.signal?.throwIfAborted();
      return await work(new GithubApi(settings, context));
    } catch (error) {
      throw targetError(error, place, 'GITHUB_TOKEN', context);
    }
  }

  return {
    kind: 'github',
    place,

    published: (context) =>
      run(context, async (api) => {
        const releases = await api.releases();
        return publishedTags(
          releases.filter((release) => !release.draft).map((release) => release.tag_name),
          options.tagPrefix,
        );
      }),

    list: (context) =>
      run(context, async (api) => {
        if (settings.token === undefined) {
          context.onEvent?.({ type: 'notice', message: `${place}: drafts are shown to a GITHUB_TOKEN that may push` });
        }
        return listedReleases(await api.releases(), options.tagPrefix);
      }),

    pointer: (context) =>
      run(context, async (api) => {
        const listed = listedReleases(await api.releases(), options.tagPrefix);
        const newest = listed.find(({ state, version }) => state === 'public' && semver.prerelease(version) === null);
        return { name: 'newest tag', tag: newest?.tag };
      }),

    downloads: (context) => run(context, async (api) => countDownloads(await api.releases(), options.tagPrefix)),

    readDocument: (tag, name, context, { maxBytes = limits.manifestBytes, staged = false } = {}) =>
      run(context, async (api) => {
        if (settings.token === undefined) return readPublicFile(api, tag, name, maxBytes);
        const { published, draft } = await findReleases(api, tag);
        const release = published ?? (staged ? draft : undefined);
        if (release === undefined) return undefined;
        const asset = (await api.assets(release.id)).find((candidate) => candidate.name === name);
        if (asset === undefined || asset.state !== 'uploaded') return undefined;
        return readAsset(api, asset, maxBytes);
      }),

    preflight: (release, context) =>
      run(context, (api) => preflightGithub(api, release, { place, allowPrivate }, cache)),

    missing: (release, context) =>
      run(context, async (api) => {
        const { draft, published } = await findReleases(api, release.tag);
        if (published !== undefined) await requireSame(api, published, release, cache);
        if (published !== undefined) return [];
        return draft === undefined ? release.files : missingOn(api, draft, release.files, cache);
      }),

    upload: (release, context) =>
      run(context, async (api) => {
        requireToken(settings);
        const { draft, published } = await findOrCreateDraft(api, release);
        if (published !== undefined) return requireSame(api, published, release, cache);
        if (draft === undefined) throw new Error('neither a draft nor a release');
        await fillDraft(api, draft, release, cache);
        await findReleases(api, release.tag);
        return checkDraft(api, draft, release, cache);
      }),

    makePublic: (release, context) =>
      run(context, async (api) => {
        requireToken(settings);
        await publishDraft(api, release, options.makeLatest ?? false, cache);
        const isPrivate = allowPrivate && (await api.repository()).repository.private;
        if (!isPrivate) await awaitPublicUrls(api, release);
      }),

    // "Latest" moves with publication, and the tag is found by its version: GitHub has no other
    // pointer.
    movePointers: async () => {},

    inspect: (tag, context) => run(context, (api) => inspect(api, tag)),
  };
}

function listedReleases(releases: readonly Release[], tagPrefix: string): readonly ListedRelease[] {
  return releases
    .flatMap(({ tag_name: tag, draft }): ListedRelease[] => {
      const version = versionOf(tag, tagPrefix);
      return version === undefined ? [] : [{ tag, version, state: draft ? 'draft' : 'public' }];
    })
    .sort((a, b) => semver.rcompare(a.version, b.version));
}

/** [docs.github.com/rest/releases/assets, `download_count`] */
function countDownloads(releases: readonly Release[], tagPrefix: string): Downloads {
  const ours = releases.filter(({ draft, tag_name: tag }) => !draft && versionOf(tag, tagPrefix) !== undefined);
  const byTag = new Map(
    ours.map(({ tag_name: tag, assets = [] }) => {
      const counts = assets.filter(({ name }) => isModelData(name)).map((asset) => asset.download_count ?? 0);
      return [tag, counts.reduce((sum, count) => sum + count, 0)];
    }),
  );
  const total = [...byTag.values()].reduce((sum, count) => sum + count, 0);
  return { byTag, total, counted: 'how often archives, planes and patches were asked for' };
}

function requireToken(settings: GithubSettings): void {
  if (settings.token !== undefined) return;
  throw new AircherError('conflict', 'no GitHub token is set', {
    hint: 'Set GITHUB_TOKEN to a token with "Contents: write" on the repository.',
  });
}

async function missingOn(
  api: GithubApi,
  draft: Release,
  files: readonly ReleaseFile[],
  cache: DigestCache,
): Promise<readonly ReleaseFile[]> {
  const assets = new Map((await api.assets(draft.id)).map((asset) => [asset.name, asset]));
  const missing: ReleaseFile[] = [];
  for (const file of files) {
    const asset = assets.get(file.name);
    if (asset === undefined || !(await holds(api, asset, file, cache))) missing.push(file);
  }
  return missing;
}

async function inspect(api: GithubApi, tag: string): Promise<TargetInspection> {
  const { draft, published } = await findReleases(api, tag);
  const release = published ?? draft;
  if (release === undefined) return { state: 'absent', files: [], revision: await api.tagCommit(tag), remarks: [] };
  const remarks = [
    release.html_url,
    ...(release.immutable ? ['immutable'] : []),
    ...(release.prerelease ? ['prerelease'] : []),
    ...(published !== undefined && draft !== undefined ? [`there is a draft beside it: ${draft.html_url}`] : []),
  ];
  return {
    state: published === undefined ? 'draft' : 'public',
    files: (await api.assets(release.id)).map(inspectedFile),
    revision:
      (await api.tagCommit(tag)) ??
      (/^[0-9a-f]{40}$/.test(release.target_commitish) ? release.target_commitish : undefined),
    remarks,
  };
}

function inspectedFile(asset: Asset): InspectedFile {
  const hex = assetDigest(asset);
  return {
    name: asset.name,
    sizeBytes: asset.size,
    digest: hex === undefined ? undefined : { algorithm: 'sha256', hex },
    state: asset.state === 'uploaded' ? 'whole' : 'unfinished',
    downloads: asset.download_count,
  };
}
