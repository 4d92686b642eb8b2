import { parseManifest } from '../../contract/manifest.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { sha256 } from '../../core/hashing.ts';
import type { PublishedTag } from '../../targets/target.ts';
import { parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import { displayPath, publishedCopy } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import type { Holder, ManifestCopy } from './holders.ts';
import type { Verdict } from './judge-copy.ts';

/**
 * `manifests/published/` holds what this maintainer has published, and nobody else writes there. Where a release in it doesn't
 * count any more, release.json was changed without telling how the old releases are to be known: going on would begin anew, and
 * forget every published version. Undefined where the copy is damaged: the hosts tell.
 */
export async function ownRecordProblem(
  holder: Holder,
  { tag, version }: PublishedTag,
  { fault, reason }: Extract<Verdict, { counts: false }>,
  workspace: Workspace,
): Promise<Problem | undefined> {
  const copy = await holder.read(tag);
  if (copy === undefined || 'unreadable' in copy || (fault !== 'unsigned' && fault !== 'altered')) return undefined;
  const key = signerOf(copy);
  const line =
    key === undefined
      ? `"builds_on": { "tag": "${tag}", "sha256": "${sha256(copy.bytes)}" }`
      : `"former_keys": [{ "key": "${key}", "last_release": "${version}" }]`;
  return {
    level: 'error',
    code: 'conflict',
    file: displayPath(workspace, publishedCopy(workspace, tag)),
    message: `${tag} was published, and its manifest ${reason}: by what release.json says it doesn't count`,
    hint: `Add ${line} to "signing" in release.json. Or delete the copies in ${holder.place} to begin anew.`,
  };
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
