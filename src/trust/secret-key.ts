import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { blake2b } from '@noble/hashes/blake2.js';
import { AircherError, systemErrorCode, toAircherError } from '../core/errors.ts';
import { type RunContext, warn } from '../core/events.ts';
import { decodeBase64, type PublicKey, untrustedPrefix } from './minisign.ts';

/**
 * Secret keys in minisign's format (https://jedisct1.github.io/minisign/#secret-key-format), 158
 * bytes:
 *
 *     "Ed"  kdf "Sc" or 00 00  "B2"  salt 32  opslimit 8  memlimit 8  | key id 8  seed 32  public key 32  checksum 32
 *
 * Numbers are little-endian. With kdf "Sc" what stands after the bar is XORed with scrypt's output.
 */

export interface SecretKey {
  readonly publicKey: PublicKey;
  /** 32 bytes: the whole secret. */
  readonly seed: Uint8Array;
}

const keyBytes = 158;
const headBytes = 54;
/**
 * libsodium's scryptsalsa208sha256 SENSITIVE limits, which minisign writes: N = 2^20, r = 8, p = 1,
 * 1 GiB of memory.
 */
const defaultLimits = { operations: 33_554_432n, memoryBytes: 1_073_741_824n } as const;

const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const keyRemedy = 'AIRCHER_SIGNING_KEY takes the path of a minisign secret key, or the whole text of one.';

/** The Ed25519 key of a seed, for signing. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}

/** A key from its seed and id. Both come from a random source, or from tests. */
export function secretKeyOf(seed: Uint8Array, keyId: Uint8Array): SecretKey {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return { seed, publicKey: { keyId, key: spki.subarray(-32) } };
}

/**
 * A secret key from a path, or from the key's text (the file's two lines, the second alone, or both
 * on one line, as CI secrets have them). Messages never repeat the input: it may be the secret.
 * Throws `invalid` where it is neither, `conflict` where the password is missing or wrong. A file
 * that others may read is a warning.
 */
export async function loadSecretKey(
  pathOrText: string,
  options: RunContext & { readonly password?: string | undefined } = {},
): Promise<SecretKey> {
  if (looksLikeKeyText(pathOrText)) return parseSecretKey(pathOrText, options);
  let text: string;
  try {
    text = await readFile(pathOrText, 'utf8');
  } catch (error) {
    const system = systemErrorCode(error) ?? 'unreadable';
    throw new AircherError('invalid', `the signing key is neither a key's text nor a readable file (${system})`, {
      hint: keyRemedy,
      details: { system },
    });
  }
  await warnOfReaders(pathOrText, options);
  return parseSecretKey(text, options);
}

/** Windows has no such bits: who may read a file there, this can't tell. */
async function warnOfReaders(path: string, context: RunContext): Promise<void> {
  const mode = (await stat(path)).mode & 0o777;
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  warn(context, {
    file: path,
    message: `others on this machine may read or change the signing key (mode ${mode.toString(8).padStart(4, '0')})`,
    hint: `Run: chmod 600 ${path}`,
  });
}

/** Longer than any sensible file name without a separator, or marked as minisign marks it. */
function looksLikeKeyText(input: string): boolean {
  const text = input.trim();
  return text.startsWith(untrustedPrefix.trim()) || text.includes('\n') || /^RW[A-Za-z0-9+/]{60,}={0,2}$/.test(text);
}

/** Reads a secret key's text and decrypts it where it is encrypted. Errors as `loadSecretKey`. */
export async function parseSecretKey(
  text: string,
  options: { readonly password?: string | undefined } = {},
): Promise<SecretKey> {
  const bytes = decodeBase64(text.trim().split(/\s+/).at(-1) ?? '', keyBytes);
  if (bytes === undefined) throw invalidKey('it is not the text of a minisign secret key');
  const algorithms = bytes.toString('latin1', 0, 6);
  if (algorithms !== 'EdScB2' && algorithms !== 'Ed\0\0B2') throw invalidKey('it names an unknown algorithm');
  const encrypted = algorithms === 'EdScB2';
  if (encrypted && !options.password) {
    throw new AircherError('conflict', 'the signing key is encrypted and no password was given', {
      hint: 'Set AIRCHER_SIGNING_PASSWORD.',
    });
  }
  const body = encrypted
    ? await encryptBody(bytes.subarray(headBytes), options.password ?? '', {
        salt: bytes.subarray(6, 38),
        operations: bytes.readBigUInt64LE(38),
        memoryBytes: bytes.readBigUInt64LE(46),
      })
    : bytes.subarray(headBytes);
  const checksum = body.subarray(72);
  // minisign leaves the checksum of an unencrypted key zero.
  const unchecked = !encrypted && checksum.every((byte) => byte === 0);
  if (!unchecked && !timingSafeEqual(checksumOf(body.subarray(0, 72)), checksum)) {
    if (!encrypted) throw invalidKey('its checksum is wrong');
    throw new AircherError('conflict', 'wrong password for the signing key', {
      hint: 'Set AIRCHER_SIGNING_PASSWORD to the password that the key was made with.',
    });
  }
  const key = secretKeyOf(body.subarray(8, 40), body.subarray(0, 8));
  if (!timingSafeEqual(key.publicKey.key, body.subarray(40, 72))) throw invalidKey('its two halves do not match');
  return key;
}

/**
 * The text of a secret key's file, as minisign reads it; encrypted (1 GiB of memory, seconds) where
 * a password is given.
 */
export async function formatSecretKey(
  key: SecretKey,
  options: { readonly password?: string | undefined } = {},
): Promise<string> {
  const plain = Buffer.concat([key.publicKey.keyId, key.seed, key.publicKey.key]);
  const body = Buffer.concat([plain, checksumOf(plain)]);
  const head = Buffer.alloc(headBytes);
  head.write(options.password ? 'EdScB2' : 'Ed\0\0B2', 'latin1');
  if (!options.password) return keyText('minisign unencrypted secret key', Buffer.concat([head, body]));
  const salt = randomBytes(32);
  salt.copy(head, 6);
  head.writeBigUInt64LE(defaultLimits.operations, 38);
  head.writeBigUInt64LE(defaultLimits.memoryBytes, 46);
  const encrypted = await encryptBody(body, options.password, { salt, ...defaultLimits });
  return keyText('minisign encrypted secret key', Buffer.concat([head, encrypted]));
}

function keyText(comment: string, bytes: Buffer): string {
  return `${untrustedPrefix}${comment}\n${bytes.toString('base64')}\n`;
}

/**
 * BLAKE2b-256 with its own length parameter, which is no truncated BLAKE2b-512, so that node:crypto
 * can't make it.
 */
function checksumOf(plain: Uint8Array): Uint8Array {
  return blake2b(Buffer.concat([Buffer.from('Ed'), plain]), { dkLen: 32 });
}

interface KeyDerivation {
  readonly salt: Uint8Array;
  readonly operations: bigint;
  readonly memoryBytes: bigint;
}

/** XOR with scrypt's output: encrypts and decrypts. */
async function encryptBody(body: Uint8Array, password: string, derivation: KeyDerivation): Promise<Buffer> {
  const { cost, parallelization } = scryptParameters(derivation);
  const blockSize = 8;
  // OpenSSL counts its own few blocks too.
  const maxmem = 128 * blockSize * (cost + parallelization + 2) + 1024 * 1024;
  const stream = await new Promise<Buffer>((resolve, reject) => {
    scrypt(
      Buffer.from(password),
      derivation.salt,
      body.length,
      { N: cost, r: blockSize, p: parallelization, maxmem },
      (error, derived) => (error ? reject(error) : resolve(derived)),
    );
  }).catch((error: unknown) => {
    throw new AircherError('machine', `can't derive the key from the password: ${toAircherError(error).message}`, {
      hint: `It takes ${Math.ceil(maxmem / 1024 ** 2)} MiB of memory; use a machine that has them, or an unencrypted key.`,
      cause: error,
    });
  });
  for (let at = 0; at < stream.length; at++) stream[at]! ^= body[at]!;
  return stream;
}

/**
 * libsodium's choice of scrypt's parameters for its two limits (crypto_pwhash_scryptsalsa208sha256,
 * `pickparams`). Limits beyond minisign's own are refused, so that a crafted key can't take the
 * machine's memory.
 */
function scryptParameters(derivation: KeyDerivation): { readonly cost: number; readonly parallelization: number } {
  if (derivation.operations > defaultLimits.operations || derivation.memoryBytes > defaultLimits.memoryBytes) {
    throw invalidKey("it asks for more work or memory than minisign's own keys do");
  }
  const operations = Math.max(Number(derivation.operations), 32_768);
  const memoryBytes = Number(derivation.memoryBytes);
  const byOperations = operations < memoryBytes / 32;
  const maxCost = byOperations ? operations / 32 : memoryBytes / 1024;
  let cost = 2;
  while (cost <= maxCost / 2) cost *= 2;
  const parallelization = byOperations ? 1 : Math.max(1, Math.floor(Math.floor(operations / 4 / cost) / 8));
  return { cost, parallelization };
}

function invalidKey(reason: string): AircherError {
  return new AircherError('invalid', `the signing key can't be used: ${reason}`, { hint: keyRemedy });
}
