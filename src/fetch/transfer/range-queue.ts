import { type Chunk, leastBytes } from './chunk.ts';
import type { Location, Mirror } from './mirror.ts';
import { mayServe } from './set-mirror-aside.ts';

const mostBytes = 8 * 1024 * 1024;
const largestPart = mostBytes - 1024 * 1024;
const smallestPart = 1024 * 1024;
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
  /** Chunks of one part, where they are neighbours, make a range. */
  readonly #parts = new Map<Chunk, number>();
  #firstUndone = 0;
  #undone: number;

  /** `chunks` in archive order. `workers`: how many there will be. */
  constructor(chunks: readonly Chunk[], workers: number) {
    const bytes = chunks.reduce((sum, chunk) => sum + (chunk.state === 'missing' ? leastBytes(chunk) : 0), 0);
    this.#chunks = chunks;
    this.#undone = chunks.length;
    // Parts of equal size, each with the chunks that begin in it: then there are never a few ranges
    // more than planned, at the end, while all workers but a few have nothing to do.
    const partBytes = Math.min(largestPart, Math.max(smallestPart, bytes / (workers * rangesPerWorker)));
    let before = 0;
    for (const chunk of chunks) {
      this.#parts.set(chunk, Math.floor(before / partBytes));
      if (chunk.state === 'missing') before += leastBytes(chunk);
    }
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
    const isSamePart = ({ chunks: [first], locations }: Range, chunk: Chunk, next: Location): boolean =>
      this.#parts.get(chunk) === this.#parts.get(first!) && spanOf(locations.get(first!)!, next) <= mostBytes;
    return rangeOf(
      this.#missing(),
      mirror,
      (range, chunk, next) => mirror.whole || (isSamePart(range, chunk, next) && isNeighbour(range, next)),
    );
  }

  /**
   * What a late worker's range still lacks, to be read from this mirror too. Whichever copy comes
   * first counts.
   */
  takeAgain(slow: Range, mirror: Mirror): Range | undefined {
    const late = slow.chunks.filter((chunk) => chunk.state === 'asked' && !chunk.askedTwice);
    const range = rangeOf(late, mirror, (range, _, next) => isNeighbour(range, next));
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
  belongsTo: (range: Range, chunk: Chunk, next: Location) => boolean,
): Range | undefined {
  let range: Range | undefined;
  for (const chunk of candidates) {
    const location = mayServe(mirror, chunk) ? mirror.locate(chunk) : undefined;
    if (location === undefined || (range && location.url !== range.locations.get(range.chunks[0]!)!.url)) continue;
    if (range && !belongsTo(range, chunk, location)) break;
    range ??= { chunks: [], locations: new Map() };
    chunk.state = 'asked';
    range.chunks.push(chunk);
    range.locations.set(chunk, location);
  }
  return range;
}

function isNeighbour({ chunks, locations }: Range, next: Location): boolean {
  return areNeighbours(locations.get(chunks.at(-1)!)!, next);
}

/** Whether the gap between them is small enough for one request. */
export function areNeighbours(before: Location, after: Location): boolean {
  const gap = after.offset - (before.offset + before.length);
  return before.url === after.url && gap >= 0 && gap <= bridgeBytes;
}

function spanOf(first: Location, last: Location): number {
  return last.offset + last.length - first.offset;
}
