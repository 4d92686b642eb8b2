import type { Board, Claim } from './board.ts';
import type { Lanes } from './lanes.ts';
import type { Mirror } from './mirror.ts';
import type { Piece } from './piece.ts';

/** A piece that takes longer than this, and than so many times what it would take anew, is asked for once more. */
const duplicateAfterMs = 500;
const duplicateFactor = 3;
/** When most of a resource is wanted from its beginning on, it is asked for as a whole. */
const wholeShare = 0.85;

export interface Assignment {
  readonly mirror: Mirror;
  /** From a request to its first byte, as seen. */
  readonly latencyMs: number;
  readonly mayServe: (piece: Piece) => boolean;
  readonly board: Board;
  readonly lanes: Lanes;
  readonly now: number;
}

/** Work for one more connection to the mirror: what nobody has taken, else part of what another one has. */
export function assign(work: Assignment): Claim | undefined {
  const { mirror, mayServe, board } = work;
  if (!mirror.ranges) return board.claimAll(mirror, mayServe);
  return board.claim(mirror, mayServe) ?? takeOver(work) ?? duplicateSlow(work);
}

/** Of the connection that will take longest, the part that this one does in the same time. */
function takeOver({ mirror, latencyMs, mayServe, board, lanes, now }: Assignment): Claim | undefined {
  const ownRate = lanes.typicalRate(mirror);
  const slowestFirst = [...lanes]
    .map((lane) => ({ lane, milliseconds: lanes.timeLeft(lane, now) }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  for (const { lane, milliseconds } of slowestFirst) {
    const rest = lane.claim.pieces.length - lane.claim.next - 1;
    if (rest < 1 || milliseconds < 2 * latencyMs) continue;
    const share = Math.max(0.34, ownRate / (ownRate + lanes.expectedRate(lane, now)));
    const taken = board.split(lane.claim, Math.max(1, Math.round(rest * share)), mirror, mayServe);
    if (taken) return taken;
  }
  return undefined;
}

/** The last piece of a slow connection once more: whichever is first counts. */
function duplicateSlow({ mirror, latencyMs, mayServe, board, lanes, now }: Assignment): Claim | undefined {
  for (const lane of lanes) {
    const { claim } = lane;
    const piece = claim.pieces[claim.next];
    if (piece === undefined || claim.duplicate || lanes.isDoubled(piece)) continue;
    const rate = lanes.expectedRate(lane, now);
    const here = piece.archiveLength - claim.filled;
    const milliseconds = rate > 0 ? (here / rate) * 1000 : now - lane.startedAt;
    const anew = latencyMs + (piece.archiveLength / lanes.typicalRate(mirror)) * 1000;
    if (milliseconds > Math.max(duplicateAfterMs, duplicateFactor * anew))
      return board.duplicate(claim, mirror, mayServe);
  }
  return undefined;
}

/** Whether a claim is better asked for without a range. */
export function isWhole({ mirror, pieces }: Claim): boolean {
  if (!mirror.ranges) return true;
  const first = mirror.locate(pieces[0]!)!;
  const last = mirror.locate(pieces.at(-1)!)!;
  const behind = last.offset + last.length;
  return behind - first.offset >= wholeShare * first.size && first.offset <= (1 - wholeShare) * first.size;
}
