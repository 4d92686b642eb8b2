import semver from 'semver';
import type { ReleaseConfig } from '../../contract/release-config.ts';

export function namesKeys(config: ReleaseConfig): boolean {
  return (config.signing?.public_keys ?? []).length > 0;
}

/**
 * In minisign's base64 form: the keys whose signature counts for a release of this version:
 * `public_keys`, and `former_keys` up to their last release.
 */
export function countingKeys(config: ReleaseConfig, version: string): readonly string[] {
  const { public_keys: keys = [], former_keys: former = [] } = config.signing ?? {};
  const then = former.filter(({ last_release: last }) => semver.lte(version, last)).map(({ key }) => key);
  return [...keys, ...then];
}
