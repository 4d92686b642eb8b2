import { sign } from 'node:crypto';
import { AircherError } from '../core/errors.ts';
import { signedBytes, trustedCommentFault, trustedPrefix, untrustedPrefix, verifySignature } from './minisign.ts';
import { privateKeyOf, type SecretKey } from './secret-key.ts';

/**
 * The trusted comment of a document's signature: facts of the release alone, so that signing again
 * makes the same bytes. It is what `minisign -V` prints, and says of which release a document is
 * that doesn't say it itself.
 */
export function trustedCommentOf(
  file: string,
  { release, generated_at }: { readonly release?: string | undefined; readonly generated_at?: string | undefined },
): string {
  const facts = Object.entries({ file, release, generated_at });
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}:${value}`])).join('\t');
}

/**
 * The text of a signature file over `message`, for `minisign -V` and `verifySignature`. The same
 * input makes the same bytes. `legacy` signs the message itself instead of its hash, as minisign
 * did before 0.10. Throws `invalid` where the comment can't stand in such a file.
 */
export function signMessage(
  message: Uint8Array,
  key: SecretKey,
  options: { readonly trustedComment: string; readonly legacy?: boolean },
): string {
  const { trustedComment, legacy = false } = options;
  const fault = trustedCommentFault(trustedComment);
  if (fault !== undefined) throw new AircherError('invalid', `the trusted comment ${fault}`);
  const privateKey = privateKeyOf(key.seed);
  const signature = sign(null, signedBytes(message, !legacy), privateKey);
  const globalSignature = sign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), privateKey);
  const head = Buffer.concat([Buffer.from(legacy ? 'Ed' : 'ED'), key.publicKey.keyId, signature]);
  const text = [
    `${untrustedPrefix}signature from aircher-models secret key`,
    head.toString('base64'),
    `${trustedPrefix}${trustedComment}`,
    globalSignature.toString('base64'),
    '',
  ].join('\n');
  // A signature nobody can check must not be published, whatever went wrong on the way.
  verifySignature(message, text, [key.publicKey]);
  return text;
}
