import { type Artifact, artifactsOf } from '../../contract/artifacts.ts';
import * as semver from '../../contract/versions.ts';
import { integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { MirrorOptions } from '../api.ts';
import type { Client } from '../client.ts';
import { requireLicense } from '../install/require-license.ts';
import { releaseVersion } from '../manifests/compare-releases.ts';
import { fetchPublished } from '../manifests/find-release.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { modelEntry } from '../manifests/resolve-model.ts';
import { hasVersion, onlyCopies, placeEntry } from '../sources/copies.ts';

/** A file of a copy, by its path in it, and where it comes from. */
export interface CopiedFile extends Artifact {
  readonly path: string;
  /** The kind of host to ask first. */
  readonly primary: string | undefined;
  readonly from: GoodManifest;
}

export interface CopyPlan {
  /** Newest first. */
  readonly manifests: readonly GoodManifest[];
  /** Versions by model, newest first. */
  readonly models: ReadonlyMap<string, readonly string[]>;
  readonly files: readonly CopiedFile[];
}

/**
 * What belongs into a copy: of the newest releases that `newest` knows of, itself first, the
 * artifacts of the models that are asked for; by default of all, or all that the source has, where
 * that is a copy. Throws `invalid` for an unknown name, `license`, and as `fetchPublished` and
 * `placeEntry`.
 */
export async function planCopy(
  client: Client,
  newest: GoodManifest,
  { names = [], releases = 1, ...context }: MirrorOptions,
): Promise<CopyPlan> {
  for (const name of names) modelEntry(newest, name);
  const copies = await onlyCopies(client, context);
  const isMeant = (name: string, version: string): boolean =>
    names.length > 0 ? names.includes(name) : (copies?.some((copy) => hasVersion(copy, { name, version })) ?? true);
  const manifests = [newest, ...(await earlierManifests(client, newest, isMeant, releases - 1, context))];
  const models = new Map<string, string[]>();
  const files = new Map<string, CopiedFile>();
  for (const from of manifests) {
    for (const [name, entry] of Object.entries(from.manifest.models)) {
      const { version, release } = entry;
      if (!isMeant(name, version)) continue;
      await requireLicense(client, { name, version, entry });
      const versions = models.get(name) ?? [];
      models.set(name, versions);
      if (!versions.includes(version)) versions.push(version);
      const placed = await placeEntry(client, { name, version, entry }, context);
      for (const artifact of artifactsOf(name, placed)) {
        const path = `${directoryOf(release)}/${artifact.name}`;
        const known = files.get(path);
        if (known !== undefined && known.sha256 !== artifact.sha256) {
          throw integrityError(`${from.url}: ${path} is another file than in ${known.from.url}`);
        }
        files.set(path, { ...artifact, path, primary: placed.primary, from });
      }
    }
  }
  if (files.size > 0) return { manifests, models, files: [...files.values()] };
  throw invalidError(`${newest.url}: there is nothing to copy.`, 'Its models were withdrawn, or its copy has none.');
}

/** The name of a release's directory, which is its tag. Throws `invalid` where that is none. */
export function directoryOf(tag: string | undefined): string {
  if (tag !== undefined && !tag.startsWith('.') && releaseVersion(tag) !== undefined) return tag;
  throw invalidError(
    `The manifest names ${tag === undefined ? 'no release' : `the release ${JSON.stringify(tag)}`}: such a one can’t be copied.`,
    'Tell its maintainer.',
  );
}

/** Of the releases that published earlier versions of what is meant, the newest ones. */
async function earlierManifests(
  client: Client,
  newest: GoodManifest,
  isMeant: (name: string, version: string) => boolean,
  most: number,
  context: RunContext,
): Promise<readonly GoodManifest[]> {
  const published = Object.entries(newest.manifest.models)
    .flatMap(([name, { published_versions: versions = [] }]) => versions.map((version) => ({ name, ...version })))
    .filter(({ name, version }) => isMeant(name, version));
  const byTag = new Map(published.map((version) => [directoryOf(version.release), version]));
  const ordered = [...byTag.values()].sort((a, b) =>
    semver.rcompare(releaseVersion(a.release) ?? '', releaseVersion(b.release) ?? ''),
  );
  const found: GoodManifest[] = [];
  for (const version of ordered.slice(0, most)) {
    const good = await fetchPublished(client, newest, version, context);
    if (good.manifest.release === version.release) found.push(good);
    else throw integrityError(`${good.url}: the manifest is of ${good.manifest.release}, not of ${version.release}`);
  }
  return found;
}
