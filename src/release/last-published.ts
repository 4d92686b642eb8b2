import { readdir } from 'node:fs/promises';
import semver from 'semver';
import type { DownloadUrls, HostKind } from '../contract/fields.ts';
import { type Manifest, parseManifest } from '../contract/manifest.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, type Problem, systemErrorCode } from '../core/errors.ts';
import { readFileIfThere } from '../core/files.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { PublishedTag, Target } from '../targets/target.ts';
import { fileUrls } from './addresses.ts';
import { publishedCopy, publishedDirectory } from './load-config.ts';
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
  readonly problems: readonly Problem[];
}

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
  for (const candidate of found) {
    if (semver.eq(candidate.version, config.release)) continue;
    const bytes = await candidate.read();
    const manifest = parseManifest(bytes, `manifest.json of ${candidate.tag}`);
    if (wasGivenUp(candidate, manifest, targets)) {
      workspace.onEvent?.({
        type: 'notice',
        message: `${candidate.tag} was never made public; building on an earlier one`,
      });
      continue;
    }
    return judgeBase(candidate, bytes, manifest, config, targets, workspace);
  }
  return { release: undefined, problems: [] };
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

function judgeBase(
  candidate: FoundRelease,
  bytes: Buffer,
  manifest: Manifest,
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): BaseFinding {
  if (semver.gt(candidate.version, config.release)) {
    const problem: Problem = {
      level: 'error',
      file: workspace.configFile,
      path: '$.release',
      message: `goes back: ${candidate.tag} is published already, release.json says ${config.release}`,
      hint: `Write ${semver.inc(candidate.version, 'patch')} or higher.`,
    };
    return { release: undefined, problems: [problem] };
  }
  if (manifest.namespace !== undefined && manifest.namespace !== config.namespace) {
    const problem: Problem = {
      level: 'error',
      file: workspace.configFile,
      path: '$.namespace',
      message: `is ${JSON.stringify(config.namespace)}, but ${candidate.tag} was published as ${JSON.stringify(manifest.namespace)}`,
      hint: 'A namespace never changes: clients keep their cache by it. Write the old one, or use another repository.',
    };
    return { release: undefined, problems: [problem] };
  }
  const release: BaseRelease = {
    tag: candidate.tag,
    manifest,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    kinds: candidate.kinds,
    downloadUrls: fileUrls(config, candidate.kinds, candidate.tag, 'manifest.json'),
    targets,
  };
  return { release, problems: [] };
}

interface FoundRelease extends PublishedTag {
  readonly kinds: readonly Target['kind'][];
  read(): Promise<Buffer>;
}

/** What all targets have, newest first; one entry a tag. */
async function publishedReleases(targets: readonly Target[], workspace: Workspace): Promise<readonly FoundRelease[]> {
  const byTag = new Map<string, { version: string; holders: Target[] }>();
  const lists = await Promise.all(targets.map((target) => target.published(workspace)));
  for (const [index, list] of lists.entries()) {
    for (const { tag, version } of list) {
      const entry = byTag.get(tag) ?? { version, holders: [] };
      entry.holders.push(targets[index]!);
      byTag.set(tag, entry);
    }
  }
  return [...byTag]
    .map(([tag, { version, holders }]) => ({
      tag,
      version,
      kinds: holders.map((target) => target.kind),
      read: async () => readAgreedManifest(tag, holders, workspace),
    }))
    .sort((a, b) => semver.rcompare(a.version, b.version));
}

/** The one manifest that all holders of a tag have. Throws `conflict` where they differ. */
async function readAgreedManifest(tag: string, holders: readonly Target[], workspace: Workspace): Promise<Buffer> {
  const answers = await Promise.all(
    holders.map(async (target) => ({ target, bytes: await target.readDocument(tag, 'manifest.json', workspace) })),
  );
  const [first, ...others] = answers.filter((answer) => answer.bytes !== undefined);
  if (first?.bytes === undefined) {
    throw new AircherError(
      'conflict',
      `${tag} is public at ${holders.map((target) => target.place).join(' and ')}, but has no manifest.json`,
      {
        hint: 'Look at `aircher-models status` for it; a release that this tool did not make must not use the tag prefix.',
      },
    );
  }
  for (const other of others) {
    if (other.bytes !== undefined && !first.bytes.equals(other.bytes)) {
      throw new AircherError(
        'conflict',
        `${tag} has another manifest.json at ${other.target.place} than at ${first.target.place}`,
        {
          hint: `Run \`aircher-models verify ${tag}\` to see which files differ.`,
        },
      );
    }
  }
  return first.bytes;
}

async function localReleases(config: ReleaseConfig, workspace: Workspace): Promise<readonly FoundRelease[]> {
  let names: string[];
  try {
    names = await readdir(publishedDirectory(workspace));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => name.endsWith('.json') && name.startsWith(config.tag_prefix))
    .map((name) => name.slice(0, -'.json'.length))
    .map((tag) => ({ tag, version: tag.slice(config.tag_prefix.length) }))
    .filter(({ version }) => semver.valid(version) === version)
    .sort((a, b) => semver.rcompare(a.version, b.version))
    .map(({ tag, version }) => ({
      tag,
      version,
      kinds: (['github', 'huggingface', 'mirror'] as const).filter((kind) => config[kind] !== undefined),
      read: async () => (await readFileIfThere(publishedCopy(workspace, tag))) ?? Buffer.alloc(0),
    }));
}
