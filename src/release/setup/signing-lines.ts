import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { Target } from '../../targets/target.ts';
import { acceptedReleases, type PublishedRelease } from '../published/accepted-releases.ts';
import { namesKeys } from '../published/counting-keys.ts';
import type { Workspace } from '../workspace.ts';

type Signing = NonNullable<ReleaseConfig['signing']>;

/** What `signing` of release.json is to say with a new key. */
export interface SigningLines {
  /** From the next release on. */
  readonly now: Signing;
  /** Where it takes the place of other keys: for the releases after the one that announces it. */
  readonly later?: Signing;
}

/**
 * The first key of a project is told which unsigned release it builds on; a further one is
 * announced beside the old keys first, and takes their place in a later release, which knows them
 * as former keys.
 */
export async function signingLines(
  publicKey: string,
  config: ReleaseConfig | undefined,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<SigningLines> {
  if (config === undefined) return { now: { public_keys: [publicKey] } };
  const { signing } = config;
  if (!namesKeys(config)) {
    const last = await lastRelease(config, targets, workspace);
    const builds = last && { builds_on: { tag: last.tag, sha256: last.sha256 } };
    return { now: { ...signing, public_keys: [publicKey], ...builds } };
  }
  const old = signing?.public_keys ?? [];
  const former = old.map((key) => ({ key, last_release: config.release }));
  return {
    now: { ...signing, public_keys: [...old, publicKey] },
    later: { ...signing, public_keys: [publicKey], former_keys: [...(signing?.former_keys ?? []), ...former] },
  };
}

/**
 * A key is made also where no host can be asked; what it builds on is then left to the maintainer.
 */
async function lastRelease(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<PublishedRelease | undefined> {
  try {
    for await (const release of acceptedReleases(config, targets, workspace)) return release;
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    warn(workspace, {
      message: `what was published before this key can't be told: ${error.message}`,
      hint: 'If there are releases already, add "builds_on": { "tag": …, "sha256": … } of the last manifest to "signing".',
    });
  }
  return undefined;
}
