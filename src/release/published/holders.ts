import { readdir } from 'node:fs/promises';
import semver from 'semver';
import type { HostKind } from '../../contract/fields.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, hasSystemCode } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { publishedTags } from '../../targets/published-tags.ts';
import type { PublishedTag, Target } from '../../targets/target.ts';
import { displayPath, publishedCopy, publishedDirectory } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import { namesKeys } from './counting-keys.ts';

/** A manifest as one holder has it. Nothing about it is checked yet. */
export interface ManifestCopy {
  readonly bytes: Buffer;
  /** The text of manifest.json.minisig beside it; read where release.json names keys. */
  readonly signature: string | undefined;
}

/** What holds published manifests: a host, or the maintainer's own `manifests/published/`. */
export interface Holder {
  readonly kind: HostKind | 'local';
  /** For messages. */
  readonly place: string;
  /** Newest first. */
  readonly tags: readonly PublishedTag[];
  /** Undefined where it has no manifest of this tag. A reason, where what it has can't be read. */
  read(tag: string): Promise<ManifestCopy | { readonly unreadable: string } | undefined>;
}

/**
 * All holders of releases, each with the tags that it lists: the hosts (none with `--offline`) and
 * the copies in `manifests/published/`. Throws `remote` where a host's list isn't answered.
 */
export async function listHolders(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<readonly Holder[]> {
  const hosts = workspace.offline ? [] : targets;
  const signed = namesKeys(config);
  return await Promise.all([
    ...hosts.map((target) => hostHolder(target, signed, workspace)),
    localHolder(config, workspace),
  ]);
}

async function hostHolder(target: Target, signed: boolean, workspace: Workspace): Promise<Holder> {
  const names = ['manifest.json', ...(signed ? ['manifest.json.minisig'] : [])];
  return {
    kind: target.kind,
    place: target.place,
    tags: await target.published(workspace).catch(neverNew),
    read: remembered(async (tag) => {
      try {
        const [bytes, signature] = await Promise.all(names.map((name) => target.readDocument(tag, name, workspace)));
        return bytes && { bytes, signature: signature?.toString() };
      } catch (error) {
        // A document that is too large, say. That the host doesn't answer is another matter.
        if (!(error instanceof AircherError) || ['remote', 'interrupted'].includes(error.code)) throw error;
        return { unreadable: error.message };
      }
    }),
  };
}

/**
 * A repository that isn't found may be one that the token doesn't see: that is no host without
 * releases.
 */
function neverNew(error: unknown): never {
  if (!(error instanceof AircherError) || error.details.status !== 404) throw error;
  const { message, hint, details } = error;
  throw new AircherError('remote', message, { hint, details, cause: error });
}

/** The maintainer's own copies, of what was published from here. */
export async function localHolder(config: ReleaseConfig, workspace: Workspace): Promise<Holder> {
  const directory = publishedDirectory(workspace);
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasSystemCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  const tags = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  return {
    kind: 'local',
    place: displayPath(workspace, directory),
    tags: publishedTags(tags, config.tag_prefix),
    read: remembered(async (tag) => {
      const path = publishedCopy(workspace, tag);
      const bytes = await readFileIfThere(path);
      return bytes && { bytes, signature: (await readFileIfThere(`${path}.minisig`))?.toString() };
    }),
  };
}

/** The tags that any of them lists, newest first, without that of `except`. */
export function allTags(holders: readonly Holder[], except?: string): readonly PublishedTag[] {
  const byTag = new Map(holders.flatMap(({ tags }) => tags).map((tag) => [tag.tag, tag]));
  return [...byTag.values()]
    .filter(({ version }) => version !== except)
    .sort((a, b) => semver.rcompare(a.version, b.version));
}

function remembered<T>(read: (tag: string) => Promise<T>): (tag: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (tag) => {
    const answer = known.get(tag) ?? read(tag);
    known.set(tag, answer);
    return answer;
  };
}
