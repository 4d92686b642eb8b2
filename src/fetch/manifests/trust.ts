import { readFile } from 'node:fs/promises';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { AircherError, hasSystemCode, integrityError, toAircherError, usageError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import {
  formatPublicKey,
  looksLikePublicKey,
  parsePublicKey,
  parsePublicKeys,
  verifySignature,
} from '../../trust/minisign.ts';
import { otherCache } from '../cache/locate.ts';
import type { Client } from '../client.ts';
import { type AcceptedManifest, readAccepted } from './accepted-manifest.ts';
import type { GoodManifest } from './good-manifest.ts';

type Keys = readonly string[];

/** What a run goes by. Keys are minisign's base64 lines. */
export interface Trust {
  /**
   * Given by the caller or baked in when the rest was learned. Empty: manifests need no signature.
   */
  readonly roots: Keys;
  /**
   * Announced by a manifest that a trusted key signed, in the place of the roots; empty where none
   * did.
   */
  readonly announced: Keys;
  /** What was announced before that, the oldest first. */
  readonly earlier: readonly Keys[];
  /** The manifest accepted before, where it still counts. */
  readonly stored: AcceptedManifest | undefined;
}

/** A manifest that was found good, and what is remembered with it. */
export interface TrustedManifest extends GoodManifest {
  /** To trust from then on, if any were announced. */
  readonly announced: Keys;
  /** One of these signed it. */
  readonly signers: Keys;
}

/**
 * Keys given as text or as the path of a `.pub` file. Throws `usage`, and `integrity` for a damaged
 * key.
 */
export async function readRootKeys(keys: Keys): Promise<Keys> {
  return (await Promise.all(keys.map(readRootKey))).flat();
}

async function readRootKey(key: string): Promise<Keys> {
  if (looksLikePublicKey(key)) return [key];
  const text = await readFile(key, 'utf8').catch((error: unknown) => {
    if (!hasSystemCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG')) throw error;
  });
  const found = parsePublicKeys(text ?? '').map(formatPublicKey);
  if (found.length > 0) return found;
  throw usageError(
    `${JSON.stringify(key)} is neither a minisign public key nor a file with one`,
    'A key is the line of 56 characters that begins with RW; a file is what keygen writes as aircher.pub.',
  );
}

/** Trust in the keys that were given alone. */
export function newTrust(roots: Keys, stored?: AcceptedManifest): Trust {
  return { roots, announced: [], earlier: [], stored };
}

/**
 * Which keys this run trusts. A manifest that is signed by trusted keys may announce others, which
 * then take their place: the cache remembers them, and the roots that they were learned from.
 *
 * Say that the roots were A, that a manifest signed by A announced B, and a later one announced C:
 *
 * | keys given now | trusted | because |
 * |---|---|---|
 * | A | C | that is what was learned from A |
 * | B, or C | C | whoever is given a key that was once announced would have learned the same |
 * | A and B | A and B | one may have been given up since, and it may have announced the rest |
 * | D | D | nothing was learned from D |
 *
 * The manifest accepted last counts too, if one of these keys signed it (for A, B or C: the key
 * that signed it then) and it is of the client's namespace. Otherwise it is as if there were none,
 * with a warning. Throws as `readRootKeys`.
 */
export async function readTrust(client: Client, context: RunContext): Promise<Trust> {
  const keys = await readRootKeys(client.publicKeys);
  const stored = await readAccepted(client.layout);
  if (stored === undefined || namespaceFault(stored.manifest, client)) return newTrust(keys);
  if (keys.length === 0) return newTrust(keys, stored);
  const { roots, keys: announced, earlier } = stored;
  const learned = [roots, ...earlier, announced].some((known) => sameKeys(known, keys));
  try {
    // One that announces other keys was signed by an older one, which counts for these bytes.
    checkSignature(stored, learned ? stored.signers : keys);
  } catch (error) {
    const { message } = toAircherError(error);
    warn(context, { file: stored.url, message: `the manifest accepted before doesn't count: ${message}` });
    return newTrust(keys);
  }
  return learned ? { roots, announced, earlier, stored } : newTrust(keys, stored);
}

export function sameKeys(a: Keys, b: Keys): boolean {
  return [...a].sort().join() === [...b].sort().join();
}

/**
 * Checks a manifest's signature, where keys are trusted, and its namespace. Throws `integrity` (no
 * signature, a bad one, an unknown key, another namespace), `invalid` (no valid manifest).
 */
export function openManifest(
  client: Client,
  trust: Trust,
  { bytes, signature, url, local }: Pick<GoodManifest, 'bytes' | 'signature' | 'url' | 'local'>,
): TrustedManifest {
  const { roots, announced, stored } = trust;
  const digest = sha256(bytes);
  // The very bytes that were accepted before: a rotation of keys since then doesn't make them bad.
  const known = stored?.sha256 === digest ? stored : undefined;
  const signers = known?.signers ?? (announced.length > 0 ? announced : roots);
  if (known === undefined && roots.length > 0) checkSignature({ bytes, signature, url }, signers);
  const manifest = known?.manifest ?? parseManifest(bytes, url);
  const fault = namespaceFault(manifest, client, stored);
  if (fault !== undefined) {
    throw integrityError(
      `${url}: ${fault}`,
      `Models of another publisher belong in a cache of their own. ${otherCache}`,
    );
  }
  const told = roots.length > 0 ? (manifest.signing?.public_keys ?? []) : [];
  return {
    manifest,
    bytes,
    sha256: digest,
    signature,
    url,
    local,
    signers,
    announced: told.length > 0 ? told : announced,
  };
}

function checkSignature(
  { bytes, signature, url }: Pick<GoodManifest, 'bytes' | 'signature' | 'url'>,
  keys: Keys,
): void {
  if (signature === undefined) {
    throw integrityError(
      `${url}: the manifest has no signature`,
      'A public key is set, so only signed manifests count. Ask whoever publishes the models.',
    );
  }
  try {
    verifySignature(bytes, signature.toString(), keys.map(parsePublicKey));
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    const hint = error.hint ?? 'Another manifest source may have the right one.';
    throw integrityError(`${url}: ${error.message}`, hint, { cause: error });
  }
}

/**
 * A cache belongs to one namespace: that of the client, else that of the first manifest accepted
 * into it.
 */
function namespaceFault({ namespace }: Manifest, client: Client, stored?: AcceptedManifest): string | undefined {
  const expected = client.namespace ?? stored?.manifest.namespace;
  if (expected === undefined || namespace === expected) return undefined;
  // Manifests of the format's first draft name no namespace; without keys there is nothing to hold
  // them to.
  if (namespace === undefined && client.publicKeys.length === 0) return undefined;
  return `the manifest is of the namespace ${JSON.stringify(namespace)}, not of ${JSON.stringify(expected)}`;
}
