/**
 * How many connections each mirror gets. One to the first mirror; where the network, not this machine, is what holds things up,
 * eight to it and one to each other. Where they only share what one had, the mirror gets three.
 */

const manyConnections = 8;
const fewConnections = 3;
/** More connections must bring this much more. */
const worthwhile = 1.5;
/** Bytes come in bursts: a rate is of at least so long. */
const shortestMs = 50;
const windowMs = 150;
/** So long the first connection is left alone: a small model is there by then. */
const aloneMs = 30;
/** No other mirror is asked before the first one had so long to begin. */
const headStartMs = 400;
/** Not worth a connection any more. */
const nearEndMs = 120;

export interface GrowthState {
  wanted: number;
  /** Bytes a second of the first connection alone; undefined while it is that. */
  alone: number | undefined;
  /** The beginning of the time that is looked at. */
  since: { readonly at: number; readonly bytes: number } | undefined;
  settled: boolean;
}

export function newGrowth(): GrowthState {
  return { wanted: 0, alone: undefined, since: undefined, settled: false };
}

export interface MirrorView {
  readonly growth: GrowthState;
  /** Bytes of all its connections so far. */
  readonly bytes: number;
  /** Bytes a second now. */
  readonly rate: number;
  /** When its connections began to bring something, the earliest first. */
  readonly flowing: readonly number[];
}

export interface GrowthView {
  readonly now: number;
  readonly startedAt: number;
  /** This machine was busy or a limit held the bytes back: more connections can't help. */
  readonly saturated: boolean;
  /** Bytes that nobody has delivered. */
  readonly bytesLeft: number;
  /** Usable mirrors, the preferred one first. */
  readonly mirrors: readonly MirrorView[];
}

/** Changes `wanted` where that is worth it. */
export function grow(view: GrowthView): void {
  const { now, mirrors } = view;
  const [first, ...others] = mirrors;
  if (first === undefined) return;
  first.growth.wanted ||= 1;
  const total = mirrors.reduce((sum, mirror) => sum + mirror.rate, 0);
  if (view.saturated || (total > 0 && (view.bytesLeft / total) * 1000 < nearEndMs)) return;
  for (const mirror of mirrors) if (!mirror.growth.settled) growOne(mirror, now);
  const asked = first.flowing.length > 0 ? first.growth.wanted > 1 : now - view.startedAt > headStartMs;
  if (asked) for (const { growth } of others) growth.wanted ||= 1;
}

function growOne({ growth, bytes, flowing }: MirrorView, now: number): void {
  const rateSince = ({ at, bytes: before }: { readonly at: number; readonly bytes: number }): number =>
    ((bytes - before) / Math.max(shortestMs, now - at)) * 1000;
  const [begin, second] = flowing;
  if (growth.wanted === 0) return;
  if (growth.wanted === 1) {
    if (begin !== undefined && now - begin >= aloneMs) growth.wanted = manyConnections;
  } else if (growth.alone === undefined) {
    if (begin !== undefined && second !== undefined) growth.alone = rateSince({ at: begin, bytes: 0 });
  } else if (flowing.length >= growth.wanted) {
    growth.since ??= { at: now, bytes };
    if (now - growth.since.at < windowMs) return;
    growth.wanted = rateSince(growth.since) >= worthwhile * growth.alone ? manyConnections : fewConnections;
    growth.settled = true;
  }
}
