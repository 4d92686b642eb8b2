import type { Location, Mirror } from './mirror.ts';
import type { Piece } from './piece.ts';

/** Bytes that are fetched and thrown away rather than paying for another request: tar headers, a small unchanged file. */
const bridgeBytes = 32 * 1024;

/** What one request is for: pieces in ascending order of one resource, less than `bridgeBytes` apart. */
export interface Claim {
  readonly mirror: Mirror;
  readonly url: string;
  readonly pieces: Piece[];
  /** The piece that is arriving, by its place in `pieces`. */
  next: number;
  /** Bytes of it that have arrived. */
  filled: number;
  /** Of a piece that another, slower claim has too. */
  readonly duplicate: boolean;
}

/** Which piece is whose. Every change of hands happens here. */
export class Board {
  readonly #pieces: readonly Piece[];
  #firstUndone = 0;
  #undone: number;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#undone = pieces.length;
  }

  get finished(): boolean {
    return this.#undone === 0;
  }

  finish(piece: Piece): void {
    if (piece.state === 'done') return;
    piece.state = 'done';
    this.#undone--;
    while (this.#pieces[this.#firstUndone]?.state === 'done') this.#firstUndone++;
  }

  /** Archive bytes that no mirror has delivered yet. */
  bytesLeft(): number {
    let bytes = 0;
    for (let at = this.#firstUndone; at < this.#pieces.length; at++) {
      const piece = this.#pieces[at]!;
      if (piece.state === 'open' || piece.state === 'taken') bytes += piece.archiveLength;
    }
    return bytes;
  }

  /** The first run of open pieces that the mirror may serve. */
  claim(mirror: Mirror, mayServe: (piece: Piece) => boolean): Claim | undefined {
    const run: Piece[] = [];
    let last: Location | undefined;
    for (let at = this.#firstUndone; at < this.#pieces.length; at++) {
      const piece = this.#pieces[at]!;
      if (piece.state !== 'open' || !mayServe(piece)) continue;
      const location = mirror.locate(piece);
      if (location === undefined) continue;
      if (last !== undefined && !adjacent(last, location)) break;
      run.push(piece);
      last = location;
    }
    if (last === undefined) return undefined;
    for (const piece of run) piece.state = 'taken';
    return { mirror, url: last.url, pieces: run, next: 0, filled: 0, duplicate: false };
  }

  /** Every piece of the mirror's one resource that isn't done, for a server that can only send the whole. */
  claimAll(mirror: Mirror, mayServe: (piece: Piece) => boolean): Claim | undefined {
    const all = this.#pieces.filter((piece) => piece.state === 'open' && mayServe(piece) && mirror.locate(piece));
    const url = all[0] && mirror.locate(all[0])?.url;
    if (url === undefined) return undefined;
    const pieces = all.filter((piece) => mirror.locate(piece)?.url === url);
    for (const piece of pieces) piece.state = 'taken';
    return { mirror, url, pieces, next: 0, filled: 0, duplicate: false };
  }

  /** Takes the last `count` pieces of a claim, as far as `mirror` has them in one run. */
  split(victim: Claim, count: number, mirror: Mirror, mayServe: (piece: Piece) => boolean): Claim | undefined {
    const from = Math.max(victim.next + 1, victim.pieces.length - count);
    const candidates = victim.pieces.slice(from);
    const taken: Piece[] = [];
    let last: Location | undefined;
    // From the end on, so that the victim keeps one run.
    for (const piece of candidates.reverse()) {
      const location = mirror.locate(piece);
      if (piece.state !== 'taken' || location === undefined || !mayServe(piece)) break;
      if (last !== undefined && !adjacent(location, last)) break;
      taken.unshift(piece);
      last = location;
    }
    if (last === undefined) return undefined;
    victim.pieces.length -= taken.length;
    return { mirror, url: last.url, pieces: taken, next: 0, filled: 0, duplicate: false };
  }

  /** Gives back all but the piece that arrives there. */
  cut(claim: Claim): void {
    for (const piece of claim.pieces.splice(claim.next + 1)) if (piece.state === 'taken') piece.state = 'open';
  }

  /** The piece that arrives there, once more from elsewhere. */
  duplicate(slow: Claim, mirror: Mirror, mayServe: (piece: Piece) => boolean): Claim | undefined {
    const piece = slow.pieces[slow.next];
    const location = piece && mirror.locate(piece);
    if (piece === undefined || location === undefined || piece.state !== 'taken' || !mayServe(piece)) return undefined;
    return { mirror, url: location.url, pieces: [piece], next: 0, filled: 0, duplicate: true };
  }

  /** Hands what a claim didn't bring to another one of the same resource, as far as that one will pass there anyway. */
  join(claim: Claim, stream: Claim): void {
    const offsetOf = (piece: Piece): number => stream.mirror.locate(piece)?.offset ?? -1;
    const arriving = stream.pieces[stream.next];
    if (arriving === undefined) return;
    const ahead = claim.pieces
      .slice(claim.next)
      .filter((piece) => piece.state === 'taken' && offsetOf(piece) > offsetOf(arriving));
    const rest = [...stream.pieces.splice(stream.next + 1), ...ahead];
    stream.pieces.push(...rest.sort((a, b) => offsetOf(a) - offsetOf(b)));
  }

  /** Gives back what a claim didn't bring, but for what others (still) bring too. */
  release(claim: Claim, others: Iterable<Claim>): void {
    const elsewhere = new Set<Piece>();
    for (const other of others) {
      if (other === claim) continue;
      for (const piece of other.pieces.slice(other.next)) elsewhere.add(piece);
    }
    for (const piece of claim.pieces.slice(claim.next)) {
      if (piece.state === 'taken' && !elsewhere.has(piece)) piece.state = 'open';
    }
  }

  select(test: (piece: Piece) => boolean): Piece[] {
    return this.#pieces.slice(this.#firstUndone).filter(test);
  }

  some(test: (piece: Piece) => boolean): boolean {
    for (let at = this.#firstUndone; at < this.#pieces.length; at++) if (test(this.#pieces[at]!)) return true;
    return false;
  }
}

/** Whether one request can bring both. */
export function adjacent(before: Location, after: Location): boolean {
  const gap = after.offset - (before.offset + before.length);
  return before.url === after.url && gap >= 0 && gap <= bridgeBytes;
}
