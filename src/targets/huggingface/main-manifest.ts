import { limits } from '../../contract/limits.ts';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { isAircherError } from '../../core/errors.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree } from './hub-shapes.ts';

/**
 * The manifest in a revision's tree; undefined where there is none, or one that isn't ours to read.
 */
export async function manifestAt(api: HubApi, revision: string, tree: Tree): Promise<Manifest | undefined> {
  if (!tree.has('manifest.json')) return undefined;
  const bytes = await api.file(revision, 'manifest.json', limits.manifestBytes);
  if (bytes === undefined) return undefined;
  try {
    return parseManifest(bytes, 'manifest.json');
  } catch (error) {
    if (isAircherError(error, 'invalid')) return undefined;
    throw error;
  }
}
