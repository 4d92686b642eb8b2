import type { Manifest } from '../../contract/manifest.ts';
import * as semver from '../../contract/versions.ts';
import { tagPrefixOf } from '../sources/fetch-release.ts';

/**
 * Which manifest is newer: by the semver of `release`, then by `generated_at`. Negative where `a`
 * is older. Manifests without a release (the format's first draft) are older than those with one.
 */
export function compareReleases(a: Manifest, b: Manifest): number {
  const [first, second] = [releaseVersion(a.release), releaseVersion(b.release)];
  const byRelease =
    first !== undefined && second !== undefined
      ? semver.compare(first, second)
      : Number(first !== undefined) - Number(second !== undefined);
  return byRelease || compareText(a.generated_at, b.generated_at);
}

/** `1.2.0` of the tag `models-v1.2.0`; undefined where there is none. */
export function releaseVersion(tag: string | undefined): string | undefined {
  const prefix = tagPrefixOf(tag);
  return prefix === undefined ? undefined : tag?.slice(prefix.length);
}

function compareText(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a manifest is called in messages. */
export function releaseName(manifest: Manifest): string {
  return manifest.release ?? `the manifest of ${manifest.generated_at ?? 'unknown date'}`;
}
