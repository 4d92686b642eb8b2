import { decodeChunk } from '../../archive/decode.ts';
import { decodePatch, decodePlanes } from '../../archive/decode-planes.ts';
import { isAircherError } from '../../core/errors.ts';
import { freeLarge } from '../../core/free-buffers.ts';
import { type Chunk, isChunk } from './chunk.ts';
import type { EncodedForm } from './encoding.ts';
import { readCopy } from './local-chunks.ts';
import type { Location } from './mirror.ts';

/**
 * The chunk's bytes out of what a mirror sent; or, where they aren't the chunk's, what is wrong
 * with them: undefined where it is what this machine has of the old chunk.
 */
export async function decodeSlice(
  chunk: Chunk,
  slice: Uint8Array,
  { format, form }: Location,
): Promise<Uint8Array | { readonly wrong: string | undefined }> {
  try {
    const bytes = form ? await decodeForm(form, slice, chunk.length) : await decodeChunk(format, slice, chunk.length);
    if (bytes === undefined) return { wrong: undefined };
    if (bytes.buffer !== slice.buffer) freeLarge(slice);
    return isChunk(chunk, bytes) ? bytes : { wrong: 'a chunk has another sha256 than it should' };
  } catch (error) {
    if (!isAircherError(error, 'integrity')) throw error;
    return { wrong: error.message };
  }
}

/**
 * The chunk that a body holds, of `length` bytes; whether it is the right one tells its digest.
 * Undefined where the old chunk isn't here any more. Throws `integrity`.
 */
async function decodeForm({ old }: EncodedForm, body: Uint8Array, length: number): Promise<Uint8Array | undefined> {
  if (old === undefined) return decodePlanes(body, length);
  for (const copy of old.copies) {
    const bytes = await readCopy({ sha256: old.sha256, length }, copy);
    if (bytes) return decodePatch(body, bytes);
  }
  return undefined;
}
