import type { Http } from '../../http/http-client.ts';
import { readBody } from '../../http/read-body.ts';
import { hostOf } from '../../http/remote-error.ts';
import { checkAnswer } from './answer.ts';
import type { Claim } from './board.ts';
import { MirrorFaultError } from './faults.ts';
import { freeRead } from './free-large.ts';
import type { Location } from './mirror.ts';
import type { Piece } from './piece.ts';

/** A body that ends at most this far behind the last piece is read to its end, so that the connection can be used again. */
const politeTailBytes = 64 * 1024;

/** One request that is under way for one claim. */
export interface Lane {
  readonly claim: Claim;
  readonly abort: AbortController;
  readonly startedAt: number;
  /** When the first byte of the body came. */
  flowingSince: number | undefined;
  /** When the last bytes came; its beginning, as long as none did. */
  lastByteAt: number;
  bytes: number;
  /** Bytes at the last look, and the rate since (bytes a second, smoothed). */
  seenBytes: number;
  rate: number;
  /** The address of an earlier redirect that it was sent to. */
  direct: string | undefined;
  /** Ended by ourselves: its end is no fault. */
  cancelled: boolean;
  /** A plain GET of the whole resource instead of a range. */
  readonly whole: boolean;
}

export interface LaneWork {
  readonly http: Http;
  /** Gets every complete slice, which belongs to it then; a promise holds the connection. */
  readonly onSlice: (piece: Piece, slice: Buffer, location: Location) => Promise<void> | undefined;
}

/**
 * Runs one request until its claim is served, is given to others, or fails. Throws MirrorFaultError, or the errors of
 * `Http.request` and `readBody`.
 */
export async function runLane(lane: Lane, work: LaneWork): Promise<void> {
  const { claim } = lane;
  const { mirror } = claim;
  const first = mirror.locate(claim.pieces[0]!)!;
  const last = mirror.locate(claim.pieces.at(-1)!)!;
  const range = lane.whole ? undefined : ([first.offset, last.offset + last.length] as const);
  const { response, direct } = await mirror.open(work.http, claim.url, range, lane.abort.signal);
  lane.direct = direct;
  const span = checkAnswer(response, { range, size: first.size, direct: direct !== undefined });
  let position = span.start;
  let slice: Buffer | undefined;
  let current: Piece | undefined;
  let location = first;

  await readBody(response, {
    stallTimeoutMs: work.http.settings.stallTimeoutMs,
    pace: work.http.pace,
    onData(data) {
      lane.lastByteAt = performance.now();
      lane.flowingSince ??= lane.lastByteAt;
      lane.bytes += data.length;
      mirror.bytes += data.length;
      let held: Promise<void> | undefined;
      for (let from = 0; from < data.length; ) {
        const piece = claim.pieces[claim.next];
        if (piece === undefined) break;
        if (piece !== current) {
          current = piece;
          location = mirror.locate(piece)!;
        }
        if (piece.state === 'done' || position > location.offset + claim.filled) {
          // Somebody else was faster.
          claim.next++;
          claim.filled = 0;
          slice = undefined;
          continue;
        }
        const skip = Math.min(location.offset + claim.filled - position, data.length - from);
        if (skip > 0) {
          position += skip;
          from += skip;
          continue;
        }
        slice ??= Buffer.allocUnsafeSlow(location.length);
        const take = Math.min(location.length - claim.filled, data.length - from);
        data.copy(slice, claim.filled, from, from + take);
        claim.filled += take;
        position += take;
        from += take;
        if (claim.filled === location.length) {
          const full = slice;
          slice = undefined;
          claim.next++;
          claim.filled = 0;
          held = work.onSlice(piece, full, location) ?? held;
        }
      }
      freeRead(data);
      if (claim.next >= claim.pieces.length && span.end - position > politeTailBytes) return 'stop';
      return held;
    },
  });
  if (claim.next < claim.pieces.length && claim.pieces.slice(claim.next).some((piece) => piece.state !== 'done')) {
    throw new MirrorFaultError('truncated', `${hostOf(response.url)}: the answer ends too early`, 'retry');
  }
}
