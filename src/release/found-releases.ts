import { readdir } from 'node:fs/promises';
import semver from 'semver';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, systemErrorCode } from '../core/errors.ts';
import { readFileIfThere } from '../core/files.ts';
import type { PublishedTag, Target } from '../targets/target.ts';
import { publishedCopy, publishedDirectory } from './load-config.ts';
import type { Workspace } from './workspace.ts';

/** A release with our tag prefix, wherever it was found. */
export interface FoundRelease extends PublishedTag {
  readonly kinds: readonly Target['kind'][];
  /** Throws `conflict` where there is none, or its holders differ. */
  read(): Promise<Buffer>;
  /** Of whoever has it; undefined where nobody does. */
  readAny(): Promise<Buffer | undefined>;
}

/** What all targets have, newest first; one entry a tag. */
export async function publishedReleases(
  targets: readonly Target[],
  workspace: Workspace,
): Promise<readonly FoundRelease[]> {
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
      readAny: async () => {
        for (const target of holders) {
          const bytes = await target.readDocument(tag, 'manifest.json', workspace);
          if (bytes !== undefined) return bytes;
        }
        return undefined;
      },
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

/** The copies in `manifests/published/`, newest first. */
export async function localReleases(config: ReleaseConfig, workspace: Workspace): Promise<readonly FoundRelease[]> {
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
      readAny: () => readFileIfThere(publishedCopy(workspace, tag)),
    }));
}
