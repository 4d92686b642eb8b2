import { join } from 'node:path';
import { AircherError } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { commentNamesRelease, parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import type { Workspace } from '../workspace.ts';
import { checksumsName } from './write-checksums.ts';
import type { WrittenManifest } from './write-manifest.ts';

/**
 * A document of a release that is signed in minisign's format; `<name>.minisig` beside it is its
 * signature.
 */
export interface SignedDocument {
  readonly name: string;
  readonly bytes: Buffer;
  /**
   * The release that the trusted comment must name, where the document itself doesn't say of which
   * release it is.
   */
  readonly tag?: string;
}

export function manifestDocument(bytes: Buffer): SignedDocument {
  return { name: 'manifest.json', bytes };
}

/**
 * The signed checksums vouch for what no manifest names: the client file. Those of another release
 * must not pass for a tag's.
 */
export function checksumsDocument(bytes: Buffer, tag: string): SignedDocument {
  return { name: checksumsName, bytes, tag };
}

/** What a release with public keys has, beside each other on every host. */
export const minisignNames = ['manifest.json.minisig', `${checksumsName}.minisig`] as const;

/** The documents in the output directory that are to be signed, as far as they are written. */
export async function readSignedDocuments(
  { manifest, bytes }: WrittenManifest,
  workspace: Workspace,
): Promise<readonly SignedDocument[]> {
  const checksums = await readFileIfThere(join(workspace.out, checksumsName));
  const signed = manifestDocument(bytes);
  return checksums === undefined ? [signed] : [signed, checksumsDocument(checksums, manifest.release ?? '')];
}

/**
 * Answers with the id of the key, of `keys` in minisign's base64 form, that signed the document.
 * Throws `integrity`.
 */
export function verifyDocument(document: SignedDocument, signature: Buffer, keys: readonly string[]): string {
  const { keyId, trustedComment } = verifySignature(document.bytes, signature.toString(), keys.map(parsePublicKey));
  if (document.tag !== undefined && !commentNamesRelease(trustedComment, document.tag)) {
    throw new AircherError('integrity', `signed for another release than ${document.tag}: ${trustedComment}`, {
      hint: 'The files of another release stand in its place. Do not use them.',
    });
  }
  return keyId;
}

export function isWellSigned(document: SignedDocument, signature: Buffer, keys: readonly string[]): boolean {
  try {
    verifyDocument(document, signature, keys);
    return true;
  } catch (error) {
    if (error instanceof AircherError && error.code === 'integrity') return false;
    throw error;
  }
}

/** What it means that a release lacks a signature. */
export function unsigned(signatureName: string): string {
  return signatureName.startsWith(checksumsName) ? 'the checksums are not signed' : 'the manifest is not signed';
}
