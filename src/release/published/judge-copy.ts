import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import type { PublishedTag } from '../../targets/target.ts';
import {
  commentNamesRelease,
  type PublicKey,
  parsePublicKey,
  parseSignature,
  signsTrustedComment,
  verifySignature,
} from '../../trust/minisign.ts';
import { countingKeys, namesKeys } from './counting-keys.ts';
import type { ManifestCopy } from './holders.ts';

/**
 * Why a manifest doesn't count. `altered`: a signature of ours for this very release lies beside
 * other bytes. `namespace`: everything is right but the namespace.
 */
export type CopyFault = 'unreadable' | 'unsigned' | 'altered' | 'other release' | 'namespace';

/** Whether a copy of a manifest counts: whether anything may be built on it. */
export type Verdict =
  | { readonly counts: true; readonly manifest: Manifest; readonly bytes: Buffer; readonly sha256: Sha256 }
  | {
      readonly counts: false;
      readonly fault: CopyFault;
      /** Goes on from "its manifest.json": `is not signed`. */
      readonly reason: string;
    };

/**
 * Judges one copy of the manifest of a tag. Where release.json names keys, a manifest counts
 *
 * - if it has a good signature by one of `countingKeys`,
 * - or if its digest is that of `signing.builds_on`,
 * - or if its digest is among `known`: those that a manifest has, which counts itself.
 *
 * Without keys, one that can be read counts, as far as one holder can tell. In both cases it must
 * be of this tag and this namespace.
 */
export function judgeCopy(
  config: ReleaseConfig,
  { tag, version }: PublishedTag,
  copy: ManifestCopy | { readonly unreadable: string },
  known: ReadonlyMap<string, string>,
): Verdict {
  const refuse = (fault: CopyFault, reason: string): Verdict => ({ counts: false, fault, reason });
  if ('unreadable' in copy) return refuse('unreadable', `can't be read (${copy.unreadable})`);
  const digest = sha256(copy.bytes);
  const named = config.signing?.builds_on;
  const isKnown = known.get(tag) === digest || (named?.tag === tag && named.sha256 === digest);
  if (namesKeys(config) && !isKnown) {
    const refusal = signatureFault(config, { tag, version }, copy);
    if (refusal !== undefined) return refuse(...refusal);
  }
  let manifest: Manifest;
  try {
    manifest = parseManifest(copy.bytes, `manifest.json of ${tag}`);
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    return refuse('unreadable', 'is no manifest');
  }
  if (manifest.release !== tag) return refuse('other release', `is that of ${manifest.release ?? 'no release'}`);
  const { namespace = config.namespace } = manifest;
  if (namespace !== config.namespace) return refuse('namespace', `is of the namespace ${JSON.stringify(namespace)}`);
  return { counts: true, manifest, bytes: copy.bytes, sha256: digest };
}

function signatureFault(
  config: ReleaseConfig,
  { tag, version }: PublishedTag,
  { bytes, signature }: ManifestCopy,
): readonly [CopyFault, string] | undefined {
  if (signature === undefined) return ['unsigned', 'is not signed'];
  const keys = countingKeys(config, version).map(parsePublicKey);
  try {
    verifySignature(bytes, signature, keys);
    return undefined;
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    if (isOursFor(tag, signature, keys)) return ['altered', 'is not the one that its signature is of'];
    return ['unsigned', `has no good signature (${error.message})`];
  }
}

/**
 * Whether a signature is by one of the keys and for this release, of whatever bytes: its trusted
 * comment says so.
 */
function isOursFor(tag: string, text: string, keys: readonly PublicKey[]): boolean {
  try {
    const signature = parseSignature(text);
    return (
      commentNamesRelease(signature.trustedComment, tag) && keys.some((key) => signsTrustedComment(key, signature))
    );
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    return false;
  }
}
