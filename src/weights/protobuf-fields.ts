import type { FileWindow } from './file-window.ts';
import type { Fault } from './weights-file.ts';

/**
 * How a field's value is written: protobuf's wire types. Groups are missing, since they have long
 * been out of use.
 */
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * A field of a message. Its value begins at the window's position, and `end` is the first byte
 * after it.
 */
export interface Field {
  readonly number: number;
  readonly wire: number;
  readonly end: number;
}

export interface FieldLimits {
  /** Most fields in the whole file. */
  readonly fields: number;
  /** Most bytes of one value that is kept in memory, and of all values together. */
  readonly keptAtOnce: number;
  readonly kept: number;
}

const maxVarintBytes = 10;
const maxFieldNumber = 2 ** 29 - 1;
/** Memory that a kept value takes besides its bytes. */
const objectBytes = 8;

/** Reads protobuf's fields, and what they hold, from a file, one after the other. */
export class ProtobufFields {
  readonly window: FileWindow;
  readonly fault: Fault;
  readonly #keptAtOnce: number;
  #fieldsLeft: number;
  #keptLeft: number;

  constructor(window: FileWindow, fault: Fault, limits: FieldLimits) {
    this.window = window;
    this.fault = fault;
    this.#fieldsLeft = limits.fields;
    this.#keptAtOnce = limits.keptAtOnce;
    this.#keptLeft = limits.kept;
  }

  /**
   * The fields up to `end`. The caller may read all of a value, part of it or nothing: the next
   * field is found in any case.
   */
  *fields(end: number): Generator<Field> {
    const { window } = this;
    while (window.position < end) {
      if (this.#fieldsLeft-- === 0) throw this.fault('it has more parts than any model');
      const tag = this.varint(end);
      const number = Math.floor(tag / 8);
      if (number === 0 || number > maxFieldNumber) throw this.fault(`there is no field with the number ${number}`);
      const kind = tag % 8;
      const valueEnd = this.#endOf(kind, end);
      if (valueEnd > end) throw this.fault(`a part of ${valueEnd - window.position} bytes goes beyond what it is in`);
      yield { number, wire: kind, end: valueEnd };
      window.position = valueEnd;
    }
  }

  /** The fields of the message that a field holds. */
  fieldsIn(field: Field): Generator<Field> {
    return this.fields(this.bytesOf(field).end);
  }

  number(field: Field): number {
    if (field.wire !== wire.varint) throw this.fault(`its field ${field.number} should be a number`);
    return this.varint(field.end);
  }

  /** The numbers of a repeated field, which may be packed into one value. */
  *numbers(field: Field): Generator<number> {
    if (field.wire !== wire.bytes) yield this.number(field);
    else while (this.window.position < field.end) yield this.varint(field.end);
  }

  text(field: Field): string {
    const { begin, end } = this.bytesOf(field);
    return this.window.text(end - begin);
  }

  /** Where the bytes of a text, a message or raw data are. Throws where the field is a number. */
  bytesOf(field: Field): { readonly begin: number; readonly end: number } {
    if (field.wire !== wire.bytes) throw this.fault(`its field ${field.number} should not be a number`);
    return { begin: this.window.position, end: field.end };
  }

  /** Counts a value that is about to be kept in memory. Throws where that would be too much. */
  keep(field: Field): void {
    const bytes = field.end - this.window.position;
    this.#keptLeft -= bytes + objectBytes;
    if (bytes > this.#keptAtOnce || this.#keptLeft < 0) {
      throw this.fault('what describes its tensors is longer than in any model');
    }
  }

  /** A whole number that isn't negative. Above 2^53 it is not exact. */
  varint(end: number): number {
    let value = 0;
    for (let byte = 0; byte < maxVarintBytes && this.window.position < end; byte++) {
      const bits = this.window.u8();
      value += (bits & 0x7f) * 2 ** (7 * byte);
      if (bits < 0x80) return value;
    }
    throw this.fault('a number in it does not end');
  }

  #endOf(kind: number, end: number): number {
    const { window } = this;
    if (kind === wire.bytes) {
      const length = this.varint(end);
      return window.position + length;
    }
    if (kind === wire.fixed64) return window.position + 8;
    if (kind === wire.fixed32) return window.position + 4;
    if (kind !== wire.varint) throw this.fault(`a part in it is written in the unknown way ${kind}`);
    const begin = window.position;
    this.varint(end);
    const valueEnd = window.position;
    window.position = begin;
    return valueEnd;
  }
}
