import { compareBytes } from '../contract/names.ts';
import type { PlacedTensor } from '../weights/weights-file.ts';
import { type Element, elementOf } from './element.ts';
import { elementByte } from './plane-format.ts';

/**
 * What an encoding has to know of a chunk: it holds tensors of one kind of element, and nothing
 * else.
 */
export interface ChunkContents {
  readonly element: Element;
  /** Equal for two chunks that hold the same parts of the same tensors, whatever their values. */
  readonly key: string;
}

/** Says of the chunks of one file, in their order, what they hold. */
export class ContentsReader {
  /** By their place; what several names share is there for each. */
  readonly #tensors: readonly PlacedTensor[];
  /** Those before it end before the chunk that is asked for. */
  #first = 0;

  /** Of the tensors those count that `file` (a path in the model) holds. */
  constructor(tensors: Iterable<PlacedTensor>, file: string) {
    this.#tensors = [...tensors]
      .filter((tensor) => tensor.file === file && tensor.begin < tensor.end)
      .sort((a, b) => a.begin - b.begin || compareBytes(a.name, b.name));
  }

  /** Undefined where the chunk holds anything but whole elements of one kind. */
  read(offset: number, length: number): ChunkContents | undefined {
    const end = offset + length;
    while ((this.#tensors[this.#first]?.end ?? end) <= offset) this.#first++;
    const parts: unknown[] = [];
    let element: Element | undefined;
    let covered = offset;
    for (let at = this.#first; at < this.#tensors.length; at++) {
      const { name, dtype, shape, begin, end: tensorEnd } = this.#tensors[at]!;
      if (begin >= end) break;
      const own = elementOf(dtype);
      element ??= own;
      const from = Math.max(begin, offset);
      if (from > covered || elementByte(own) !== elementByte(element) || (from - begin) % own.width !== 0)
        return undefined;
      covered = Math.max(covered, Math.min(tensorEnd, end));
      parts.push([name, dtype, shape, from - begin, Math.min(tensorEnd, end) - begin]);
    }
    return element && covered === end ? { element, key: JSON.stringify(parts) } : undefined;
  }
}
