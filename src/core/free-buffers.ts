/**
 * Buffers below some KB come from a pool that Node shares between them. One of this size never
 * does.
 */
const ownBytes = 256 * 1024;
/** A decoder's buffer may be this much longer than its content. */
const slackBytes = 4096;
/**
 * Too large for that pool as well. If such a buffer is exactly as long as the bytes, nothing else
 * is in it.
 */
const readBytes = 16 * 1024;

/**
 * Gives memory that is no longer used back at once, where Node can do that (from 21 on). The
 * garbage collector would let hundreds of megabytes of such buffers pile up first. Does nothing
 * where the bytes may share their buffer with others.
 */
export function freeLarge(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length >= ownBytes && buffer.byteLength <= bytes.length + slackBytes) free(buffer);
}

/**
 * The same for bytes read from a connection: tens of thousands of buffers, each used for a moment.
 * Node's parser still uses the buffer while it hands the bytes on, so it is freed on the next tick.
 */
export function freeRead(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length >= readBytes && buffer.byteLength === bytes.length) process.nextTick(free, buffer);
}

/**
 * The same for bytes in a buffer that nobody else uses, however much of it they are. Not of the
 * pool that Node shares among small data.
 */
export function freeBuffer({ buffer }: Uint8Array): void {
  if (buffer.byteLength > 4 * Buffer.poolSize) free(buffer);
}

function free(buffer: ArrayBufferLike & { readonly transfer?: (length: number) => unknown }): void {
  buffer.transfer?.(0);
}
