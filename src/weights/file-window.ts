import { readSync } from 'node:fs';

const windowBytes = 64 * 1024;

/**
 * Reads an open file from front to back through a small buffer. What is skipped is not read.
 * Numbers are little-endian. `fault` makes the error that is thrown where the file ends too early,
 * or a number is too large for JavaScript to hold exactly.
 */
export class FileWindow {
  readonly size: number;
  position = 0;
  readonly #fd: number;
  readonly #fault: (fact: string) => Error;
  readonly #window = Buffer.allocUnsafe(windowBytes);
  #start = 0;
  #filled = 0;

  constructor(fd: number, size: number, fault: (fact: string) => Error) {
    this.#fd = fd;
    this.size = size;
    this.#fault = fault;
  }

  /** The next `count` bytes, at most `windowBytes`. The next call overwrites them. */
  take(count: number): Buffer {
    const offset = this.position - this.#start;
    if (offset < 0 || offset + count > this.#filled) this.#fill(count);
    const begin = this.position - this.#start;
    this.position += count;
    return this.#window.subarray(begin, begin + count);
  }

  /** Gives the next `count` bytes to `use`, piece by piece. */
  each(count: number, use: (piece: Buffer) => void): void {
    for (let left = count; left > 0; left -= windowBytes) use(this.take(Math.min(left, windowBytes)));
  }

  /** UTF-8 text of so many bytes. The caller limits how many. */
  text(bytes: number): string {
    const pieces: Buffer[] = [];
    this.each(bytes, (piece) => pieces.push(Buffer.from(piece)));
    return Buffer.concat(pieces).toString();
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  /** Throws where the number is too large to be exact in JavaScript. No count in a real file is. */
  u64(): number {
    const value = this.take(8).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#fault(`a count of ${value} is no count`);
    return Number(value);
  }

  #fill(count: number): void {
    this.#start = this.position;
    this.#filled = 0;
    if (this.position + count > this.size) throw this.#fault('the file is cut short');
    const most = Math.min(windowBytes, this.size - this.position);
    while (this.#filled < most) {
      const read = readSync(this.#fd, this.#window, this.#filled, most - this.#filled, this.position + this.#filled);
      if (read === 0) throw this.#fault('the file ends while it is read');
      this.#filled += read;
    }
  }
}
