import { limits } from '../contract/limits.ts';
import { builtins } from '../core/builtins.ts';
import { type AircherError, integrityError } from '../core/errors.ts';

/**
 * Checking of signatures in minisign's format (https://jedisct1.github.io/minisign/#signature-format). Only checking: this
 * file is part of the client. All byte strings are base64 with padding, in the one canonical form.
 */

export interface PublicKey {
  /** 8 bytes as they stand in keys and signatures; people see them by `formatKeyId`. */
  readonly keyId: Uint8Array;
  /** 32 bytes, Ed25519. */
  readonly key: Uint8Array;
}

/** A signature file, taken apart and not yet checked. Its untrusted comment is nobody's statement and is dropped. */
export interface Signature {
  /** `ED`: over the BLAKE2b-512 of the message; else `Ed`, legacy: over the message itself. */
  readonly prehashed: boolean;
  readonly keyId: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  readonly trustedComment: string;
  /** 64 bytes, over `signature` and the trusted comment. */
  readonly globalSignature: Uint8Array;
}

export const untrustedPrefix = 'untrusted comment: ';
export const trustedPrefix = 'trusted comment: ';
/** What minisign has room for, its own final zero byte included. */
const trustedCommentBytes = 8192 - trustedPrefix.length - 1;

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** A key's id as minisign prints it: 16 hex digits of the little-endian number. */
export function formatKeyId(keyId: Uint8Array): string {
  return Buffer.from(keyId).reverse().toString('hex').toUpperCase();
}

/** The 56 characters that stand in `signing.public_keys` and that `minisign -P` takes. */
export function formatPublicKey(key: PublicKey): string {
  return Buffer.concat([Buffer.from('Ed'), key.keyId, key.key]).toString('base64');
}

/** A public key from its bare line, or from the text of a `.pub` file. Throws `integrity`: a key that was altered is no key. */
export function parsePublicKey(text: string): PublicKey {
  const lines = text.trim().split(/\r?\n/);
  if (lines.length === 2 && lines[0]?.startsWith(untrustedPrefix)) lines.shift();
  const [line, ...more] = lines;
  const bytes = line === undefined || more.length > 0 ? undefined : decodeBase64(line.trim(), 42);
  if (bytes === undefined) {
    throw integrityError(
      'not a minisign public key',
      'It is 56 characters that begin with RW, or a .pub file with one comment line before them.',
    );
  }
  if (bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw integrityError('a public key of an unknown algorithm', 'minisign public keys (Ed25519) begin with RW.');
  }
  return { keyId: bytes.subarray(2, 10), key: bytes.subarray(10) };
}

/** All public keys in a text: bare lines or `.pub` files after each other, or several keys by whitespace. Throws `integrity`. */
export function parsePublicKeys(text: string): readonly PublicKey[] {
  return text
    .split(/\r?\n/)
    .filter((line) => !line.startsWith(untrustedPrefix))
    .flatMap((line) => line.split(/\s+/))
    .filter((word) => word !== '')
    .map(parsePublicKey);
}

/** `true` where a word has the form of a public key, so that it is no path. */
export function looksLikePublicKey(word: string): boolean {
  return /^RW[A-Za-z0-9+/]{54}$/.test(word);
}

/** Takes a signature file apart: exactly its four lines, each in its one form. Throws `integrity`. */
export function parseSignature(text: string): Signature {
  if (text.length > limits.signatureBytes) throw malformed(`it is longer than ${limits.signatureBytes} characters`);
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.length === 5 && lines[4] === '') lines.pop();
  const [untrusted, encoded, trusted, encodedGlobal] = lines;
  if (
    untrusted === undefined ||
    encoded === undefined ||
    trusted === undefined ||
    encodedGlobal === undefined ||
    lines.length !== 4
  ) {
    throw malformed('it does not have exactly four lines');
  }
  if (!untrusted.startsWith(untrustedPrefix)) throw malformed(`line 1 does not begin with "${untrustedPrefix}"`);
  const bytes = decodeBase64(encoded, 74);
  if (bytes === undefined) throw malformed('line 2 is not a signature');
  const algorithm = bytes.toString('latin1', 0, 2);
  if (algorithm !== 'ED' && algorithm !== 'Ed') throw malformed('line 2 names an unknown algorithm');
  if (!trusted.startsWith(trustedPrefix)) throw malformed(`line 3 does not begin with "${trustedPrefix}"`);
  const trustedComment = trusted.slice(trustedPrefix.length);
  const fault = trustedCommentFault(trustedComment);
  if (fault !== undefined) throw malformed(`line 3: the trusted comment ${fault}`);
  const globalSignature = decodeBase64(encodedGlobal, 64);
  if (globalSignature === undefined) throw malformed('line 4 is not a signature');
  return {
    prehashed: algorithm === 'ED',
    keyId: bytes.subarray(2, 10),
    signature: bytes.subarray(10),
    trustedComment,
    globalSignature,
  };
}

/**
 * What keeps a text from being a trusted comment, or undefined. U+FFFD is refused because undecodable bytes turn into it: two
 * different files would read alike.
 */
export function trustedCommentFault(comment: string): string | undefined {
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(comment)) return 'has a control character';
  if (/\ufffd|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(comment)) {
    return 'is not valid UTF-8';
  }
  if (Buffer.byteLength(comment) > trustedCommentBytes) return `is longer than ${trustedCommentBytes} bytes`;
  return undefined;
}

/** What the signature is over: the message itself, or its BLAKE2b-512. */
export function signedBytes(message: Uint8Array, prehashed: boolean): Uint8Array {
  return prehashed ? builtins.crypto.createHash('blake2b512').update(message).digest() : message;
}

/**
 * Checks a message against its signature file: the signature, and the one over the trusted comment, by the key of `keys`
 * whose id the signature names. Throws `integrity` where any of that fails.
 */
export function verifySignature(
  message: Uint8Array,
  signatureText: string,
  keys: readonly PublicKey[],
): { readonly keyId: string; readonly trustedComment: string } {
  const parsed = parseSignature(signatureText);
  const keyId = formatKeyId(parsed.keyId);
  // Ids are eight random bytes and nothing binds them to a key, so that two keys may share one.
  const candidates = keys.filter((key) => Buffer.compare(key.keyId, parsed.keyId) === 0);
  if (candidates.length === 0) {
    const trusted = keys.map((key) => formatKeyId(key.keyId)).join(', ') || 'none';
    throw integrityError(
      `signed with key ${keyId}, which is not trusted (trusted: ${trusted})`,
      'If the publisher changed keys, get the new public key from a place you trust.',
      { details: { keyId } },
    );
  }
  const signed = signedBytes(message, parsed.prehashed);
  const signer = candidates.find((candidate) => verifyEd25519(signed, candidate, parsed.signature));
  if (signer === undefined) {
    throw integrityError(
      `the signature of key ${keyId} does not match the signed file`,
      'The file or its signature was changed, or they belong to different releases. Do not use it.',
      { details: { keyId } },
    );
  }
  const withComment = Buffer.concat([parsed.signature, Buffer.from(parsed.trustedComment)]);
  if (!verifyEd25519(withComment, signer, parsed.globalSignature)) {
    throw integrityError(
      `the trusted comment does not match its signature of key ${keyId}`,
      'The signature file was changed. Do not use it.',
      { details: { keyId } },
    );
  }
  return { keyId, trustedComment: parsed.trustedComment };
}

function verifyEd25519(message: Uint8Array, key: PublicKey, signature: Uint8Array): boolean {
  const spki = Buffer.concat([spkiPrefix, key.key]);
  const { createPublicKey, verify } = builtins.crypto;
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

/** The bytes of canonical base64 of exactly `length` bytes, or undefined: Node alone skips what it can't decode. */
export function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}

function malformed(reason: string): AircherError {
  return integrityError(
    `not a minisign signature: ${reason}`,
    'Fetch the signature file again; if it stays so, tell the publisher.',
  );
}
