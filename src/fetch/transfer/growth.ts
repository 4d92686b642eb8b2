/**
 * How many connections each mirror gets. One to the first mirror; where the network, not this machine, is what holds things up: more
 * to that mirror and one to each other. A mirror gets more again as long as that brought more bytes a second.
 */

const firstConnections = 4;
const connectionsPerHost = 8;
/** More connections must bring this much more. */
const worthwhile = 1.25;
/** No other mirror is asked before the first one had so long to begin. */
const headStartMs = 400;
/** Not worth a connection any more. */
const nearEndMs = 120;

export interface GrowthState {
  wanted: number;
  /** Rate (bytes a second) when `wanted` was last raised. */
  rateBefore: number;
  raisedAt: number;
  settled: boolean;
}

export function newGrowth(): GrowthState {
  return { wanted: 0, rateBefore: 0, raisedAt: 0, settled: false };
}

export interface GrowthView {
  readonly now: number;
  readonly startedAt: number;
  /** This machine was busy or a limit held the bytes back: more connections can't help. */
  readonly saturated: boolean;
  /** Bytes that nobody has delivered. */
  readonly bytesLeft: number;
  /** Usable mirrors, the preferred one first. */
  readonly mirrors: readonly {
    readonly growth: GrowthState;
    /** Bytes a second of all its connections. */
    readonly rate: number;
    readonly flowing: number;
    /** Milliseconds from a request to its first byte. */
    readonly latencyMs: number;
  }[];
}

/** Raises `wanted` where that is worth it. */
export function grow(view: GrowthView): void {
  const { now, mirrors } = view;
  const [first, ...others] = mirrors;
  if (first === undefined) return;
  if (first.growth.wanted === 0) raise(first, 1, now);
  const total = mirrors.reduce((sum, mirror) => sum + mirror.rate, 0);
  if (view.saturated || (total > 0 && (view.bytesLeft / total) * 1000 < nearEndMs)) return;
  for (const mirror of mirrors) {
    const { growth, rate } = mirror;
    // What the first connection brings says enough; of several, the last must have begun to bring something too.
    const settling = growth.wanted > 1 && now - growth.raisedAt < Math.max(60, 1.5 * mirror.latencyMs);
    if (growth.settled || settling || mirror.flowing < growth.wanted || rate === 0) continue;
    if (growth.wanted === 1) raise(mirror, firstConnections, now);
    else if (rate >= worthwhile * growth.rateBefore)
      raise(mirror, Math.min(growth.wanted * 2, connectionsPerHost), now);
    else growth.settled = true;
    if (growth.wanted >= connectionsPerHost) growth.settled = true;
  }
  const waited = now - view.startedAt;
  for (const other of others) {
    if (other.growth.wanted === 0 && (first.rate > 0 ? first.growth.wanted > 1 : waited > headStartMs))
      raise(other, 1, now);
  }
}

function raise(mirror: GrowthView['mirrors'][number], wanted: number, now: number): void {
  mirror.growth.rateBefore = mirror.rate;
  mirror.growth.wanted = wanted;
  mirror.growth.raisedAt = now;
}
