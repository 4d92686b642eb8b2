/** How the elements of a tensor stand in its bytes, as far as an encoding has to know. */
export interface Element {
  /** Bytes of one: 1, 2, 4 or 8. */
  readonly width: number;
  /** A float whose highest bit is its sign. */
  readonly isFloat: boolean;
}

const opaque: Element = { width: 1, isFloat: false };

/** The parts of a complex number are elements of their own. */
const floats: Readonly<Record<string, number>> = { F64: 8, C128: 8, F32: 4, C64: 4, F16: 2, BF16: 2 };

/**
 * The element of a tensor's type, by the name that its file's reader gives it. Types of less than a
 * byte, blocks of quantised weights, and whatever isn't known are single bytes.
 */
export function elementOf(dtype: string): Element {
  const float = floats[dtype];
  if (float !== undefined) return { width: float, isFloat: true };
  // F8_E8M0 is an exponent without a sign.
  if (dtype.startsWith('F8_') && dtype !== 'F8_E8M0') return { width: 1, isFloat: true };
  const bits = /^[IU](8|16|32|64)$/.exec(dtype)?.[1];
  return bits === undefined ? opaque : { width: Number(bits) / 8, isFloat: false };
}
