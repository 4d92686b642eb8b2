import { limits } from '../../contract/limits.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { gitBlobIdOf } from '../file-content.ts';
import { persist } from '../remote.ts';
import { malformed } from '../request-failure.ts';
import type { CarriedModel, TargetRelease } from '../target.ts';
import type { CommitOperation } from './commit-body.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree, TreeFile } from './hub-shapes.ts';
import { treeOf } from './settle-branch.ts';
import { isSameFile } from './stored-content.ts';

/**
 * What puts the files of carried-forward models where the tree has those of another version: after
 * a yank, or where the version came with a prerelease, which never was on `main`. `manifest` is the
 * tree's own: models that it has alike are in place. Stored content is named by digest, so that
 * nothing is sent again but small ordinary files.
 */
export async function restoreCarried(
  api: HubApi,
  release: TargetRelease,
  tree: Tree,
  manifest: Manifest | undefined,
): Promise<readonly CommitOperation[]> {
  const misplaced = release.carried.filter((model) => !isInPlace(model, manifest));
  if (misplaced.length === 0) return [];
  const { tags } = await api.refs();
  const operations: CommitOperation[] = [];
  const trees = new Map<string, Tree>();
  for (const { tag, files } of misplaced) {
    const commit = tags.get(tag);
    // That a tag is gone is for `verify` to tell.
    if (commit === undefined) continue;
    const published = trees.get(tag) ?? (await treeOf(api, commit));
    trees.set(tag, published);
    for (const path of files) {
      const wanted = published.get(path);
      if (wanted === undefined) {
        if (tree.has(path)) operations.push({ kind: 'delete', path });
      } else if (!isSameFile(tree.get(path), wanted)) {
        operations.push(await copyOf(api, commit, wanted));
      }
    }
  }
  return operations;
}

function isInPlace({ name, tag, sha256 }: CarriedModel, manifest: Manifest | undefined): boolean {
  const entry = manifest !== undefined && Object.hasOwn(manifest.models, name) ? manifest.models[name] : undefined;
  return entry?.release === tag && entry.sha256 === sha256;
}

/** An operation that puts a file of another revision where it stands there. */
export async function copyOf(api: HubApi, revision: string, file: TreeFile): Promise<CommitOperation> {
  const { path, lfsSha256, sizeBytes, blobId } = file;
  if (lfsSha256 !== undefined) return { kind: 'lfs', path, sha256: lfsSha256, sizeBytes };
  const content = await persist(path, api.settings.patience, api.context, async () => {
    const bytes = await api.file(revision, path, Math.min(sizeBytes, limits.indexBytes));
    if (bytes === undefined || gitBlobIdOf(bytes) !== blobId) throw malformed(path);
    return bytes;
  });
  return { kind: 'file', path, content };
}
