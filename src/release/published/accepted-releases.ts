import semver from 'semver';
import type { DownloadUrls, HostKind } from '../../contract/fields.ts';
import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import type { PublishedTag, Target } from '../../targets/target.ts';
import { fileUrls } from '../addresses.ts';
import type { Workspace } from '../workspace.ts';
import { namesKeys } from './counting-keys.ts';
import { allTags, type Holder, listHolders } from './holders.ts';
import { judgeCopy, type Verdict } from './judge-copy.ts';

/** A published release that a new one may build on. */
export interface PublishedRelease {
  readonly tag: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly sha256: Sha256;
  /** The hosts that have these bytes. */
  readonly kinds: readonly HostKind[];
  readonly downloadUrls: DownloadUrls;
}

/** One holder's copy of a manifest, judged. */
export interface JudgedCopy {
  readonly holder: Holder;
  readonly tag: PublishedTag;
  readonly verdict: Verdict;
}

/** A tag, what each holder has of it, and the release that it is, where it is one. */
export interface LookedAt {
  readonly copies: readonly JudgedCopy[];
  readonly release: PublishedRelease | undefined;
}

/**
 * What was published, as far as it counts. Everything that reads older manifests takes them from
 * here.
 */
export interface Published {
  readonly holders: readonly Holder[];
  /** Newest first, without the release that release.json makes itself. */
  readonly tags: readonly PublishedTag[];
  look(tag: PublishedTag): Promise<LookedAt>;
  /**
   * The newest tag of a holder whose manifest counts, as far as this holder can tell; undefined for
   * a new host.
   */
  newestOf(holder: Holder): Promise<PublishedTag | undefined>;
}

export interface PublishedOptions {
  /** Hosts that were rebuilt: that they lack a release says nothing. */
  readonly refill?: readonly HostKind[];
  /** Counts the release that release.json makes, too, where it is published. */
  readonly withOwn?: boolean;
}

/**
 * Asks all holders for their tags. With keys in release.json a manifest is accepted by `judgeCopy`
 * alone, whoever has it. Without keys it is accepted where all hosts have it that have any release,
 * or two of them, or `manifests/published/`: one host of several can't bring a manifest of its own.
 * Throws `remote` where a host doesn't answer.
 */
export async function listPublished(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
  { refill = [], withOwn = false }: PublishedOptions = {},
): Promise<Published> {
  const holders = await listHolders(config, targets, workspace);
  const own = withOwn ? undefined : config.release;
  /** Digests of manifests, by tag, that an accepted manifest names. */
  const known = new Map<string, Sha256>();
  let settled: Promise<readonly Holder[]> | undefined;

  const judge = async (holder: Holder, tag: PublishedTag): Promise<JudgedCopy | undefined> => {
    if (!holder.tags.some((listed) => listed.tag === tag.tag)) return undefined;
    const copy = await holder.read(tag.tag);
    return copy && { holder, tag, verdict: judgeCopy(config, tag, copy, known) };
  };
  const newestOf = async (holder: Holder): Promise<PublishedTag | undefined> => {
    for (const tag of holder.tags) {
      if (tag.version !== own && (await judge(holder, tag))?.verdict.counts) return tag;
    }
    return undefined;
  };
  const findSettled = async (): Promise<readonly Holder[]> => {
    const hosts = holders.filter(({ kind }) => kind !== 'local' && !refill.includes(kind));
    const newest = await Promise.all(hosts.map(newestOf));
    return hosts.filter((_, index) => newest[index] !== undefined);
  };

  return {
    holders,
    tags: allTags(holders, own),
    newestOf,
    look: async (tag) => {
      const copies = (await Promise.all(holders.map((holder) => judge(holder, tag)))).filter(
        (copy) => copy !== undefined,
      );
      const good = copies.flatMap(({ holder, verdict }) => (verdict.counts ? [{ holder, ...verdict }] : []));
      const [first] = good;
      if (first === undefined) return { copies, release: undefined };
      const other = good.find(({ sha256 }) => sha256 !== first.sha256);
      if (other !== undefined) throw differing(tag.tag, first.holder.place, other.holder.place);
      const having = good.map(({ holder }) => holder);
      if (!namesKeys(config)) {
        settled ??= findSettled();
        if (!isVouchedFor(having, await settled) && known.get(tag.tag) !== first.sha256) {
          return { copies, release: undefined };
        }
      }
      for (const [named, digest] of digestsNamedBy(first.manifest)) known.set(named, digest);
      const kinds = having.flatMap(({ kind }) => (kind === 'local' ? [] : [kind]));
      return {
        copies,
        release: {
          ...tag,
          manifest: first.manifest,
          bytes: first.bytes,
          sha256: first.sha256,
          kinds,
          downloadUrls: fileUrls(config, kinds, tag.tag, 'manifest.json'),
        },
      };
    },
  };
}

/** The tags and digests of the manifests that offered earlier versions of its models. */
export function digestsNamedBy({ models }: Manifest): readonly (readonly [tag: string, digest: Sha256])[] {
  return Object.values(models)
    .flatMap((model) => model.published_versions ?? [])
    .map(({ release, manifest }) => [release, manifest.sha256] as const);
}

/** Whether more than one host of several says that a manifest without a signature is ours. */
function isVouchedFor(having: readonly Holder[], settled: readonly Holder[]): boolean {
  if (having.some(({ kind }) => kind === 'local')) return true;
  return having.length > 1 || (settled.length > 0 && settled.every((holder) => having.includes(holder)));
}

function differing(tag: string, one: string, other: string): AircherError {
  return new AircherError('conflict', `${tag} has another manifest.json at ${other} than at ${one}`, {
    hint: `Run \`aircher-models verify ${tag}\` to see which files differ.`,
  });
}

/**
 * Every published release that is accepted, newest first, prereleases included; each is read when
 * it is asked for.
 */
export async function* acceptedReleases(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): AsyncGenerator<PublishedRelease> {
  const published = await listPublished(config, targets, workspace, { withOwn: true });
  for (const tag of published.tags) {
    const { release } = await published.look(tag);
    if (release !== undefined) yield release;
  }
}

/** Whether a tag is a release that is accepted. */
export async function isPublished(
  config: ReleaseConfig,
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<boolean> {
  const published = await listPublished(config, targets, workspace, { withOwn: true });
  const found = published.tags.find((listed) => listed.tag === tag);
  return found !== undefined && (await published.look(found)).release !== undefined;
}

/**
 * The newest published release that is no prerelease: what clients find. Throws `invalid` where
 * there is none.
 */
export async function newestRelease(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<PublishedRelease> {
  for await (const release of acceptedReleases(config, targets, workspace)) {
    if (semver.prerelease(release.version) === null) return release;
  }
  throw new AircherError('invalid', `nothing is published at ${targets.map((target) => target.place).join(', ')}`, {
    hint: 'Run `aircher-models release` to publish the first release.',
  });
}
