import { decodeChunk } from '../../archive/decode.ts';
import type { ArchiveFormat } from '../../contract/chunk-index.ts';
import { isAircherError } from '../../core/errors.ts';
import type { FileStore } from './file-store.ts';
import type { FileTrails } from './file-trail.ts';
import { freeLarge } from './free-large.ts';
import type { Journal } from './journal.ts';
import { isChunk, type Piece } from './piece.ts';

/**
 * Chunks between arrival and disk at once. The thread pool works on four at a time; more only cost memory, and are lost when the
 * process is killed.
 */
const maxLanding = 6;

/** Waits of less between two looks are the mere coming together of small chunks. */
const saturatedMs = 10;

/** Where every chunk ends, wherever it came from: decoded, checked, written to its places, hashed into its files, recorded. */
export class Landing {
  readonly #store: Pick<FileStore, 'write'>;
  readonly #trails: Pick<FileTrails, 'add'>;
  readonly #journal: Journal | undefined;
  readonly #onChunk: (piece: Piece, chunk: Uint8Array) => void;
  #landing = 0;
  #waiters: (() => void)[] = [];
  /** Since when somebody waits. */
  #waitsSince: number | undefined;
  /** Milliseconds that somebody had to wait since it was last read. */
  #waitedMs = 0;

  constructor(
    store: Pick<FileStore, 'write'>,
    trails: Pick<FileTrails, 'add'>,
    journal: Journal | undefined,
    onChunk: (piece: Piece, chunk: Uint8Array) => void = () => {},
  ) {
    this.#onChunk = onChunk;
    this.#store = store;
    this.#trails = trails;
    this.#journal = journal;
  }

  /** From a mirror. Where the bytes aren't the chunk's: what is wrong with them, and nothing is written. Throws faults of this machine. */
  async fromSlice(piece: Piece, slice: Uint8Array, format: ArchiveFormat): Promise<string | undefined> {
    this.#landing++;
    try {
      const chunk = await decodeChunk(format, slice, piece.length).catch((error: unknown) => {
        if (isAircherError(error, 'integrity')) return error.message;
        throw error;
      });
      if (typeof chunk === 'string') return chunk;
      if (chunk.buffer !== slice.buffer) freeLarge(slice);
      if (!isChunk(piece, chunk)) return 'a chunk has another sha256 than it should';
      await this.write(piece, chunk);
      return undefined;
    } finally {
      this.#landing--;
      if (this.#landing < maxLanding) this.#wake();
    }
  }

  /** To every place but those that have it; the bytes are right, and belong to this now. */
  async write(piece: Piece, chunk: Uint8Array, inPlace?: ReadonlySet<number>): Promise<void> {
    this.#onChunk(piece, chunk);
    for (const place of piece.places) {
      if (!inPlace?.has(place.chunk)) await this.#store.write(place.file, chunk, place.offset);
      this.#journal?.add(place.chunk);
      await this.#trails.add(place.file, place.offset, chunk, piece.places.length === 1);
    }
  }

  /** A promise while too many chunks wait for the processor or the disk: then connections are held. */
  pressure(): Promise<void> | undefined {
    if (this.#landing < maxLanding) return undefined;
    this.#waitsSince ??= performance.now();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  /** Whether this machine, not the network, was what everything waited for since the last call. */
  takeSaturation(): boolean {
    this.#countWait();
    const saturated = this.#waitedMs > saturatedMs;
    this.#waitedMs = 0;
    if (this.#waiters.length > 0) this.#waitsSince = performance.now();
    return saturated;
  }

  #countWait(): void {
    if (this.#waitsSince !== undefined) this.#waitedMs += performance.now() - this.#waitsSince;
    this.#waitsSince = undefined;
  }

  #wake(): void {
    this.#countWait();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
