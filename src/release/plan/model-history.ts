import semver from 'semver';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import type { PublishedRelease } from '../published/accepted-releases.ts';
import type { BaseFinding } from '../published/find-base.ts';

/** The newest entry of a model, and the release that offered it. */
export interface LastOffered {
  readonly entry: ManifestModel;
  readonly release: PublishedRelease;
}

export interface ModelHistory {
  /** By model, of those that release.json names and any release offered. */
  readonly last: ReadonlyMap<string, LastOffered>;
  /** The newest release that is no prerelease: what users have. */
  readonly users: PublishedRelease | undefined;
}

/**
 * What was published of each configured model. Where the base has dropped one, older releases are
 * looked through: its versions never change, and never go back, even if it was away in between.
 */
export async function findHistory(config: ReleaseConfig, base: BaseFinding): Promise<ModelHistory> {
  const last = new Map<string, LastOffered>();
  const missing = new Set(Object.keys(config.models));
  let users: PublishedRelease | undefined;
  const look = (release: PublishedRelease): void => {
    for (const name of missing) {
      const entry = entryOf(release, name);
      if (entry === undefined) continue;
      last.set(name, { entry, release });
      missing.delete(name);
    }
    if (users === undefined && !isPrerelease(config, release)) users = release;
  };
  if (base.release === undefined) return { last, users };
  look(base.release);
  if (missing.size === 0 && users !== undefined) return { last, users };
  for await (const release of base.older) {
    look(release);
    if (missing.size === 0 && users !== undefined) break;
  }
  return { last, users };
}

function entryOf(release: PublishedRelease | undefined, model: string): ManifestModel | undefined {
  const models = release?.manifest.models ?? {};
  return Object.hasOwn(models, model) ? models[model] : undefined;
}

export function isPrerelease(config: ReleaseConfig, { tag }: Pick<PublishedRelease, 'tag'>): boolean {
  return semver.prerelease(tag.slice(config.tag_prefix.length)) !== null;
}
