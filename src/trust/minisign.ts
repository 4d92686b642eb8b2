import { limits } from '../contract/limits.ts';
import { builtins } from '../core/builtins.ts';
import { type AircherError, integrityError } from '../core/errors.ts';

/**
 * Checking of signatures in minisign's format
 * (https://jedisct1.github.io/minisign/#signature-format). Only checking: this file is part of the
 * client. All byte strings are base64 with padding, in the one canonical form.
 */

export interface PublicKey {
  /** 8 bytes as they stand in keys and signatures; people see them by `formatKeyId`. */
  readonly keyId: Uint8Array;
  /** 32 bytes, Ed25519. */
  readonly key: Uint8Array;
}

/**
 * A signature file, taken apart and not yet checked. Its untrusted comment is nobody's statement
 * and is dropped.
 */
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

/**
 * A public key from its bare line, or from the text of a `.pub` file. Throws `integrity`: a key
 * that was altered is no key.
 */
export function parsePublicKey(text: string): PublicKey {
  const [word = '', ...more] = keyWords(text);
  return parseKeyWord(more.length === 0 ? word : '');
}

/**
 * All public keys in a text: bare lines or `.pub` files after each other, or several keys by
 * whitespace. Throws `integrity`.
 */
export function parsePublicKeys(text: string): readonly PublicKey[] {
  return keyWords(text).map(parseKeyWord);
}

function keyWords(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => !line.startsWith(untrustedPrefix))
    .flatMap((line) => line.split(/\s+/))
    .filter((word) => word !== '');
}

function parseKeyWord(word: string): PublicKey {
  const bytes = decodeBase64(word, 42);
  if (bytes?.toString('latin1', 0, 2) !== 'Ed') {
    throw integrityError(
      'not a minisign public key',
      'It is 56 characters that begin with RW, or a .pub file with one comment line before them.',
    );
  }
  return { keyId: bytes.subarray(2, 10), key: bytes.subarray(10) };
}

/** `true` where a word has the form of a public key, so that it is no path. */
export function looksLikePublicKey(word: string): boolean {
  return /^RW[A-Za-z0-9+/]{54}$/.test(word);
}

const signatureLines = new RegExp(
  `^${untrustedPrefix}[^\n]*\n([^\n]*?)\r?\n${trustedPrefix}([^\n]*?)\r?\n([^\n]*?)\r?\n?$`,
);

/**
 * Takes a signature file apart: exactly its four lines, each in its one form. Throws `integrity`.
 */
export function parseSignature(text: string): Signature {
  const lines = text.length > limits.signatureBytes ? null : signatureLines.exec(text);
  if (lines === null) throw malformed('it does not have the four lines of one');
  const [, encoded = '', trustedComment = '', encodedGlobal = ''] = lines;
  const bytes = decodeBase64(encoded, 74);
  const globalSignature = decodeBase64(encodedGlobal, 64);
  if (bytes === undefined || globalSignature === undefined) throw malformed('line 2 or line 4 is damaged');
  const algorithm = bytes.toString('latin1', 0, 2);
  if (algorithm !== 'ED' && algorithm !== 'Ed') throw malformed('line 2 names an unknown algorithm');
  const fault = trustedCommentFault(trustedComment);
  if (fault !== undefined) throw malformed(`the trusted comment ${fault}`);
  return {
    prehashed: algorithm === 'ED',
    keyId: bytes.subarray(2, 10),
    signature: bytes.subarray(10),
    trustedComment,
    globalSignature,
  };
}

/**
 * What keeps a text from being a trusted comment, or undefined. U+FFFD is refused because
 * undecodable bytes turn into it: two different files would read alike.
 */
export function trustedCommentFault(comment: string): string | undefined {
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(comment)) return 'has a control character';
  if (comment.includes('\ufffd') || !comment.isWellFormed()) return 'is not valid UTF-8';
  if (Buffer.byteLength(comment) > trustedCommentBytes) return `is longer than ${trustedCommentBytes} bytes`;
  return undefined;
}

/** Whether a trusted comment, as we write it, names this release. */
export function commentNamesRelease(trustedComment: string, tag: string): boolean {
  return trustedComment.split('\t').includes(`release:${tag}`);
}

/** What the signature is over: the message itself, or its BLAKE2b-512. */
export function signedBytes(message: Uint8Array, prehashed: boolean): Uint8Array {
  return prehashed ? builtins.crypto.createHash('blake2b512').update(message).digest() : message;
}

/**
 * Checks a message against its signature file: the signature, and the one over the trusted comment,
 * by the key of `keys` whose id the signature names. Throws `integrity` where any of that fails.
 */
export function verifySignature(
  message: Uint8Array,
  signatureText: string,
  keys: readonly PublicKey[],
): { readonly keyId: string; readonly trustedComment: string } {
  const parsed = parseSignature(signatureText);
  const keyId = formatKeyId(parsed.keyId);
  const refused = (fact: string, hint: string): AircherError =>
    integrityError(fact, hint, { details: { key_id: keyId } });
  // Ids are eight random bytes and nothing binds them to a key, so that two keys may share one.
  const candidates = keys.filter((key) => formatKeyId(key.keyId) === keyId);
  if (candidates.length === 0) {
    const trusted = keys.map((key) => formatKeyId(key.keyId)).join(', ') || 'none';
    throw refused(
      `signed with key ${keyId}, which is not trusted (trusted: ${trusted})`,
      'If the publisher changed keys, get the new public key from a place you trust.',
    );
  }
  const signed = signedBytes(message, parsed.prehashed);
  const signer = candidates.find((candidate) => verifyEd25519(signed, candidate, parsed.signature));
  if (signer === undefined) {
    throw refused(
      `the signature of key ${keyId} does not match the signed file`,
      'The file or its signature was changed, or they belong to different releases. Do not use it.',
    );
  }
  if (!signsTrustedComment(signer, parsed)) {
    throw refused(
      `the trusted comment does not match its signature of key ${keyId}`,
      'The signature file was changed. Do not use it.',
    );
  }
  return { keyId, trustedComment: parsed.trustedComment };
}

/**
 * Whether a key has signed the trusted comment together with the signature. Says nothing of the
 * message.
 */
export function signsTrustedComment(
  key: PublicKey,
  { signature, trustedComment, globalSignature }: Signature,
): boolean {
  return verifyEd25519(Buffer.concat([signature, Buffer.from(trustedComment)]), key, globalSignature);
}

function verifyEd25519(message: Uint8Array, key: PublicKey, signature: Uint8Array): boolean {
  const spki = Buffer.concat([spkiPrefix, key.key]);
  const { createPublicKey, verify } = builtins.crypto;
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

/**
 * The bytes of canonical base64 of exactly `length` bytes, or undefined: Node alone skips what it
 * can't decode.
 */
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
