import { noise } from './fixtures.ts';

/**
 * Bytes of 32-bit floats that are spread as weights are (sums of evenly spread numbers, mostly
 * below 0.1), the same for one seed on every machine.
 */
export function weightsLike(bytes: number, seed: number): Buffer {
  const random = noise(bytes * 2, seed);
  const weights = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) {
    weights.writeFloatLE((random.readInt32LE(at * 2) + random.readInt32LE(at * 2 + 4)) / 2 ** 36, at);
  }
  return weights;
}

/** Each weight moved by up to a thousandth of 0.06 a step, as a full fine-tune moves them. */
export function finetuned(weights: Uint8Array, steps: number, seed: number): Buffer {
  const random = noise(weights.length, seed + 1000);
  const moved = Buffer.from(weights);
  for (let at = 0; at + 4 <= moved.length; at += 4) {
    moved.writeFloatLE(moved.readFloatLE(at) + (steps * random.readInt32LE(at)) / 2 ** 45, at);
  }
  return moved;
}
