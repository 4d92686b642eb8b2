import type { Element } from './element.ts';

/**
 * Differences of elements, by which a tensor follows from its predecessor. Elements are numbered in
 * their order (`ord`): integers are their own number; of a float with its sign set, all other bits
 * are flipped, so that neighbouring floats have neighbouring numbers, and −0 and +0, and every NaN,
 * keep one of their own. A difference is taken modulo 2^(8·width), and zigzag-coded: small ones of
 * either sign are small numbers, whose higher bytes are zero.
 */

/**
 * What turns `before` into `now`, both of the same length: one difference an element, little-endian
 * as the elements are. Bytes behind the last whole element are those of `now`.
 */
export function differenceOf(now: Uint8Array, before: Uint8Array, element: Element): Uint8Array {
  return combine(now, before, element, subtract, subtractLong);
}

/** What `differenceOf` was made of, from the difference and `before`. */
export function applyDifference(difference: Uint8Array, before: Uint8Array, element: Element): Uint8Array {
  return combine(difference, before, element, add, addLong);
}

/**
 * Of numbers of up to 32 bits, extended to 32 by their sign; the higher bits of the result don't
 * count.
 */
type Combine = (one: number, before: number, signMask: number, bits: number) => number;

/** Of numbers of 64 bits, as halves, into `high` and `low`. */
type CombineLong = (high: number, low: number, beforeHigh: number, beforeLow: number, isFloat: boolean) => void;

function combine(
  one: Uint8Array,
  before: Uint8Array,
  { width, isFloat }: Element,
  short: Combine,
  long: CombineLong,
): Uint8Array {
  const result = Uint8Array.from(one);
  const [a, b, out] = [one, before, result].map(
    ({ buffer, byteOffset, length }) => new DataView(buffer, byteOffset, length),
  );
  const end = one.length - (one.length % width);
  const mask = isFloat ? 2 ** (8 * width - 1) - 1 : 0;
  switch (width) {
    case 1:
      for (let at = 0; at < end; at++) out!.setInt8(at, short(a!.getInt8(at), b!.getInt8(at), mask, 8));
      break;
    case 2:
      for (let at = 0; at < end; at += 2)
        out!.setInt16(at, short(a!.getInt16(at, true), b!.getInt16(at, true), mask, 16), true);
      break;
    case 4:
      for (let at = 0; at < end; at += 4)
        out!.setInt32(at, short(a!.getInt32(at, true), b!.getInt32(at, true), mask, 32), true);
      break;
    default:
      for (let at = 0; at < end; at += 8) {
        long(
          a!.getInt32(at + 4, true),
          a!.getInt32(at, true),
          b!.getInt32(at + 4, true),
          b!.getInt32(at, true),
          isFloat,
        );
        out!.setInt32(at + 4, high, true);
        out!.setInt32(at, low, true);
      }
  }
  return result;
}

/** Its own inverse. */
function ord(number: number, mask: number): number {
  return number ^ ((number >> 31) & mask);
}

function subtract(now: number, before: number, mask: number, bits: number): number {
  const difference = ((ord(now, mask) - ord(before, mask)) << (32 - bits)) >> (32 - bits);
  return (difference << 1) ^ (difference >> 31);
}

function add(zigzag: number, before: number, mask: number, bits: number): number {
  const unsigned = bits === 32 ? zigzag >>> 0 : zigzag & (2 ** bits - 1);
  const difference = (unsigned >>> 1) ^ -(unsigned & 1);
  const sum = ((ord(before, mask) + difference) << (32 - bits)) >> (32 - bits);
  return ord(sum, mask);
}

/** The result of the last `subtractLong` or `addLong`: two numbers without a box around them. */
let high = 0;
let low = 0;

function subtractLong(nowHigh: number, nowLow: number, beforeHigh: number, beforeLow: number, isFloat: boolean): void {
  const nowSign = isFloat ? nowHigh >> 31 : 0;
  const beforeSign = isFloat ? beforeHigh >> 31 : 0;
  const one = (nowLow ^ nowSign) >>> 0;
  const other = (beforeLow ^ beforeSign) >>> 0;
  const lows = (one - other) | 0;
  const borrow = one < other ? 1 : 0;
  const highs = ((nowHigh ^ (nowSign >>> 1)) - (beforeHigh ^ (beforeSign >>> 1)) - borrow) | 0;
  const sign = highs >> 31;
  high = ((highs << 1) | (lows >>> 31)) ^ sign;
  low = (lows << 1) ^ sign;
}

function addLong(zigzagHigh: number, zigzagLow: number, beforeHigh: number, beforeLow: number, isFloat: boolean): void {
  const flip = -(zigzagLow & 1);
  const differenceLow = (((zigzagLow >>> 1) | (zigzagHigh << 31)) ^ flip) >>> 0;
  const differenceHigh = (zigzagHigh >>> 1) ^ flip;
  const beforeSign = isFloat ? beforeHigh >> 31 : 0;
  const lows = ((beforeLow ^ beforeSign) >>> 0) + differenceLow;
  const carry = lows > 0xffffffff ? 1 : 0;
  const highs = ((beforeHigh ^ (beforeSign >>> 1)) + differenceHigh + carry) | 0;
  const sign = isFloat ? highs >> 31 : 0;
  high = highs ^ (sign >>> 1);
  low = lows ^ sign;
}
