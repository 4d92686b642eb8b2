/** Larger than what Node takes from its pool of small buffers, which other data shares. */
const unpooledBytes = 64 * 1024;

/**
 * Gives the memory of bytes that nobody uses any more back at once, where Node can (from 21): the collector would let a
 * hundred megabytes of such buffers gather first. Only for bytes that have their buffer to themselves.
 */
export function freeLarge(bytes: Uint8Array): void {
  const buffer: ArrayBufferLike & { readonly transfer?: (length: number) => unknown } = bytes.buffer;
  if (buffer.byteLength > unpooledBytes) buffer.transfer?.(0);
}
