import { parseManifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { sha256 } from '../../core/hashing.ts';
import type { PublishedTag } from '../../targets/target.ts';
import { parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import { displayPath, publishedCopy } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import { namesKeys } from './counting-keys.ts';
import { type Holder, listHolders, type ManifestCopy } from './holders.ts';
import { judgeCopy, type Verdict } from './judge-copy.ts';

type Signing = NonNullable<ReleaseConfig['signing']>;

/**
 * `manifests/published/` holds what this maintainer has published, and nobody else writes there.
 * Where a release in it doesn't count any more, release.json was changed without telling how the
 * old releases are to be known: going on would begin anew, and forget every published version.
 * Undefined where the copy is damaged: the hosts tell.
 */
export async function ownRecordProblem(
  holder: Holder,
  { tag, version }: PublishedTag,
  { fault, reason }: Extract<Verdict, { counts: false }>,
  workspace: Workspace,
): Promise<Problem | undefined> {
  const copy = await holder.read(tag);
  if (copy === undefined || 'unreadable' in copy || (fault !== 'unsigned' && fault !== 'altered')) return undefined;
  const line = JSON.stringify(signingThatCounts(copy, { tag, version })).slice(1, -1);
  return {
    level: 'error',
    code: 'conflict',
    file: displayPath(workspace, publishedCopy(workspace, tag)),
    message: `${tag} was published, and its manifest ${reason}: by what release.json says it doesn't count`,
    hint: `Add ${line} to "signing" in release.json. Or delete the copies in ${holder.place} to begin anew.`,
  };
}

/**
 * The lines of `signing` by which release.json would know the newest release of the maintainer's
 * own record; undefined where it knows it already. Asks no host.
 */
export async function missingSigning(
  config: ReleaseConfig,
  workspace: Workspace,
): Promise<Pick<Signing, 'builds_on' | 'former_keys'> | undefined> {
  if (!namesKeys(config)) return undefined;
  const [holder] = await listHolders(config, [], workspace);
  const [newest] = holder?.tags ?? [];
  const copy = newest && (await holder?.read(newest.tag));
  if (newest === undefined || copy === undefined || 'unreadable' in copy) return undefined;
  const verdict = judgeCopy(config, newest, copy, new Map());
  if (verdict.counts || verdict.fault !== 'unsigned') return undefined;
  const { former_keys: more = [], ...lines } = signingThatCounts(copy, newest);
  const former = [...(config.signing?.former_keys ?? []), ...more];
  return { ...lines, ...(more.length > 0 && { former_keys: former }) };
}

/**
 * What `signing` must say for a copy to count: its signer as a former key, or its digest where
 * nobody has signed it.
 */
function signingThatCounts(
  copy: ManifestCopy,
  { tag, version }: PublishedTag,
): Pick<Signing, 'builds_on' | 'former_keys'> {
  const key = signerOf(copy);
  return key === undefined
    ? { builds_on: { tag, sha256: sha256(copy.bytes) } }
    : { former_keys: [{ key, last_release: version }] };
}

/** The key, of those that the manifest itself announces, that has signed it. */
function signerOf({ bytes, signature = '' }: ManifestCopy): string | undefined {
  const announced = (key: string): boolean => {
    try {
      verifySignature(bytes, signature, [parsePublicKey(key)]);
      return true;
    } catch (error) {
      if (!(error instanceof AircherError)) throw error;
      return false;
    }
  };
  return parseManifest(bytes, 'the copy').signing?.public_keys.find(announced);
}
