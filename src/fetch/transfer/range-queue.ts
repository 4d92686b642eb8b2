import { type Chunk, leastBytes } from './chunk.ts';
import type { Location, Mirror } from './mirror.ts';
import { mayServe } from './set-mirror-aside.ts';

const largestRange = 8 * 1024 * 1024;
const smallestRange = 1024 * 1024;
/** Each worker gets several ranges, so that a slow one has little left to do at the end. */
const rangesPerWorker = 3;
/**
 * A gap of at most so many bytes between two chunks is fetched and thrown away: that costs less
 * than another request. Such gaps are headers and padding of tar.
 */
const bridgeBytes = 4 * 1024;

/** What one request asks for: neighbouring chunks of one resource, in ascending order. */
export interface Range {
  readonly chunks: Chunk[];
  /** Where each of them lies there, as it was when the range was taken. */
  readonly locations: Map<Chunk, Location>;
}

/**
 * Hands out the missing chunks in ranges. Only this class gives chunks to workers and takes them
 * back.
 */
export class RangeQueue {
  readonly #chunks: readonly Chunk[];
  readonly #rangeBytes: number;
  #firstUndone = 0;
  #undone: number;

  /** `chunks` in archive order. `workers`: how many there will be. */
  constructor(chunks: readonly Chunk[], workers: number) {
    const bytes = chunks.reduce((sum, chunk) => sum + (chunk.state === 'missing' ? leastBytes(chunk) : 0), 0);
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

  /** The chunks that aren't stored yet. */
  *undone(): Generator<Chunk> {
    for (let at = this.#firstUndone; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      if (chunk.state !== 'done') yield chunk;
    }
  }

  /**
   * The next range that the mirror may serve. If the mirror only sends whole resources, all missing
   * chunks of the resource.
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
   * What a late worker's range still lacks, to be read from this mirror too. Whichever copy comes
   * first counts.
   */
  takeAgain(slow: Range, mirror: Mirror): Range | undefined {
    const late = slow.chunks.filter((chunk) => chunk.state === 'asked' && !chunk.askedTwice);
    const range = rangeOf(late, mirror, (_, last, next) => areNeighbours(last, next));
    for (const chunk of range?.chunks ?? []) chunk.askedTwice = true;
    return range;
  }

  /**
   * The server sends the whole resource instead of the range. So all missing chunks of that
   * resource will come, and are added to the range.
   */
  widen({ chunks, locations }: Range, mirror: Mirror): void {
    const { url } = locations.get(chunks[0]!)!;
    for (const chunk of this.#missing()) {
      const location = mayServe(mirror, chunk) ? mirror.locate(chunk) : undefined;
      if (location?.url !== url) continue;
      chunk.state = 'asked';
      chunks.push(chunk);
      locations.set(chunk, location);
    }
    chunks.sort((a, b) => locations.get(a)!.offset - locations.get(b)!.offset);
  }

  /** What a worker didn't bring is missing again, unless another worker still reads it. */
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
 * The first chunk that the mirror may serve, and those after it in the same resource that belong to
 * the same range.
 */
function rangeOf(
  candidates: Iterable<Chunk>,
  mirror: Mirror,
  belongsTo: (first: Location, last: Location, next: Location) => boolean,
): Range | undefined {
  const chunks: Chunk[] = [];
  const locations = new Map<Chunk, Location>();
  let first: Location | undefined;
  let last: Location | undefined;
  for (const chunk of candidates) {
    const location = mayServe(mirror, chunk) ? mirror.locate(chunk) : undefined;
    if (location === undefined || (first && location.url !== first.url)) continue;
    if (first && last && !belongsTo(first, last, location)) break;
    first ??= location;
    last = location;
    chunk.state = 'asked';
    chunks.push(chunk);
    locations.set(chunk, location);
  }
  return first && { chunks, locations };
}

/** Whether the gap between them is small enough for one request. */
export function areNeighbours(before: Location, after: Location): boolean {
  const gap = after.offset - (before.offset + before.length);
  return before.url === after.url && gap >= 0 && gap <= bridgeBytes;
}

function spanOf(first: Location, last: Location): number {
  return last.offset + last.length - first.offset;
}
