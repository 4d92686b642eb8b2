import type { Manifest } from '../../contract/manifest.ts';
import { warn } from '../../core/events.ts';
import { readContentWhole } from '../file-content.ts';
import { lookPastLag, persist } from '../remote.ts';
import { hasStatus, malformed, RequestFailure } from '../request-failure.ts';
import type { ReleaseFile, TargetRelease } from '../target.ts';
import { uploadProgress } from '../upload-progress.ts';
import { layoutOf } from './branch-layout.ts';
import { type CommitOperation, operationBytes } from './commit-body.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree } from './hub-shapes.ts';
import { uploadObjects } from './lfs-upload.ts';
import { manifestAt } from './main-manifest.ts';
import { restoreCarried } from './restore-carried.ts';
import { headOf, settleBranch, treeOf } from './settle-branch.ts';
import { type BlobIdCache, isAsGood, lackingFiles } from './stored-content.ts';

/** The Hub advises less than 100 files a commit (docs/hub/repositories-recommendations). */
const filesPerCommit = 99;
/**
 * Ordinary content in one commit: it is sent as base64, and must arrive within the Hub's minute.
 */
const bytesPerCommit = 24 * 1024 * 1024;
/** Files in one question for their storage. */
const filesPerQuestion = 100;
/** Bytes of a file that the Hub looks at to tell text from binary. */
const sampleBytes = 512;

/** Where a release is put together: no client looks there. */
export function branchOf(tag: string): string {
  return `publish-${tag}`;
}

/** The tag that a branch is being filled for, or undefined where it isn't such a branch. */
export function tagOfBranch(branch: string): string | undefined {
  return branch.startsWith(branchOf('')) ? branch.slice(branchOf('').length) : undefined;
}

/**
 * Brings the release's branch into the release's state, everything checked by the Hub's digests,
 * and answers its head.
 */
export async function uploadBranch(api: HubApi, release: TargetRelease, cache: BlobIdCache): Promise<string> {
  const branch = branchOf(release.tag);
  const head = await findOrCreateBranch(api, branch);
  const tree = await treeOf(api, head);
  const lacking = await lackingFiles(api, head, tree, release.files, cache);
  const lackingNames = new Set(lacking.map((file) => file.name));
  for (const file of release.files) {
    if (!lackingNames.has(file.name)) uploadProgress(file, 'huggingface', api.context).done('already there');
  }
  const modes = await storageModes(api, branch, lacking);
  await uploadObjects(
    api,
    branch,
    lacking.filter((file) => modes.get(file.name) === 'lfs'),
  );
  const settled = await settleBranch(api, {
    branch,
    head,
    summary: `Release ${release.tag}`,
    plan: (now, at) => planCommits(api, release, now, at, modes, cache),
  });
  for (const file of lacking) {
    if (modes.get(file.name) === 'regular') uploadProgress(file, 'huggingface', api.context).done();
  }
  return settled;
}

/** The head of the branch, which is made from main's where it is missing. */
async function findOrCreateBranch(api: HubApi, branch: string): Promise<string> {
  return persist(`the branch ${branch}`, api.settings.patience, api.context, async () => {
    const { branches } = await api.refs();
    const existing = branches.get(branch);
    if (existing !== undefined) return existing;
    const main = branches.get('main') ?? (await headOf(api, 'main'));
    try {
      await api.createBranch(branch, main);
      return main;
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      // It is there, but the list lags behind.
      const found = await lookPastLag(api.settings.patience, api.context, async () =>
        (await api.refs()).branches.get(branch),
      );
      if (found === undefined) throw error;
      return found;
    }
  });
}

async function storageModes(
  api: HubApi,
  branch: string,
  files: readonly ReleaseFile[],
): Promise<ReadonlyMap<string, 'lfs' | 'regular'>> {
  const modes = new Map<string, 'lfs' | 'regular'>();
  for (let start = 0; start < files.length; start += filesPerQuestion) {
    const questions: { path: string; size: number; sample: string }[] = [];
    for (const file of files.slice(start, start + filesPerQuestion)) {
      const sample = await readContentWhole(file, { start: 0, end: Math.min(sampleBytes, file.sizeBytes) });
      questions.push({ path: file.name, size: file.sizeBytes, sample: sample.toString('base64') });
    }
    const answers = await api.uploadModes(branch, questions);
    for (const { path, size } of questions) {
      const mode = answers.get(path);
      if (mode === undefined) throw malformed('how to store the files');
      // Storage takes no empty objects.
      modes.set(path, size === 0 ? 'regular' : mode);
    }
  }
  return modes;
}

/**
 * What the branch still needs, in commits: first what goes, then files by name, and the manifest in
 * the last.
 */
async function planCommits(
  api: HubApi,
  release: TargetRelease,
  tree: Tree,
  head: string,
  modes: ReadonlyMap<string, 'lfs' | 'regular'>,
  cache: BlobIdCache,
): Promise<readonly (readonly CommitOperation[])[]> {
  const manifest = await manifestAt(api, head, tree);
  const operations: CommitOperation[] = [
    ...obsoletePaths(api, release, tree, manifest).map((path) => ({ kind: 'delete', path }) as const),
    ...(await restoreCarried(api, release, tree, manifest)),
  ];
  const last: CommitOperation[] = [];
  for (const file of release.files) {
    if (await isAsGood(api, head, file, tree.get(file.name), cache)) continue;
    const list = file.name.startsWith('manifest.json') ? last : operations;
    list.push(addition(file, modes.get(file.name), branchOf(release.tag)));
  }
  return inCommits([...operations, ...last]);
}

function addition(file: ReleaseFile, mode: 'lfs' | 'regular' | undefined, branch: string): CommitOperation {
  if (mode === undefined) {
    throw new RequestFailure(`somebody else changed ${file.name} on the branch ${branch}`, {
      retryable: false,
      code: 'conflict',
    });
  }
  return mode === 'lfs'
    ? { kind: 'lfs', path: file.name, sha256: file.sha256, sizeBytes: file.sizeBytes }
    : { kind: 'file', path: file.name, content: file };
}

/**
 * Paths of the release before, as the tree's own manifest tells them, that the tree has and this
 * release doesn't.
 */
export function obsoletePaths(
  api: HubApi,
  release: TargetRelease,
  tree: Tree,
  manifest: Manifest | undefined,
): readonly string[] {
  if (manifest === undefined) {
    if (tree.has('manifest.json')) {
      warn(api.context, {
        file: 'manifest.json',
        message: "on the Hub is no manifest of ours; files of its layout aren't deleted",
      });
    }
    return [];
  }
  const kept = new Set([...release.layout, ...release.files.map((file) => file.name)]);
  return [...layoutOf(manifest)].filter((path) => tree.has(path) && !kept.has(path)).sort();
}

function inCommits(operations: readonly CommitOperation[]): readonly (readonly CommitOperation[])[] {
  const commits: CommitOperation[][] = [];
  let bytes = 0;
  for (const operation of operations) {
    const size = operationBytes(operation);
    const current = commits.at(-1);
    if (current === undefined || current.length >= filesPerCommit || bytes + size > bytesPerCommit) {
      commits.push([operation]);
      bytes = size;
    } else {
      current.push(operation);
      bytes += size;
    }
  }
  return commits;
}
