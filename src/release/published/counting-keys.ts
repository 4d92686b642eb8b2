import semver from 'semver';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { type PublicKey, parsePublicKey } from '../../trust/minisign.ts';

export function namesKeys(config: ReleaseConfig): boolean {
  return (config.signing?.public_keys ?? []).length > 0;
}

/** The keys whose signature counts for a release of this version: `public_keys`, and `former_keys` up to their last release. */
export function countingKeys(config: ReleaseConfig, version: string): readonly PublicKey[] {
  const { public_keys: keys = [], former_keys: former = [] } = config.signing ?? {};
  const then = former.filter(({ last_release: last }) => semver.lte(version, last)).map(({ key }) => key);
  return [...keys, ...then].map(parsePublicKey);
}
