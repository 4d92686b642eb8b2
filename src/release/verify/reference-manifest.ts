import semver from 'semver';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { versionOf } from '../../targets/published-tags.ts';
import type { Target } from '../../targets/target.ts';
import { acceptedReleases, digestsNamedBy } from '../published/accepted-releases.ts';
import { countingKeys, namesKeys } from '../published/counting-keys.ts';
import { judgeCopy, type Verdict } from '../published/judge-copy.ts';
import type { Workspace } from '../workspace.ts';
import type { SeenTarget, UnreachableTarget } from './look-at-target.ts';
import type { VerifyFindings } from './verify-findings.ts';

/** The manifest that every target should have, and how it is known. */
export interface ReferenceManifest {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  /** The keys, in minisign's base64 form, of which one must have signed. */
  readonly keys: readonly string[];
  /**
   * Whether a signature must be there: not where a later manifest has the digest of one from before
   * the first key.
   */
  readonly mustBeSigned: boolean;
}

/**
 * The manifest that the targets are compared with. Where release.json names keys, the first copy
 * that has a good signature by them (`judgeCopy`), on whatever target: a target with another one
 * is then the one to blame. Copies without a good signature are put among the findings. Where
 * release.json names no keys, the first target's copy. Throws `invalid` where no target has one.
 */
export async function findReference(
  config: ReleaseConfig,
  tag: string,
  targets: readonly Target[],
  looks: { readonly seen: readonly SeenTarget[]; readonly unreachable: readonly UnreachableTarget[] },
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<ReferenceManifest> {
  const { seen, unreachable } = looks;
  const holders = seen.flatMap((one) => (one.manifest === undefined ? [] : [{ one, bytes: one.manifest }]));
  const [first] = holders;
  if (first === undefined) throw nowhere(tag, targets, unreachable);
  const version = versionOf(tag, config.tag_prefix);
  if (!namesKeys(config) || version === undefined) {
    const manifest = parseManifest(first.bytes, `manifest.json of ${tag}`);
    const keys = config.signing?.public_keys ?? manifest.signing?.public_keys ?? [];
    return { manifest, bytes: first.bytes, keys, mustBeSigned: keys.length > 0 };
  }
  const judge = (known: ReadonlyMap<string, Sha256>) =>
    Promise.all(
      holders.map(async ({ one, bytes }) => {
        const signature = (await one.read('manifest.json.minisig'))?.toString();
        return { target: one.target, verdict: judgeCopy(config, { tag, version }, { bytes, signature }, known) };
      }),
    );
  let judged = await judge(new Map());
  let mustBeSigned = config.signing?.builds_on?.tag !== tag;
  if (!judged.some(({ verdict }) => verdict.counts)) {
    const reachable = seen.map(({ target }) => target);
    judged = await judge(await laterDigests(config, version, reachable, workspace));
    mustBeSigned &&= !judged.some(({ verdict }) => verdict.counts);
  }
  for (const { target, verdict } of judged) {
    // Missing and bad signatures are told where all signatures are looked at.
    if (!verdict.counts && verdict.fault !== 'unsigned' && verdict.fault !== 'altered') {
      findings.fault(target, 'manifest.json', verdict.reason);
    }
  }
  const good = judged.map(({ verdict }) => verdict).find((verdict): verdict is Good => verdict.counts);
  const bytes = good?.bytes ?? first.bytes;
  const manifest = good?.manifest ?? parseManifest(bytes, `manifest.json of ${tag}`);
  return { manifest, bytes, keys: countingKeys(config, version), mustBeSigned };
}

type Good = Extract<Verdict, { counts: true }>;

/** The digests of older manifests that those have which were released after `version`. */
async function laterDigests(
  config: ReleaseConfig,
  version: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<ReadonlyMap<string, Sha256>> {
  const known = new Map<string, Sha256>();
  for await (const release of acceptedReleases(config, targets, workspace)) {
    if (semver.lte(release.version, version)) break;
    for (const [tag, digest] of digestsNamedBy(release.manifest)) known.set(tag, digest);
  }
  return known;
}

function nowhere(tag: string, targets: readonly Target[], unreachable: readonly UnreachableTarget[]): AircherError {
  const [first] = unreachable;
  if (first !== undefined) return first.failure;
  const places = targets.map((target) => target.place).join(', ');
  return new AircherError('invalid', `${tag} is published at none of ${places}`, {
    hint: 'See `aircher-models status` for what is there.',
  });
}
