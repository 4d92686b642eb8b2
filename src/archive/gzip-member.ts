/** Header of the one gzip member: deflate, no flags, no time, operating system unknown (RFC 1952, 2.3). */
export const gzipHeader: Uint8Array = Buffer.of(0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff);

/** End of the gzip member: the empty final block, CRC-32 and length (modulo 2^32) of all content. */
export function gzipTrailer(crc32: number, contentBytes: number): Buffer {
  const trailer = Buffer.alloc(10);
  trailer[0] = 0x03;
  trailer.writeUInt32LE(crc32, 2);
  trailer.writeUInt32LE(contentBytes % 2 ** 32, 6);
  return trailer;
}

/** The CRC-32 of two pieces one after the other, from those of each: a CRC is a remainder of polynomials (RFC 1952, 8), so `a` is shifted by `b`'s length. */
export function joinCrc32(a: number, b: number, lengthOfB: number): number {
  let shifted = a;
  // x^8, then its squares: one for each binary digit of the length.
  for (let power = 0x00800000, left = lengthOfB; left > 0; left = Math.floor(left / 2), power = times(power, power)) {
    if (left % 2 === 1) shifted = times(power, shifted);
  }
  return (shifted ^ b) >>> 0;
}

/** The product of two polynomials modulo CRC-32's, the highest power in the lowest bit. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 31, shifted = b; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ 0xedb88320 : shifted >>> 1;
  }
  return product;
}
