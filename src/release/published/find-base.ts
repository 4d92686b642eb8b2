import semver from 'semver';
import type { HostKind } from '../../contract/fields.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import type { Problem } from '../../core/errors.ts';
import type { PublishedTag, Target } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';
import { type JudgedCopy, listPublished, type Published, type PublishedRelease } from './accepted-releases.ts';
import { namesKeys } from './counting-keys.ts';
import { tellOfPassedOver } from './passed-over.ts';
import { wholenessProblems } from './wholeness.ts';

export interface BaseFinding {
  /** The published release that a new one builds on. */
  readonly release: PublishedRelease | undefined;
  /** Releases before it, newest first; each is read when it is asked for. */
  readonly older: AsyncIterable<PublishedRelease>;
  readonly problems: readonly Problem[];
}

/** Manifests that are read at once, of releases before the base. */
const parallelManifests = 8;

/**
 * The newest published release, but for the one that release.json makes: that one is this release,
 * run again. What doesn't count (`listPublished`) is told as a warning, and nothing is built on it.
 * Problems: a release that goes back, one that isn't whole on a host that has releases of ours, and
 * what the maintainer's own record says that no host confirms.
 */
export async function findBase(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
  refill: readonly HostKind[] = [],
): Promise<BaseFinding> {
  const published = await listPublished(config, targets, workspace, { refill });
  const passedOver: JudgedCopy[] = [];
  for (const [index, tag] of published.tags.entries()) {
    const { copies, release } = await published.look(tag);
    passedOver.push(...copies.filter(({ verdict }) => release === undefined || !verdict.counts));
    if (release === undefined) continue;
    const problems = [
      ...(await tellOfPassedOver(passedOver, refill, workspace)),
      ...(workspace.offline ? [] : await wholenessProblems(release, published, targets, refill, workspace)),
      ...goesBack(release, config, workspace),
    ];
    return { release, older: readOlder(published, published.tags.slice(index + 1)), problems };
  }
  const problems = [
    ...(await tellOfPassedOver(passedOver, refill, workspace)),
    ...foreignNamespace(passedOver, workspace),
    ...(await nothingShared(config, published, refill)),
  ];
  return { release: undefined, older: readOlder(published, []), problems };
}

async function* readOlder(published: Published, tags: readonly PublishedTag[]): AsyncGenerator<PublishedRelease> {
  for (let start = 0; start < tags.length; start += parallelManifests) {
    const some = tags.slice(start, start + parallelManifests);
    await Promise.all(
      published.holders.map((holder) =>
        Promise.all(some.map(({ tag }) => hasTag(holder.tags, tag) && holder.read(tag))),
      ),
    );
    for (const tag of some) {
      const { release } = await published.look(tag);
      if (release !== undefined) yield release;
    }
  }
}

function hasTag(tags: readonly PublishedTag[], tag: string): boolean {
  return tags.some((listed) => listed.tag === tag);
}

function goesBack(release: PublishedRelease, config: ReleaseConfig, workspace: Workspace): readonly Problem[] {
  if (semver.lte(release.version, config.release)) return [];
  return [
    {
      level: 'error',
      file: workspace.configFile,
      path: '$.release',
      message: `goes back: ${release.tag} is published already, release.json says ${config.release}`,
      hint: `Write ${semver.inc(release.version, 'patch')} or higher.`,
    },
  ];
}

/**
 * Where nothing else is there to build on, releases of another namespace mean that release.json was
 * changed.
 */
function foreignNamespace(copies: readonly JudgedCopy[], workspace: Workspace): readonly Problem[] {
  for (const { tag, verdict } of copies) {
    if (verdict.counts || verdict.fault !== 'namespace') continue;
    return [
      {
        level: 'error',
        code: 'invalid',
        file: workspace.configFile,
        path: '$.namespace',
        message: `is another one than before: the manifest of ${tag.tag} ${verdict.reason}`,
        hint: 'A namespace never changes: clients keep their cache by it. Write the old one, or use another repository.',
      },
    ];
  }
  return [];
}

/**
 * Hosts with releases, and none that more than one of them has: without keys nothing tells which
 * are ours.
 */
async function nothingShared(
  config: ReleaseConfig,
  published: Published,
  refill: readonly HostKind[],
): Promise<readonly Problem[]> {
  if (namesKeys(config)) return [];
  const hosts = published.holders.filter(({ kind }) => kind !== 'local' && !refill.includes(kind));
  const newest = await Promise.all(hosts.map((host) => published.newestOf(host)));
  const having = hosts.flatMap((host, index) => (newest[index] ? [{ host, tag: newest[index].tag }] : []));
  if (having.length === 0) return [];
  const kinds = having.map(({ host }) => host.kind);
  return [
    {
      level: 'error',
      code: 'conflict',
      message: `no release is on all hosts: ${having.map(({ host, tag }) => `${host.place} has ${tag}`).join(', ')}`,
      hint: `Look with \`aircher-models status\` which is yours. A host whose releases are not to count is left out by --refill (${kinds.join(' or ')}).`,
    },
  ];
}
