import type { Element } from './element.ts';

/**
 * The body of an encoded chunk: one byte for its elements; then, for each byte of an element, the
 * least significant first, a plane: that byte of every element, behind its method (a byte) and the
 * length of what follows (32 bits, little-endian); then what is left of a chunk whose length is no
 * multiple of the element's.
 */

/** How the bytes of a plane stand in a body. */
export const planeMethods = { stored: 0, deflate: 1 } as const;

/** Bytes of a plane's method and length. */
export const planeHeaderBytes = 5;

const floatBit = 0x80;

/** The first byte of a body: the width's logarithm to the base 2, and whether it is a float's. */
export function elementByte({ width, isFloat }: Element): number {
  return Math.log2(width) | (isFloat ? floatBit : 0);
}

/** Undefined where no element has such a byte. */
export function elementOfByte(byte: number): Element | undefined {
  return (byte & ~(floatBit | 3)) === 0 ? { width: 1 << (byte & 3), isFloat: (byte & floatBit) !== 0 } : undefined;
}
