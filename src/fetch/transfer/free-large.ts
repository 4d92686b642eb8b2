/** Far larger than what Node takes from its pool of small buffers, which other data shares. */
const ownBytes = 256 * 1024;

/** What a decoder's buffer may have beyond its content. */
const slackBytes = 4096;

/**
 * Gives the memory of bytes that nobody uses any more back at once, where Node can (from 21): the collector would let a
 * hundred megabytes of such buffers gather first. Leaves bytes alone that may share their buffer with others.
 */
export function freeLarge(bytes: Uint8Array): void {
  const buffer: ArrayBufferLike & { readonly transfer?: (length: number) => unknown } = bytes.buffer;
  if (bytes.length < ownBytes || buffer.byteLength > bytes.length + slackBytes) return;
  buffer.transfer?.(0);
}
