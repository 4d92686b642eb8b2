import { readFile } from 'node:fs/promises';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { AircherError, hasSystemCode, integrityError, usageError } from '../../core/errors.ts';
import {
  formatPublicKey,
  looksLikePublicKey,
  parsePublicKey,
  parsePublicKeys,
  verifySignature,
} from '../../trust/minisign.ts';
import type { AcceptedManifest } from './accepted-manifest.ts';

/** The keys that count now, and what was learned from signed manifests. */
export interface TrustedKeys {
  /** Given by the caller or baked in, as minisign's base64 lines. Empty: manifests need no signature. */
  readonly roots: readonly string[];
  /** Keys announced by a manifest that a trusted key signed; empty where none did. They take the place of the roots. */
  readonly announced: readonly string[];
}

/** Keys given as text or as the path of a `.pub` file. Throws `usage`, and `integrity` for a damaged key. */
export async function readRootKeys(keys: readonly string[]): Promise<readonly string[]> {
  return (await Promise.all(keys.map(readRootKey))).flat();
}

async function readRootKey(key: string): Promise<readonly string[]> {
  if (looksLikePublicKey(key)) return [key];
  let found: readonly string[];
  try {
    found = parsePublicKeys(await readFile(key, 'utf8')).map(formatPublicKey);
  } catch (error) {
    if (!hasSystemCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG')) throw error;
    throw usageError(`${JSON.stringify(key)} is neither a minisign public key nor a file with one`, keyForms, {
      cause: error,
    });
  }
  if (found.length === 0) throw usageError(`${key} holds no minisign public key`, keyForms);
  return found;
}

const keyForms = 'A key is the line of 56 characters that begins with RW; a file is what keygen writes as aircher.pub.';

/**
 * The trusted keys: the roots, until a manifest signed by one of them announced others, which then count alone. Other roots than
 * those that taught us begin anew.
 */
export function trustedKeys(roots: readonly string[], accepted: AcceptedManifest | undefined): TrustedKeys {
  return { roots, announced: teachersOf(roots, accepted) === undefined ? [] : (accepted?.keys ?? []) };
}

/** The keys one of which must have signed the accepted manifest itself. */
export function signersOf(roots: readonly string[], accepted: AcceptedManifest): readonly string[] {
  return teachersOf(roots, accepted) === undefined ? roots : accepted.signers;
}

/**
 * The roots that what is stored was learned by, where it counts for these roots: they are the same, or exactly the keys that were
 * announced since (a newer client, with the new keys baked in, beside an older one). Roots that are merely among them don't
 * do: a key that somebody no longer trusts may have announced the rest.
 */
export function teachersOf(
  roots: readonly string[],
  accepted: AcceptedManifest | undefined,
): readonly string[] | undefined {
  const announced = roots.length > 0 && accepted !== undefined && sameKeys(accepted.keys, roots);
  const counts = announced || (accepted !== undefined && sameKeys(accepted.roots, roots));
  return counts ? accepted.roots : undefined;
}

/** The keys of which one must have signed the next manifest. */
export function signingKeys(keys: TrustedKeys): readonly string[] {
  return keys.announced.length > 0 ? keys.announced : keys.roots;
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}

/** Whether manifests must be signed. */
export function signaturesCount(keys: TrustedKeys): boolean {
  return keys.roots.length > 0;
}

/**
 * Checks a manifest's signature, where keys are trusted, and then reads it. Returns the keys to trust from then on. Throws
 * `integrity` (no signature, a bad one, an unknown key), `invalid` (no valid manifest).
 */
export function openManifest(
  bytes: Uint8Array,
  signature: Uint8Array | undefined,
  keys: TrustedKeys,
  from: string,
): { readonly manifest: Manifest; readonly keys: TrustedKeys } {
  if (!signaturesCount(keys)) return { manifest: parseManifest(bytes, from), keys };
  if (signature === undefined) {
    throw integrityError(
      `${from}: the manifest has no signature`,
      'A public key is set, so only signed manifests count. Ask whoever publishes the models.',
    );
  }
  try {
    verifySignature(
      bytes,
      Buffer.from(signature).toString('utf8'),
      signingKeys(keys).map((key) => parsePublicKey(key)),
    );
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    throw integrityError(
      `${from}: ${error.message}`,
      error.hint ?? 'Do not use it. Another manifest source may have the right one.',
      { cause: error },
    );
  }
  const manifest = parseManifest(bytes, from);
  const announced = manifest.signing?.public_keys ?? [];
  return { manifest, keys: announced.length > 0 ? { roots: keys.roots, announced } : keys };
}
