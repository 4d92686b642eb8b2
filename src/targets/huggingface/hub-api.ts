import { createBranch, deleteBranch, listFiles } from '@huggingface/hub';
import * as z from 'zod/mini';
import { encodePath } from '../../contract/names.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { type DownloadAnswer, download } from '../download.ts';
import { readAnswer } from '../exchange.ts';
import { gitBlobIdOf } from '../file-content.ts';
import { type Patience, persist } from '../remote.ts';
import { hasStatus, malformed, RequestFailure } from '../request-failure.ts';
import { shaped } from '../shaped.ts';
import { type CommitHeader, type CommitOperation, commitBody } from './commit-body.ts';
import { HubHttp } from './hub-http.ts';
import {
  type BatchObject,
  batchShape,
  commitShape,
  type Model,
  modelShape,
  preuploadShape,
  type Refs,
  refsShape,
  type Tree,
  type TreeFile,
  treeEntryShape,
  type WhoAmI,
  whoAmIShape,
} from './hub-shapes.ts';

export interface HubSettings {
  /** `owner/name` of a model repository. */
  readonly repository: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly patience: Patience;
}

const json = 'application/json';
const lfsJson = 'application/vnd.git-lfs+json';

/**
 * The Hub's calls, one method each. Reads (and POSTs that change nothing) are repeated after
 * failures; writes are sent once, so that their callers look before they send again. Commits and
 * LFS uploads are made here and not by the Hub package: it has no commit of stored content by
 * digest, hashes every file again, and repeats nothing.
 */
export class HubApi {
  readonly settings: HubSettings;
  readonly context: RunContext;
  readonly http: HubHttp;
  private readonly base: string;

  constructor(settings: HubSettings, context: RunContext) {
    this.settings = settings;
    this.context = context;
    this.base = `/api/models/${settings.repository}`;
    const { endpoint, token, patience } = settings;
    this.http = new HubHttp({ endpoint, token, network: patience, signal: context.signal });
  }

  async model(): Promise<Model> {
    return this.read('the repository', async () =>
      shaped(modelShape, await this.http.json('GET', this.base), 'the repository'),
    );
  }

  async whoAmI(): Promise<WhoAmI> {
    return this.read('whoami', async () =>
      shaped(whoAmIShape, await this.http.json('GET', '/api/whoami-v2'), 'whoami'),
    );
  }

  /** Throws 401 or 403 where the token may not write. Changes nothing. */
  async checkWriteAccess(): Promise<void> {
    try {
      await this.read('rights', () => this.http.json('GET', `${this.base}/auth-check/write`));
    } catch (error) {
      if (!hasStatus(error, 404, 405)) throw error;
      // A Hub that doesn't know this question knows the first one of every upload, which needs the
      // same right.
      await this.uploadModes('main', [{ path: 'manifest.json', size: 1, sample: '' }]);
    }
  }

  /**
   * Throws 401 or 403 where the files are for others. A Hub that doesn't know the question answers
   * 404.
   */
  async checkReadAccess(): Promise<void> {
    await this.read('rights', () => this.http.send('GET', `${this.settings.endpoint}${this.base}/auth-check`, {}));
  }

  async refs(): Promise<Refs> {
    return this.read('the branches and tags', async () => {
      const found = shaped(refsShape, await this.http.json('GET', `${this.base}/refs`), 'the branches and tags');
      const byName = (refs: typeof found.tags): ReadonlyMap<string, string> =>
        new Map(refs.map(({ name, targetCommit }) => [name, targetCommit]));
      return { branches: byName(found.branches), tags: byName(found.tags) };
    });
  }

  /** All files of a commit. */
  async tree(revision: string): Promise<Tree> {
    return this.read('the list of files', async () => {
      const files = new Map<string, TreeFile>();
      const entries = listFiles({ ...this.target(), recursive: true, revision });
      for await (const entry of entries) {
        const { type, path, size, oid, lfs } = shaped(treeEntryShape, entry, 'the list of files');
        if (type !== 'file') continue;
        files.set(path, { path, sizeBytes: lfs?.size ?? size, blobId: oid, lfsSha256: lfs?.oid });
      }
      return files;
    });
  }

  async createBranch(branch: string, revision: string): Promise<void> {
    await this.write(() => createBranch({ ...this.target(), branch, revision }));
  }

  async deleteBranch(branch: string): Promise<void> {
    await this.write(() => deleteBranch({ ...this.target(), branch }));
  }

  async createTag(tag: string, revision: string): Promise<void> {
    const content = JSON.stringify({ tag, message: tag });
    const path = `${this.base}/tag/${encodeURIComponent(revision)}`;
    await this.write(() => this.http.send('POST', this.settings.endpoint + path, { 'content-type': json }, content));
  }

  /** How the Hub wants each file stored. `sample` is base64 of its first 512 bytes. */
  async uploadModes(
    branch: string,
    files: readonly { readonly path: string; readonly size: number; readonly sample: string }[],
  ): Promise<ReadonlyMap<string, 'lfs' | 'regular'>> {
    const path = `${this.base}/preupload/${encodeURIComponent(branch)}`;
    return this.read('how to store the files', async () => {
      const answer = await this.http.json('POST', path, { type: json, content: JSON.stringify({ files }) });
      const { files: modes } = shaped(preuploadShape, answer, 'how to store the files');
      return new Map(modes.map((mode) => [mode.path, mode.uploadMode]));
    });
  }

  /** Asks large file storage which objects it lacks, and where to send them. */
  async lfsBatch(
    branch: string,
    objects: readonly { readonly oid: string; readonly size: number }[],
  ): Promise<readonly BatchObject[]> {
    const content = JSON.stringify({
      operation: 'upload',
      transfers: ['basic', 'multipart'],
      hash_algo: 'sha256',
      ref: { name: `refs/heads/${branch}` },
      objects,
    });
    const path = `/${this.settings.repository}.git/info/lfs/objects/batch`;
    return this.read('large file storage', async () => {
      const answer = await this.http.json('POST', path, { type: lfsJson, content });
      return shaped(batchShape, answer, 'large file storage').objects;
    });
  }

  /**
   * Commits on top of `parent`, or fails where the branch's head is another one by now. Answers the
   * new head.
   */
  async commit(branch: string, header: CommitHeader, operations: readonly CommitOperation[]): Promise<string> {
    const content = commitBody(header, operations);
    const path = `${this.base}/commit/${encodeURIComponent(branch)}`;
    try {
      return await this.write(async () => {
        const answer = await this.http.json('POST', path, { type: 'application/x-ndjson', content });
        return shaped(commitShape, answer, 'the commit').commitOid;
      });
    } catch (error) {
      // Somebody else's commit came first: look again, on the new head.
      if (hasStatus(error, 409, 412)) {
        throw new RequestFailure(error.message, {
          status: error.status,
          retryable: true,
          code: 'conflict',
          cause: error,
        });
      }
      throw error;
    }
  }

  /**
   * A file's bytes at a revision, an ordinary file's checked against its git blob id; undefined
   * where there is none.
   */
  async file(revision: string, path: string, maxBytes: number): Promise<Buffer | undefined> {
    try {
      return await this.read(path, () =>
        this.open(revision, path, { maxBytes }, async (answer) => {
          const bytes = await readAnswer(answer, maxBytes);
          // An ordinary file's ETag is its git blob id.
          const blobId = /^(?:W\/)?"([0-9a-f]{40})"$/.exec(answer.headers.get('etag') ?? '')?.[1];
          if (blobId !== undefined && blobId !== gitBlobIdOf(bytes)) throw malformed(path);
          // No file of ours is a page: a proxy answered in the Hub's place.
          if (blobId === undefined && /^text\/html\b/i.test(answer.headers.get('content-type') ?? ''))
            throw malformed(path);
          return bytes;
        }),
      );
    } catch (error) {
      const isMissing = hasStatus(error, 404) && !error.reasons.includes('RepoNotFound');
      if (isMissing) return undefined;
      throw error;
    }
  }

  /** One attempt at a file's bytes at a revision, as a stream, from a byte on. */
  async open<T>(
    revision: string,
    path: string,
    options: { readonly maxBytes: number; readonly expectedBytes?: number; readonly from?: number },
    read: (answer: DownloadAnswer) => Promise<T>,
  ): Promise<T> {
    const { endpoint, token, patience, repository } = this.settings;
    const url = `${endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${encodePath(path)}`;
    return download(
      url,
      {
        ...options,
        network: patience,
        signal: this.context.signal,
        authorization: token === undefined ? undefined : `Bearer ${token}`,
      },
      read,
    );
  }

  /** What the Hub finds wrong with a model card's metadata. */
  async cardProblems(
    content: string,
  ): Promise<{ readonly errors: readonly string[]; readonly warnings: readonly string[] }> {
    const body = { type: json, content: JSON.stringify({ content, repoType: 'model' }) };
    const finding = z.array(z.object({ message: z.string() }));
    const shape = z.object({ errors: z.optional(finding), warnings: z.optional(finding) });
    return this.read('the model card', async () => {
      try {
        const found = shaped(shape, await this.http.json('POST', '/api/validate-yaml', body), 'the model card');
        const texts = (list: typeof found.errors): readonly string[] => (list ?? []).map(({ message }) => message);
        return { errors: texts(found.errors), warnings: texts(found.warnings) };
      } catch (error) {
        if (hasStatus(error, 400)) return { errors: [error.message], warnings: [] };
        if (hasStatus(error, 404, 405)) return { errors: [], warnings: [] };
        throw error;
      }
    });
  }

  private target() {
    return { repo: this.settings.repository, hubUrl: this.settings.endpoint, fetch: this.http.fetch };
  }

  private async read<T>(what: string, call: () => Promise<T>): Promise<T> {
    return persist(what, this.settings.patience, this.context, call);
  }

  private async write<T>(call: () => Promise<T>): Promise<T> {
    if (this.settings.token === undefined) {
      throw new AircherError('conflict', 'no Hugging Face token is set', {
        hint: 'Set HF_TOKEN to a token that may write to the repository.',
      });
    }
    await this.settings.patience.pace(this.context);
    return call();
  }
}
