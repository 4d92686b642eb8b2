/**
 * Header of the one gzip member: deflate, no flags, no time, operating system unknown (RFC 1952,
 * 2.3).
 */
export const gzipHeader: Uint8Array = Buffer.of(0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff);

/**
 * End of the gzip member: the empty final block, CRC-32 and length (modulo 2^32) of all content.
 */
export function gzipTrailer(crc32: number, contentBytes: number): Buffer {
  const trailer = Buffer.alloc(10);
  trailer[0] = 0x03;
  trailer.writeUInt32LE(crc32, 2);
  trailer.writeUInt32LE(contentBytes % 2 ** 32, 6);
  return trailer;
}
