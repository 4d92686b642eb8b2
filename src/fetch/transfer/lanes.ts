import type { Lane } from './lane.ts';
import type { Mirror } from './mirror.ts';
import type { Piece } from './piece.ts';

/** How long a connection's rate is its average, and how long it may take to begin before it counts as silent. */
const youngMs = 400;
const beginningMs = 500;
/** What is expected of connections (bytes a second) before any has shown what it brings. */
export const unknownRate = 1_000_000;
/** So many times slower than what was seen before, or elsewhere, means that nothing is to be expected any more. */
export const hopelesslySlower = 20;

/** The connections under way, and what they bring. */
export class Lanes implements Iterable<Lane> {
  readonly #lanes = new Set<Lane>();
  #lookedAt = performance.now();

  get size(): number {
    return this.#lanes.size;
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes[Symbol.iterator]();
  }

  add(lane: Lane): void {
    this.#lanes.add(lane);
  }

  delete(lane: Lane): void {
    this.#lanes.delete(lane);
  }

  of(mirror: Mirror): Lane[] {
    return [...this.#lanes].filter((lane) => lane.claim.mirror === mirror);
  }

  cancel(lane: Lane): void {
    lane.cancelled = true;
    lane.abort.abort();
  }

  cancelAll(mirror?: Mirror): void {
    for (const lane of this.#lanes) if (mirror === undefined || lane.claim.mirror === mirror) this.cancel(lane);
  }

  /** Takes each one's rate since the last look. */
  measure(now: number): void {
    const seconds = (now - this.#lookedAt) / 1000;
    this.#lookedAt = now;
    if (seconds <= 0) return;
    for (const lane of this.#lanes) {
      const rate = (lane.bytes - lane.seenBytes) / seconds;
      lane.seenBytes = lane.bytes;
      if (lane.flowingSince === undefined) continue;
      // What waited in the network's buffers comes at once, and says nothing.
      const flowing = Math.max(50, now - lane.flowingSince);
      // The average at first, so that a connection is judged by all that is known of it.
      const { mirror } = lane.claim;
      lane.rate = flowing < youngMs ? (lane.bytes / flowing) * 1000 : lane.rate * 0.85 + rate * 0.15;
      mirror.seenRate = Math.max(mirror.seenRate, lane.rate);
    }
  }

  bestRate(mirrors: (mirror: Mirror) => boolean = () => true): number {
    return Math.max(0, ...[...this.#lanes].map((lane) => (mirrors(lane.claim.mirror) ? lane.rate : 0)));
  }

  /** What a connection to this mirror brings, as far as seen; else what the others bring, unless those have all but fallen silent. */
  typicalRate(mirror: Mirror): number {
    const others = this.bestRate();
    const seen = mirror.seenRate || Math.max(0, ...[...this.#lanes].map(({ claim }) => claim.mirror.seenRate));
    const expected = others * hopelesslySlower > seen ? others : seen;
    return this.bestRate((other) => other === mirror) || expected || unknownRate;
  }

  /** A connection that has only begun is expected to be like the others. */
  expectedRate(lane: Lane, now: number): number {
    const begun =
      lane.flowingSince === undefined ? now - lane.startedAt < beginningMs : now - lane.flowingSince < youngMs / 4;
    return begun ? this.typicalRate(lane.claim.mirror) : lane.rate;
  }

  /** Milliseconds until it has brought its claim. */
  timeLeft(lane: Lane, now: number): number {
    const { claim } = lane;
    let bytes = -claim.filled;
    for (let at = claim.next; at < claim.pieces.length; at++) bytes += claim.pieces[at]!.archiveLength;
    const rate = this.expectedRate(lane, now);
    return rate > 0 ? (bytes / rate) * 1000 : Number.MAX_VALUE;
  }

  /** Whether the piece comes twice already. */
  isDoubled(piece: Piece): boolean {
    for (const { claim } of this.#lanes) if (claim.duplicate && claim.pieces[claim.next] === piece) return true;
    return false;
  }
}
