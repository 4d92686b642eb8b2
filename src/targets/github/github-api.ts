import type { Octokit } from '@octokit/rest';
import * as z from 'zod/mini';
import type { RunContext } from '../../core/events.ts';
import { readContent } from '../file-content.ts';
import { type Patience, persist } from '../remote.ts';
import { hasStatus, RequestFailure } from '../request-failure.ts';
import { shaped } from '../shaped.ts';
import type { ReleaseFile } from '../target.ts';
import {
  type Asset,
  assetShape,
  type Release,
  type Repository,
  referenceShape,
  releaseShape,
  repositoryShape,
} from './github-shapes.ts';
import { apiFetch, createOctokit, type OctokitSettings, unwrapped } from './octokit.ts';

export interface GithubSettings {
  /** `owner/name`. */
  readonly repository: string;
  readonly apiUrl: string;
  readonly serverUrl: string;
  readonly token: string | undefined;
  readonly patience: Patience;
}

/** What a draft is made with, and what makes it public. */
export interface ReleaseFields {
  readonly tag_name?: string;
  readonly target_commitish?: string;
  readonly name?: string;
  readonly body?: string;
  readonly draft?: boolean;
  readonly prerelease?: boolean;
  readonly make_latest?: 'true' | 'false';
}

export interface RepositoryAnswer {
  readonly repository: Repository;
  /** When the token expires, as GitHub writes it. */
  readonly expires: string | undefined;
}

/**
 * GitHub's REST calls, one method each. Reads are repeated after failures; writes are sent once and
 * paced, so that their callers look before they send again.
 */
export class GithubApi {
  readonly settings: GithubSettings;
  readonly context: RunContext;
  private readonly octokit: Octokit;
  private readonly octokitSettings: OctokitSettings;
  private readonly at: { readonly owner: string; readonly repo: string };

  constructor(settings: GithubSettings, context: RunContext) {
    this.settings = settings;
    this.context = context;
    const [owner = '', repo = ''] = settings.repository.split('/');
    this.at = { owner, repo };
    const { apiUrl, serverUrl, token, patience } = settings;
    this.octokitSettings = { apiUrl, serverUrl, token, network: patience, signal: context.signal };
    this.octokit = createOctokit(this.octokitSettings);
  }

  async repository(): Promise<RepositoryAnswer> {
    return this.read('the repository', async () => {
      const { data, headers } = await this.octokit.rest.repos.get(this.at);
      const expires = headers['github-authentication-token-expiration'];
      return {
        repository: shaped(repositoryShape, data, 'the repository'),
        expires: typeof expires === 'string' ? expires : undefined,
      };
    });
  }

  /** All releases; drafts are among them only for tokens that may push. */
  async releases(): Promise<readonly Release[]> {
    return this.read('the list of releases', async () => {
      const data = await this.octokit.paginate(this.octokit.rest.repos.listReleases, { ...this.at, per_page: 100 });
      return shaped(z.array(releaseShape), data, 'the list of releases');
    });
  }

  /**
   * Assets of a release that was listed or made a moment ago: that it isn't found is
   * read-after-write lag.
   */
  async assets(releaseId: number): Promise<readonly Asset[]> {
    return this.read('the list of assets', async () => {
      try {
        const data = await this.octokit.paginate(this.octokit.rest.repos.listReleaseAssets, {
          ...this.at,
          release_id: releaseId,
          per_page: 100,
        });
        return shaped(z.array(assetShape), data, 'the list of assets');
      } catch (error) {
        return lagWhere404(error);
      }
    });
  }

  /** The commit that a tag names, or undefined where there is no such tag. */
  async tagCommit(tag: string): Promise<string | undefined> {
    return this.read(`the tag ${tag}`, async () => {
      try {
        const { data } = await this.octokit.rest.git.getRef({ ...this.at, ref: `tags/${tag}` });
        const { object } = shaped(referenceShape, data, `the tag ${tag}`);
        if (object.type !== 'tag') return object.sha;
        const annotated = await this.octokit.rest.git.getTag({ ...this.at, tag_sha: object.sha });
        return shaped(referenceShape, annotated.data, `the tag ${tag}`).object.sha;
      } catch (error) {
        if (hasStatus(causeOf(error), 404, 409)) return undefined;
        throw error;
      }
    });
  }

  async hasCommit(sha: string): Promise<boolean> {
    return this.read(`the commit ${sha}`, async () => {
      try {
        await this.octokit.rest.repos.getCommit({ ...this.at, ref: sha });
        return true;
      } catch (error) {
        if (hasStatus(causeOf(error), 404, 409, 422)) return false;
        throw error;
      }
    });
  }

  /**
   * Why the token may not make releases, as GitHub says it; undefined where it may. `permissions`
   * in the repository's answer can't tell: it is the user's role, not the token's, and all false
   * for a job's token. Generating notes needs the right and saves nothing.
   */
  async releaseRefusal(tag: string): Promise<string | undefined> {
    return this.read('rights', async () => {
      try {
        await this.octokit.rest.repos.generateReleaseNotes({ ...this.at, tag_name: tag });
        return undefined;
      } catch (error) {
        const cause = causeOf(error);
        if (hasStatus(cause, 403, 404)) return cause.message;
        // A repository without commits, say, has no notes: the right is there.
        if (hasStatus(cause, 400, 409, 422)) return undefined;
        throw error;
      }
    });
  }

  async createRelease(fields: ReleaseFields & { readonly tag_name: string }): Promise<Release> {
    return this.write(async () => {
      const { data } = await this.octokit.rest.repos.createRelease({ ...this.at, ...fields });
      return shaped(releaseShape, data, 'the new draft');
    });
  }

  /**
   * Changes a release that was listed or made a moment ago: that it isn't found is read-after-write
   * lag.
   */
  async updateRelease(id: number, fields: ReleaseFields): Promise<Release> {
    return this.write(async () => {
      const request = { ...this.at, release_id: id, ...fields };
      const { data } = await this.octokit.rest.repos.updateRelease(request).catch(lagWhere404);
      return shaped(releaseShape, data, 'the changed release');
    });
  }

  /** Gone already counts as deleted. */
  async deleteAsset(id: number): Promise<void> {
    await this.write(async () => {
      try {
        await this.octokit.rest.repos.deleteReleaseAsset({ ...this.at, asset_id: id });
      } catch (error) {
        if (!hasStatus(causeOf(error), 404)) throw error;
      }
    });
  }

  /** Streams a file from disk to the release, with its exact length. */
  async uploadAsset(release: Release, file: ReleaseFile, onSent: (bytes: number) => void): Promise<Asset> {
    const body = { sizeBytes: file.sizeBytes, open: () => readContent(file), onSent };
    return this.write(async () => {
      const { data } = await this.octokit.rest.repos.uploadReleaseAsset({
        ...this.at,
        release_id: release.id,
        // The constructor's baseUrl doesn't hold for uploads: without this, token and bytes go to
        // github.com.
        url: release.upload_url,
        name: file.name,
        data: '',
        headers: { 'content-type': 'application/octet-stream', 'content-length': file.sizeBytes },
        request: { fetch: apiFetch(this.octokitSettings, body) },
      });
      return shaped(assetShape, data, `the asset ${file.name}`);
    });
  }

  /** API address of an asset's bytes, for those who ask as octet-stream. */
  assetUrl(id: number): string {
    return `${this.settings.apiUrl}/repos/${this.settings.repository}/releases/assets/${id}`;
  }

  private async read<T>(what: string, call: () => Promise<T>): Promise<T> {
    return persist(what, this.settings.patience, this.context, () => unwrapped(call));
  }

  private async write<T>(call: () => Promise<T>): Promise<T> {
    await this.settings.patience.pace(this.context);
    return unwrapped(call);
  }
}

/**
 * Throws a failure that is worth another attempt where something that must exist wasn't found; else
 * the error as it is.
 */
function lagWhere404(error: unknown): never {
  const cause = causeOf(error);
  if (!hasStatus(cause, 404)) throw error;
  throw new RequestFailure(cause.message, { status: 404, retryable: true, code: 'conflict', cause });
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
