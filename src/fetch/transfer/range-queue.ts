import type { Chunk } from './chunk.ts';
import type { Location, Mirror } from './mirror.ts';
import { mayServe } from './set-mirror-aside.ts';

const largestRange = 8 * 1024 * 1024;
const smallestRange = 1024 * 1024;
/** Several, so that a slow worker holds up little at the end. */
const rangesPerWorker = 3;
/**
 * Bytes that are fetched and thrown away rather than paying for another request: headers and
 * padding of tar.
 */
const bridgeBytes = 4 * 1024;

/** What one request is for: neighbouring chunks of one resource, in ascending order. */
export interface Range {
  readonly chunks: Chunk[];
}

/** The missing chunks, handed out in ranges. Every change of hands happens here. */
export class RangeQueue {
  readonly #chunks: readonly Chunk[];
  readonly #rangeBytes: number;
  #firstUndone = 0;
  #undone: number;

  /** Chunks in archive order, for so many workers. */
  constructor(chunks: readonly Chunk[], workers: number) {
    const bytes = chunks.reduce((sum, chunk) => sum + (chunk.state === 'missing' ? chunk.archiveLength : 0), 0);
    this.#chunks = chunks;
    this.#undone = chunks.length;
    this.#rangeBytes = Math.min(largestRange, Math.max(smallestRange, bytes / (workers * rangesPerWorker)));
  }

  /** Whether every chunk is there. */
  get finished(): boolean {
    return this.#undone === 0;
  }

  finish(chunk: Chunk): void {
    if (chunk.state === 'done') return;
    chunk.state = 'done';
    this.#undone--;
    while (this.#chunks[this.#firstUndone]?.state === 'done') this.#firstUndone++;
  }

  /** The chunks that aren't there yet. */
  *undone(): Generator<Chunk> {
    for (let at = this.#firstUndone; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      if (chunk.state !== 'done') yield chunk;
    }
  }

  /**
   * The next range that the mirror may serve; all of a resource, where the mirror only sends it
   * whole.
   */
  take(mirror: Mirror): Range | undefined {
    return rangeOf(
      this.#missing(),
      mirror,
      mirror.whole
        ? () => true
        : (first, last, next) => areNeighbours(last, next) && spanOf(first, next) <= this.#rangeBytes,
    );
  }

  /**
   * What a slow worker's range still lacks, once more from this mirror: whichever comes first
   * counts.
   */
  takeAgain(slow: Range, mirror: Mirror): Range | undefined {
    const late = slow.chunks.filter((chunk) => chunk.state === 'asked' && !chunk.askedTwice);
    const range = rangeOf(late, mirror, (_, last, next) => areNeighbours(last, next));
    for (const chunk of range?.chunks ?? []) chunk.askedTwice = true;
    return range;
  }

  /**
   * The server sends the whole resource, whatever was asked for: every missing chunk of it comes
   * along.
   */
  widen({ chunks }: Range, mirror: Mirror): void {
    const { url } = mirror.locate(chunks[0]!)!;
    for (const chunk of this.#missing()) {
      if (!mayServe(mirror, chunk) || mirror.locate(chunk)?.url !== url) continue;
      chunk.state = 'asked';
      chunks.push(chunk);
    }
    chunks.sort((a, b) => mirror.locate(a)!.offset - mirror.locate(b)!.offset);
  }

  /** What a worker didn't bring is missing again, but for what others still read. */
  giveBack(range: Range, others: Iterable<Range>): void {
    const elsewhere = new Set([...others].flatMap(({ chunks }) => chunks));
    for (const chunk of range.chunks) {
      if (chunk.state !== 'asked') continue;
      chunk.askedTwice = false;
      if (!elsewhere.has(chunk)) chunk.state = 'missing';
    }
  }

  *#missing(): Generator<Chunk> {
    for (const chunk of this.undone()) if (chunk.state === 'missing') yield chunk;
  }
}

/**
 * The first of the chunks that the mirror may serve, and those after it as long as they belong
 * together.
 */
function rangeOf(
  candidates: Iterable<Chunk>,
  mirror: Mirror,
  belongsTo: (first: Location, last: Location, next: Location) => boolean,
): Range | undefined {
  const chunks: Chunk[] = [];
  let first: Location | undefined;
  let last: Location | undefined;
  for (const chunk of candidates) {
    const location = mayServe(mirror, chunk) ? mirror.locate(chunk) : undefined;
    if (location === undefined) continue;
    if (first && last && (location.url !== first.url || !belongsTo(first, last, location))) break;
    first ??= location;
    last = location;
    chunk.state = 'asked';
    chunks.push(chunk);
  }
  return first && { chunks };
}

/** Whether one request had better bring both. */
export function areNeighbours(before: Location, after: Location): boolean {
  const gap = after.offset - (before.offset + before.length);
  return before.url === after.url && gap >= 0 && gap <= bridgeBytes;
}

function spanOf(first: Location, last: Location): number {
  return last.offset + last.length - first.offset;
}
