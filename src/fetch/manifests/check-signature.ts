import { readFile } from 'node:fs/promises';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { AircherError, hasSystemCode, integrityError, usageError } from '../../core/errors.ts';
import { parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import type { AcceptedManifest } from './accepted-manifest.ts';

/** The keys that count now, and what was learned from signed manifests. */
export interface TrustedKeys {
  /** Given by the caller or baked in, as minisign's base64 lines. Empty: manifests need no signature. */
  readonly roots: readonly string[];
  /** Keys announced by a manifest that a trusted key signed; empty where none did. They take the place of the roots. */
  readonly announced: readonly string[];
}

/** Keys given as text or as the path of a `.pub` file. Throws `usage`. */
export async function readRootKeys(keys: readonly string[]): Promise<readonly string[]> {
  return Promise.all(keys.map(readRootKey));
}

async function readRootKey(key: string): Promise<string> {
  const line = /^RW[A-Za-z0-9+/]{54}$/;
  if (line.test(key)) return key;
  let text: string;
  try {
    text = await readFile(key, 'utf8');
  } catch (error) {
    if (!hasSystemCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG')) throw error;
    throw usageError(
      `${JSON.stringify(key)} is neither a minisign public key nor a file with one`,
      'A key is the line of 56 characters that begins with RW; a file is what keygen writes as aircher.pub.',
      { cause: error },
    );
  }
  const found = text.split(/\r?\n/).find((candidate) => line.test(candidate.trim()));
  if (found !== undefined) return found.trim();
  throw usageError(`${key} holds no minisign public key`, 'A key is the line of 56 characters that begins with RW.');
}

/**
 * The trusted keys: the roots, until a manifest signed by one of them announced others, which then count alone. Other roots than
 * those that taught us (a new client with newly baked-in keys) begin anew.
 */
export function trustedKeys(roots: readonly string[], accepted: AcceptedManifest | undefined): TrustedKeys {
  return { roots, announced: accepted !== undefined && sameKeys(accepted.roots, roots) ? accepted.keys : [] };
}

/** The keys one of which must have signed the accepted manifest itself. */
export function signersOf(roots: readonly string[], accepted: AcceptedManifest): readonly string[] {
  return sameKeys(accepted.roots, roots) ? accepted.signers : roots;
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
