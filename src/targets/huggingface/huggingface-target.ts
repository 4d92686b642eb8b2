import { limits } from '../../contract/limits.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { publishedTags } from '../published-tags.ts';
import { checkedBase, createPatience, lookPastLag, type RemoteTuning } from '../remote.ts';
import { targetError } from '../request-failure.ts';
import type { InspectedFile, Target, TargetInspection, TargetRelease } from '../target.ts';
import { HubApi, type HubSettings } from './hub-api.ts';
import type { TreeFile } from './hub-shapes.ts';
import { manifestAt } from './main-manifest.ts';
import { awaitPublicTag, makeTag, requireSameTree } from './make-tag.ts';
import { deleteReleaseBranch, moveMain } from './move-main.ts';
import { preflightHub } from './preflight-hub.ts';
import { type BlobIdCache, lackingFiles } from './stored-content.ts';
import { branchOf, tagOfBranch, uploadBranch } from './upload-branch.ts';

export interface HuggingfaceTargetOptions {
  /** `owner/name` of a model repository, which must exist. */
  readonly repository: string;
  readonly tagPrefix: string;
  /** Without it only public repositories can be read. */
  readonly token?: string | undefined;
  /** https://huggingface.co, or $HF_ENDPOINT. */
  readonly endpoint?: string;
  /**
   * A private or gated repository is an error, with this a warning; its public URLs aren't waited
   * for.
   */
  readonly allowPrivate?: boolean;
  readonly tuning?: RemoteTuning;
}

/**
 * The Hugging Face Hub: a branch that nobody reads is filled and checked, a tag makes it the
 * release, and one commit makes main the tag's tree. Throws `usage` for a bad URL.
 */
export function createHuggingfaceTarget(options: HuggingfaceTargetOptions): Target {
  const endpoint = checkedBase(options.endpoint ?? 'https://huggingface.co', 'The Hub endpoint');
  const settings: HubSettings = {
    repository: options.repository,
    endpoint,
    token: options.token === '' ? undefined : options.token,
    patience: createPatience(options.tuning ?? {}, {}, endpoint),
  };
  const place = `${new URL(endpoint).host}/${options.repository}`;
  const cache: BlobIdCache = new Map();
  const allowPrivate = options.allowPrivate ?? false;

  async function run<T>(context: RunContext, work: (api: HubApi) => Promise<T>): Promise<T> {
    try {
      context.signal?.throwIfAborted();
      return await work(new HubApi(settings, context));
    } catch (error) {
      throw targetError(error, place, 'HF_TOKEN', context);
    }
  }

  let name: string | undefined;
  /**
   * Work that changes something, under the name that the repository has now: the Hub redirects an
   * old one, but what is streamed can't follow.
   */
  async function write<T>(context: RunContext, work: (api: HubApi) => Promise<T>): Promise<T> {
    return run(context, async (api) => {
      name ??= (await api.model()).id;
      return work(new HubApi({ ...settings, repository: name }, context));
    });
  }

  return {
    kind: 'huggingface',
    place,

    published: (context) =>
      run(context, async (api) => publishedTags((await api.refs()).tags.keys(), options.tagPrefix)),

    list: (context) =>
      run(context, async (api) => {
        const { tags, branches } = await api.refs();
        const unfinished = [...branches.keys()].flatMap((name) => tagOfBranch(name) ?? []);
        return publishedTags([...tags.keys(), ...unfinished], options.tagPrefix).map((listed) => ({
          ...listed,
          state: tags.has(listed.tag) ? 'public' : 'draft',
        }));
      }),

    pointer: (context) =>
      run(context, async (api) => {
        const head = (await api.refs()).branches.get('main');
        const manifest = head === undefined ? undefined : await manifestAt(api, head, await api.tree(head));
        return { name: 'main', tag: manifest?.release };
      }),

    // huggingface.co/docs/hub/models-download-stats
    downloads: (context) =>
      run(context, async (api) => ({
        total: (await api.model()).downloads,
        counted: 'requests for config.json in the last 30 days, whatever the release; aircher makes none',
      })),

    readDocument: (tag, name, context, { maxBytes = limits.manifestBytes, staged = false } = {}) =>
      run(context, async (api) => {
        const found = await api.file(tag, name, maxBytes);
        return found ?? (staged ? await api.file(branchOf(tag), name, maxBytes) : undefined);
      }),

    preflight: (release, context) => run(context, (api) => preflightHub(api, release, { place, allowPrivate }, cache)),

    missing: (release, context) =>
      run(context, async (api) => {
        const { tags, branches } = await api.refs();
        const tagged = tags.get(release.tag);
        if (tagged !== undefined) await requireSameTree(api, release, tagged, cache);
        if (tagged !== undefined) return [];
        const head = branches.get(branchOf(release.tag)) ?? branches.get('main');
        if (head === undefined) return release.files;
        return lackingFiles(api, head, await api.tree(head), release.files, cache);
      }),

    upload: (release, context) =>
      write(context, async (api) => {
        const tagged = (await api.refs()).tags.get(release.tag);
        if (tagged !== undefined) return requireSameTree(api, release, tagged, cache);
        await uploadBranch(api, release, cache);
        return undefined;
      }),

    makePublic: (release, context) =>
      write(context, async (api) => {
        await makeTag(api, release, cache);
        if (!allowPrivate || !(await isClosed(api))) await awaitPublicTag(api, options.repository, release);
      }),

    movePointers: (release, context) =>
      write(context, async (api) => {
        if (!release.prerelease) {
          await moveMain(api, release, await tagCommit(api, release), options.tagPrefix, cache);
        }
        await deleteReleaseBranch(api, release.tag);
      }),

    inspect: (tag, context) => run(context, (api) => inspect(api, tag)),
  };
}

async function isClosed(api: HubApi): Promise<boolean> {
  const { private: isPrivate, gated } = await api.model();
  return Boolean(isPrivate) || Boolean(gated);
}

async function tagCommit(api: HubApi, release: TargetRelease): Promise<string> {
  const { patience } = api.settings;
  const commit = await lookPastLag(patience, api.context, async () => (await api.refs()).tags.get(release.tag));
  if (commit !== undefined) return commit;
  throw new AircherError('conflict', `there is no tag ${release.tag} to move main to`, {
    hint: 'Run the same command again: it makes the tag.',
  });
}

async function inspect(api: HubApi, tag: string): Promise<TargetInspection> {
  const { tags, branches } = await api.refs();
  const branch = branchOf(tag);
  const tagged = tags.get(tag);
  const revision = tagged ?? branches.get(branch);
  if (revision === undefined) return { state: 'absent', files: [], revision: undefined, remarks: [] };
  const remarks = branches.has(branch) ? [`branch ${branch}`] : [];
  const files = [...(await api.tree(revision)).values()].map(inspectedFile);
  return { state: tagged === undefined ? 'draft' : 'public', files, revision, remarks };
}

function inspectedFile({ path, sizeBytes, blobId, lfsSha256 }: TreeFile): InspectedFile {
  const digest =
    lfsSha256 !== undefined
      ? ({ algorithm: 'sha256', hex: lfsSha256 } as const)
      : blobId !== undefined
        ? ({ algorithm: 'git-blob', hex: blobId } as const)
        : undefined;
  return { name: path, sizeBytes, digest, state: 'whole', downloads: undefined };
}
