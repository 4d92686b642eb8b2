import type { Hash } from 'node:crypto';
import { builtins } from './builtins.ts';
import { readPieces } from './read-files.ts';

/** A sha256 as 64 lower-case hex digits. */
export type Sha256 = string;

export const sha256Pattern = /^[0-9a-f]{64}$/;

/** A sha256 under way. */
export function startHash(): Hash {
  return builtins.crypto.createHash('sha256');
}

export function sha256(bytes: Uint8Array | string): Sha256 {
  return startHash().update(bytes).digest('hex');
}

/** Size in bytes and sha256 of an ordinary file, in one streaming pass of bounded memory. */
export async function hashFile(
  path: string,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (count: number) => void } = {},
): Promise<{ readonly sizeBytes: number; readonly sha256: Sha256 }> {
  const hash = startHash();
  let sizeBytes = 0;
  for await (const piece of readPieces(path)) {
    options.signal?.throwIfAborted();
    hash.update(piece);
    sizeBytes += piece.length;
    options.onBytes?.(piece.length);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
