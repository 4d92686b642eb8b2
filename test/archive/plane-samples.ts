import { type Element, elementOf } from '../../src/archive/element.ts';
import { noise } from './fixtures.ts';

/** Every kind of element, by a type that has it. */
export const elementTypes = ['F64', 'F32', 'BF16', 'F8_E4M3', 'I64', 'U32', 'I16', 'U8'] as const;

export interface PlaneSample {
  readonly name: string;
  readonly element: Element;
  readonly old: Uint8Array;
  readonly now: Uint8Array;
}

/**
 * A chunk of each kind that looks like weights, and one that follows from it by small steps: the
 * same on every machine, since whole numbers alone make it. 70,003 bytes are no multiple of a
 * width.
 */
export function planeSamples(): PlaneSample[] {
  return elementTypes.map((name, seed) => {
    const element = elementOf(name);
    const bytes = 70_003;
    const old = noise(bytes, seed + 1);
    const steps = noise(bytes, seed + 101);
    const now = Buffer.from(old);
    for (let at = 0; at < bytes; at++) {
      const place = at % element.width;
      // The upper half of an element takes few values; the lower one moves a little.
      if (place >= element.width / 2) {
        old[at] = (old[at]! & 3) | 0x3c;
        now[at] = old[at]!;
      } else if (place === 0) now[at] = old[at]! + (steps[at]! % 7);
    }
    return { name, element, old, now };
  });
}
