import semver from 'semver';
import type { Manifest } from '../../contract/manifest.ts';
import { versionOf } from '../published-tags.ts';
import { persist } from '../remote.ts';
import { hasStatus } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { CommitOperation } from './commit-body.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree } from './hub-shapes.ts';
import { manifestAt } from './main-manifest.ts';
import { copyOf } from './restore-carried.ts';
import { settleBranch } from './settle-branch.ts';
import { type BlobIdCache, isSameFile, isStored } from './stored-content.ts';
import { branchOf, obsoletePaths } from './upload-branch.ts';

/**
 * One commit that makes `main` the tag's tree: stored content by digest, so that nothing is sent
 * again but small ordinary files; paths of ours that are gone are deleted; other people's files
 * stay. `main` never goes back: it is left alone where it has a newer release.
 */
export async function moveMain(
  api: HubApi,
  release: TargetRelease,
  tagCommit: string,
  prefix: string,
  cache: BlobIdCache,
): Promise<void> {
  const tagTree = await api.tree(tagCommit);
  await settleBranch(api, {
    branch: 'main',
    summary: `Release ${release.tag}`,
    plan: async (tree, head) => {
      const manifest = await manifestAt(api, head, tree);
      const newer = await newerRelease(manifest, release, prefix);
      if (newer !== undefined) {
        api.context.onEvent?.({ type: 'notice', message: `The Hub's main stays at the newer release ${newer}.` });
        return [];
      }
      const main = { tree, manifest };
      const operations = await difference(api, release, main, { tree: tagTree, commit: tagCommit }, cache);
      return operations.length === 0 ? [] : [operations];
    },
  });
}

/**
 * What somebody else has put there may say anything: only a release of ours keeps main where it is.
 */
async function newerRelease(
  manifest: Manifest | undefined,
  release: TargetRelease,
  prefix: string,
): Promise<string | undefined> {
  const tag = manifest?.release;
  const version = tag === undefined ? undefined : versionOf(tag, prefix);
  if (tag === undefined || version === undefined || semver.lte(version, release.version)) return undefined;
  return (await release.isOurs(tag)) ? tag : undefined;
}

async function difference(
  api: HubApi,
  release: TargetRelease,
  main: { readonly tree: Tree; readonly manifest: Manifest | undefined },
  tag: { readonly tree: Tree; readonly commit: string },
  cache: BlobIdCache,
): Promise<readonly CommitOperation[]> {
  const operations: CommitOperation[] = [];
  for (const path of obsoletePaths(api, release, main.tree, main.manifest)) operations.push({ kind: 'delete', path });
  const ours = new Map(release.files.map((file) => [file.name, file]));
  for (const path of [...new Set([...release.layout, ...ours.keys()])].sort()) {
    const file = tag.tree.get(path);
    if (file === undefined || isSameFile(main.tree.get(path), file)) continue;
    const local = ours.get(path);
    if (file.lfsSha256 === undefined && local !== undefined && (await isStored(local, file, cache))) {
      operations.push({ kind: 'file', path, content: local });
    } else {
      operations.push(await copyOf(api, tag.commit, file));
    }
  }
  return operations;
}

/** Deletes the release's branch, once nothing needs it. Gone already is good. */
export async function deleteReleaseBranch(api: HubApi, tag: string): Promise<void> {
  const branch = branchOf(tag);
  await persist(`deleting the branch ${branch}`, api.settings.patience, api.context, async () => {
    if (!(await api.refs()).branches.has(branch)) return;
    try {
      await api.deleteBranch(branch);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  });
}
