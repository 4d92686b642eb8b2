import { otherContent } from '../other-content.ts';
import type { TargetRelease } from '../target.ts';
import { type DigestCache, holds } from './asset-content.ts';
import type { GithubApi } from './github-api.ts';
import type { Release } from './github-shapes.ts';

/**
 * Names of planned files that a public release lacks or has with other content. Further assets on
 * it are nobody's harm.
 */
export async function differingAssets(
  api: GithubApi,
  published: Release,
  release: TargetRelease,
  cache: DigestCache,
): Promise<readonly string[]> {
  const assets = new Map((await api.assets(published.id)).map((asset) => [asset.name, asset]));
  const differing: string[] = [];
  for (const file of release.files) {
    const asset = assets.get(file.name);
    if (asset === undefined || !(await holds(api, asset, file, cache))) differing.push(file.name);
  }
  return differing;
}

/** Throws `conflict` where the public release isn't the planned one. */
export async function requireSame(
  api: GithubApi,
  published: Release,
  release: TargetRelease,
  cache: DigestCache,
): Promise<void> {
  const differing = await differingAssets(api, published, release, cache);
  if (differing.length > 0) throw otherContent(release.tag, published.html_url, differing);
}
