import semver from 'semver';
import type { DownloadUrls, HostKind } from '../contract/fields.ts';
import { type Manifest, parseManifest } from '../contract/manifest.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, type Problem } from '../core/errors.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { PublishedTag, Target } from '../targets/target.ts';
import { fileUrls } from './addresses.ts';
import { type FoundRelease, localReleases, publishedReleases } from './found-releases.ts';
import type { Workspace } from './workspace.ts';

/** The published release that a new one builds on. */
export interface BaseRelease {
  readonly tag: string;
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  readonly sha256: Sha256;
  /** The targets that have it. */
  readonly kinds: readonly HostKind[];
  readonly downloadUrls: DownloadUrls;
  /** Where older manifests can be asked for. */
  readonly targets: readonly Target[];
}

export interface BaseFinding {
  readonly release: BaseRelease | undefined;
  /** Releases before it, newest first; each is read when it is asked for. */
  readonly older: AsyncIterable<BaseRelease>;
  readonly problems: readonly Problem[];
}

/** Manifests that are read at once, of releases before the base. */
const parallelManifests = 8;

/**
 * The newest published release before the configured one. The configured targets are asked; with `--offline` the copies in
 * `manifests/published/` are. A newer release than the configured one is a problem: a release never goes back. One of the same
 * version isn't: it is this release, run again.
 */
export async function findBase(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<BaseFinding> {
  const found = workspace.offline
    ? await localReleases(config, workspace)
    : await publishedReleases(targets, workspace);
  const candidates = found.filter(({ version }) => !semver.eq(version, config.release));
  for (const [index, candidate] of candidates.entries()) {
    const bytes = await candidate.read();
    const manifest = parseManifest(bytes, `manifest.json of ${candidate.tag}`);
    if (wasGivenUp(candidate, manifest, targets)) {
      workspace.onEvent?.({
        type: 'notice',
        message: `${candidate.tag} was never made public; building on an earlier one`,
      });
      continue;
    }
    const problems = baseProblems(candidate, manifest, config, workspace);
    const release = baseRelease(candidate, bytes, config, targets);
    return { release, older: readOlder(candidates.slice(index + 1), config, targets), problems };
  }
  return { release: undefined, older: readOlder([], config, targets), problems: [] };
}

async function* readOlder(
  candidates: readonly FoundRelease[],
  config: ReleaseConfig,
  targets: readonly Target[],
): AsyncGenerator<BaseRelease> {
  for (let start = 0; start < candidates.length; start += parallelManifests) {
    const some = candidates.slice(start, start + parallelManifests);
    const manifests = await Promise.all(some.map((candidate) => candidate.readAny()));
    for (const [index, candidate] of some.entries()) {
      const bytes = manifests[index];
      if (bytes === undefined) continue;
      const release = baseRelease(candidate, bytes, config, targets);
      if (!wasGivenUp(candidate, release.manifest, targets)) yield release;
    }
  }
}

/** The tag of the newest published release that is no prerelease: what clients find. Throws `invalid` where there is none. */
export async function newestRelease(targets: readonly Target[], workspace: Workspace): Promise<string> {
  for await (const { tag, version } of publishedManifests(targets, workspace)) {
    if (semver.prerelease(version) === null) return tag;
  }
  throw new AircherError('invalid', `nothing is published at ${targets.map((target) => target.place).join(', ')}`, {
    hint: 'Run `aircher-models release` to publish the first release.',
  });
}

/** Every published release with its manifest, prereleases included, newest first; each is read when it is asked for. */
export async function* publishedManifests(
  targets: readonly Target[],
  workspace: Workspace,
): AsyncGenerator<PublishedTag & { readonly manifest: Manifest }> {
  for (const candidate of await publishedReleases(targets, workspace)) {
    const { tag, version } = candidate;
    const manifest = parseManifest(await candidate.read(), `manifest.json of ${tag}`);
    if (!wasGivenUp(candidate, manifest, targets)) yield { tag, version, manifest };
  }
}

/** Uploaded elsewhere, and never made public at GitHub, where releases become public. */
function wasGivenUp(candidate: FoundRelease, manifest: Manifest, targets: readonly Target[]): boolean {
  const hasGithub = targets.some((target) => target.kind === 'github');
  return hasGithub && !candidate.kinds.includes('github') && namesGithub(manifest);
}

function namesGithub(manifest: Manifest): boolean {
  return Object.values(manifest.models).some(
    (model) => model.release === manifest.release && model.download_urls.github,
  );
}

function baseProblems(
  candidate: FoundRelease,
  manifest: Manifest,
  config: ReleaseConfig,
  workspace: Workspace,
): readonly Problem[] {
  if (semver.gt(candidate.version, config.release)) {
    return [
      {
        level: 'error',
        file: workspace.configFile,
        path: '$.release',
        message: `goes back: ${candidate.tag} is published already, release.json says ${config.release}`,
        hint: `Write ${semver.inc(candidate.version, 'patch')} or higher.`,
      },
    ];
  }
  if (manifest.namespace !== undefined && manifest.namespace !== config.namespace) {
    return [
      {
        level: 'error',
        file: workspace.configFile,
        path: '$.namespace',
        message: `is ${JSON.stringify(config.namespace)}, but ${candidate.tag} was published as ${JSON.stringify(manifest.namespace)}`,
        hint: 'A namespace never changes: clients keep their cache by it. Write the old one, or use another repository.',
      },
    ];
  }
  return [];
}

function baseRelease(
  { tag, kinds }: FoundRelease,
  bytes: Buffer,
  config: ReleaseConfig,
  targets: readonly Target[],
): BaseRelease {
  return {
    tag,
    manifest: parseManifest(bytes, `manifest.json of ${tag}`),
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    kinds,
    downloadUrls: fileUrls(config, kinds, tag, 'manifest.json'),
    targets,
  };
}
