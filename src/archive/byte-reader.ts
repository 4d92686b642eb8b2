import { integrityError } from '../core/errors.ts';

/**
 * Reads exact counts of bytes from a stream of pieces, holding no more than one piece and what is
 * asked for.
 */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #piece: Uint8Array = new Uint8Array(0);
  #taken = 0;

  /** `name` is what is read, for messages. */
  constructor(source: AsyncIterable<Uint8Array>, name: string) {
    this.#pieces = source[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#taken;
  }

  async atEnd(): Promise<boolean> {
    return (await this.#some(1)).length === 0;
  }

  /**
   * A copy of exactly `count` bytes (a source may use a piece's memory again); throws as `stream`.
   */
  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count);
    let filled = 0;
    for await (const piece of this.stream(count)) {
      taken.set(piece, filled);
      filled += piece.length;
    }
    return taken;
  }

  /**
   * The next `count` bytes as they come; throws AircherError `integrity` where the stream ends
   * before. Infinity: all that come.
   */
  async *stream(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      const piece = await this.#some(left);
      if (piece.length === 0) {
        if (count === Number.POSITIVE_INFINITY) return;
        throw integrityError(`${this.#name} ends too early`);
      }
      this.#piece = this.#piece.subarray(piece.length);
      this.#taken += piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** At most `count` bytes of what is there, without moving on; none only at the end. */
  async #some(count: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const step = await this.#pieces.next();
      if (step.done) break;
      this.#piece = step.value;
    }
    return this.#piece.subarray(0, count);
  }
}
