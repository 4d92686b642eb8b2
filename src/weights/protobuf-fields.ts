import type { FileWindow } from './file-window.ts';
import type { Fault } from './weights-file.ts';

/** How a field's value is written (protobuf's wire types; groups are long out of use). */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A field of a message: `end` is the first byte behind its value, which begins where the window stands. */
export interface Field {
  readonly number: number;
  readonly wire: number;
  readonly end: number;
}

const maxVarintBytes = 10;
const maxFieldNumber = 2 ** 29 - 1;

/** Reads protobuf's fields from a file, one after the other, as far as `end`; `most` is how many it reads in all. */
export class ProtobufFields {
  readonly window: FileWindow;
  readonly #fault: Fault;
  #left: number;

  constructor(window: FileWindow, fault: Fault, most: number) {
    this.window = window;
    this.#fault = fault;
    this.#left = most;
  }

  /** The fields up to `end`. Whatever is read of a value, the next field is found behind it. */
  *fields(end: number): Generator<Field> {
    const { window } = this;
    while (window.position < end) {
      if (this.#left-- === 0) throw this.#fault('it has more parts than any model');
      const tag = this.varint(end);
      const number = Math.floor(tag / 8);
      if (number === 0 || number > maxFieldNumber) throw this.#fault(`there is no field with the number ${number}`);
      const kind = tag % 8;
      const valueEnd = this.#endOf(kind, end);
      if (valueEnd > end) throw this.#fault(`a part of ${valueEnd - window.position} bytes goes beyond what it is in`);
      yield { number, wire: kind, end: valueEnd };
      window.position = valueEnd;
    }
  }

  /** A whole number that isn't negative; one beyond 2^53 is not exact any more. */
  varint(end: number): number {
    let value = 0;
    for (let byte = 0; byte < maxVarintBytes; byte++) {
      if (this.window.position >= end) break;
      const bits = this.window.u8();
      value += (bits & 0x7f) * 2 ** (7 * byte);
      if (bits < 0x80) return value;
    }
    throw this.#fault('a number in it does not end');
  }

  #endOf(kind: number, end: number): number {
    const { window } = this;
    if (kind === wire.bytes) {
      const length = this.varint(end);
      return window.position + length;
    }
    if (kind === wire.fixed64) return window.position + 8;
    if (kind === wire.fixed32) return window.position + 4;
    if (kind !== wire.varint) throw this.#fault(`a part in it is written in the unknown way ${kind}`);
    const begin = window.position;
    this.varint(end);
    const valueEnd = window.position;
    window.position = begin;
    return valueEnd;
  }
}
