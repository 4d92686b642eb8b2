/** Far larger than what Node takes from its pool of small buffers, which other data shares. */
const ownBytes = 256 * 1024;
/** What a decoder's buffer may have beyond its content. */
const slackBytes = 4096;
/** Too large for that pool too; a buffer of exactly the bytes' length is theirs alone. */
const readBytes = 16 * 1024;

/**
 * Gives the memory of bytes that nobody uses any more back at once, where Node can (from 21): the
 * collector would let a hundred megabytes of such buffers gather first. Leaves bytes alone that may
 * share their buffer with others.
 */
export function freeLarge(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length >= ownBytes && buffer.byteLength <= bytes.length + slackBytes) free(buffer);
}

/**
 * The same for what was read from a connection: tens of thousands of buffers, each used for a
 * moment. Node's parser still has this one while its bytes are handed on, so it goes with the next
 * tick.
 */
export function freeRead(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length >= readBytes && buffer.byteLength === bytes.length) process.nextTick(free, buffer);
}

function free(buffer: ArrayBufferLike & { readonly transfer?: (length: number) => unknown }): void {
  buffer.transfer?.(0);
}
