import type { ArchiveFormat } from '../../contract/chunk-index.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../http/types.ts';
import type { Board, Claim } from './board.ts';
import { MirrorFaultError, toFault } from './faults.ts';
import { type GrowthState, grow, newGrowth } from './growth.ts';
import { type Lane, runLane } from './lane.ts';
import type { Mirror } from './mirror.ts';
import { mirrorsFailed } from './mirrors-failed.ts';
import type { Piece } from './piece.ts';

const tickMs = 50;
/** Failures in a row, without a good chunk between them, after which a mirror is given up. */
const maxStrikes = 4;
/** Expired addresses and asked-for waits in a row. */
const maxPatience = 6;
/** Times that one mirror may send one chunk wrong. */
const maxWrong = 2;
/** Below this (bytes a second) over the whole stall timeout a connection counts as stalled. */
const minRate = 1000;
/** A mirror this much slower than another, after some seconds, is set aside. */
const hopelesslySlower = 20;
const slowAfterMs = 3000;
/** When most of a resource is wanted from its beginning on, it is asked for as a whole. */
const wholeShare = 0.85;

/** Where arrived slices go; see `Landing`. */
export interface Sink {
  fromSlice(piece: Piece, slice: Uint8Array, format: ArchiveFormat): Promise<string | undefined>;
  pressure(): Promise<void> | undefined;
  takeSaturation(): boolean;
  readonly busy: boolean;
}

/** A connection this old can be judged by having been overtaken. */
const overtakenMs = 300;

/** Share of its time that the main thread works: from here on more connections can't bring more. */
const busyLoop = 0.8;

/** How long a connection's rate is its average, and how long it may take to begin before it counts as silent. */
const youngMs = 400;
const beginningMs = 500;

interface Station {
  readonly mirror: Mirror;
  readonly growth: GrowthState;
  latencyMs: number;
}

export interface ConductOptions extends RunContext {
  readonly http: Http;
  readonly mirrors: readonly Mirror[];
  readonly board: Board;
  readonly landing: Sink;
  /** Called with each piece that a mirror brought. */
  readonly onPiece: (piece: Piece) => void;
}

/**
 * Fetches every piece of the board: hands out claims, watches the connections, moves work from slow to fast ones, and judges
 * mirrors by what they do. Ends when all pieces are done. Throws `remote` or `integrity` when no mirror is left,
 * errors of this machine, `interrupted`.
 */
export class Conductor {
  private readonly options: ConductOptions;
  private readonly board: Board;
  private readonly stations: readonly Station[];
  private readonly lanes = new Set<Lane>();
  private readonly startedAt = performance.now();
  private lastTick = this.startedAt;
  private failure: { readonly error: unknown } | undefined;
  private settle: (() => void) | undefined;
  private openLandings = 0;
  private loop = performance.eventLoopUtilization();
  private loopBusy = false;

  constructor(options: ConductOptions) {
    this.options = options;
    this.board = options.board;
    this.stations = options.mirrors.map((mirror) => ({ mirror, growth: newGrowth(), latencyMs: 50 }));
  }

  async run(): Promise<void> {
    const { signal } = this.options;
    const onAbort = (): void => this.fail(new AircherError('interrupted', 'Interrupted.'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setInterval(() => this.step(true), tickMs);
    try {
      await new Promise<void>((resolve) => {
        this.settle = resolve;
        this.step(false);
      });
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    if (this.failure) throw this.failure.error;
  }

  /** For faults outside of the lanes: a disk error of the local work. */
  fail(error: unknown): void {
    this.failure ??= { error };
    this.step(false);
  }

  /** Something changed: a local piece must be fetched after all, or the last one is done. */
  wake(): void {
    this.step(false);
  }

  private step(tick: boolean): void {
    if (this.failure !== undefined || this.board.finished) {
      for (const lane of this.lanes) this.cancel(lane);
      if (this.lanes.size === 0 && this.openLandings === 0) this.settle?.();
      return;
    }
    try {
      const now = performance.now();
      if (tick) this.measure(now);
      this.grow(now);
      this.startLanes(now);
      if (this.lanes.size === 0 && this.openLandings === 0) this.checkHope(now);
    } catch (error) {
      this.fail(error);
    }
  }

  // --- who may do what ---

  private readonly mayServe =
    (mirror: Mirror) =>
    (piece: Piece): boolean => {
      const wrong = piece.wrong.get(mirror) ?? 0;
      if (wrong >= maxWrong) return false;
      if (wrong === 0) return true;
      // Again from the same mirror only when no other is left to ask.
      return !this.stations.some(
        ({ mirror: other }) =>
          !other.gone && (piece.wrong.get(other) ?? 0) < wrong && other.locate(piece) !== undefined,
      );
    };

  /** Mirrors to ask now: the clean ones; where there is none, the doubtful ones. */
  private usable(now: number): Station[] {
    const present = this.stations.filter(({ mirror }) => !mirror.gone);
    const clean = present.filter(({ mirror }) => !mirror.doubtful);
    const helps = clean.some(({ mirror }) => this.mayHelp(mirror));
    const pool = helps ? clean : present;
    const ready = pool.filter(({ mirror }) => mirror.restUntil <= now);
    // The same host's raw files bring the same chunks with more bytes: they are for when its archive can't be had.
    return ready.filter(
      ({ mirror }) => !mirror.raw || !ready.some((other) => !other.mirror.raw && other.mirror.host === mirror.host),
    );
  }

  private mayHelp(mirror: Mirror): boolean {
    const mayServe = this.mayServe(mirror);
    return this.board.some((piece) => piece.state !== 'done' && mayServe(piece) && mirror.locate(piece) !== undefined);
  }

  private checkHope(now: number): void {
    const present = this.stations.filter(({ mirror }) => !mirror.gone);
    const served = (piece: Piece): boolean =>
      present.some(({ mirror }) => this.mayServe(mirror)(piece) && mirror.locate(piece) !== undefined);
    if (this.board.some((piece) => piece.state === 'open' && !served(piece))) throw mirrorsFailed(this.options.mirrors);
    // What is left rests until its time, or is local work.
    for (const station of present) {
      if (station.mirror.restUntil <= now && station.growth.wanted === 0) station.growth.wanted = 1;
    }
  }

  // --- lanes ---

  private grow(now: number): void {
    const usable = this.usable(now);
    const saturated = this.options.landing.takeSaturation() || this.loopBusy || this.options.http.pace(0) > 0;
    grow({
      now,
      startedAt: this.startedAt,
      saturated,
      bytesLeft: this.board.bytesLeft(),
      mirrors: usable.map((station) => {
        const lanes = [...this.lanes].filter((lane) => lane.claim.mirror === station.mirror);
        return {
          growth: station.growth,
          rate: lanes.reduce((sum, lane) => sum + lane.rate, 0),
          flowing: lanes.filter((lane) => lane.flowingSince !== undefined).length,
          latencyMs: station.latencyMs,
        };
      }),
    });
  }

  private startLanes(now: number): void {
    for (const station of this.usable(now)) {
      for (;;) {
        const running = [...this.lanes].filter((lane) => lane.claim.mirror === station.mirror).length;
        const limit = station.mirror.ranges ? station.growth.wanted : Math.min(1, station.growth.wanted);
        if (running >= limit || this.lanes.size >= this.options.http.settings.connections) break;
        const claim = this.claimFor(station, now);
        if (claim === undefined) break;
        this.start(claim, station);
      }
    }
  }

  private claimFor(station: Station, now: number): Claim | undefined {
    const { mirror } = station;
    const mayServe = this.mayServe(mirror);
    if (!mirror.ranges) return this.board.claimAll(mirror, mayServe);
    return this.board.claim(mirror, mayServe) ?? this.takeOver(station, mayServe, now);
  }

  /** Work of a connection that will take longest: the part that this one does in the same time, or its last piece once more. */
  private takeOver(station: Station, mayServe: (piece: Piece) => boolean, now: number): Claim | undefined {
    const { mirror } = station;
    const ownRate = this.typicalRate(mirror);
    const slowestFirst = [...this.lanes]
      .map((lane) => ({ lane, milliseconds: this.timeLeft(lane, now) }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
    for (const { lane, milliseconds } of slowestFirst) {
      const rest = lane.claim.pieces.length - lane.claim.next - 1;
      if (rest < 1 || milliseconds < 2 * station.latencyMs) continue;
      const share = Math.max(0.34, ownRate / (ownRate + this.expectedRate(lane, now)));
      const taken = this.board.split(lane.claim, Math.max(1, Math.round(rest * share)), mirror, mayServe);
      if (taken) return taken;
    }
    return this.duplicateSlow(station, mayServe, now);
  }

  private duplicateSlow(station: Station, mayServe: (piece: Piece) => boolean, now: number): Claim | undefined {
    for (const lane of this.lanes) {
      const { claim } = lane;
      const piece = claim.pieces[claim.next];
      if (piece === undefined || claim.duplicate || this.isDoubled(piece)) continue;
      const here = piece.archiveLength - claim.filled;
      const rate = this.expectedRate(lane, now);
      const milliseconds = rate > 0 ? (here / rate) * 1000 : now - lane.startedAt;
      const anew = station.latencyMs + (piece.archiveLength / Math.max(1, this.typicalRate(station.mirror))) * 1000;
      if (milliseconds > Math.max(500, 3 * anew)) return this.board.duplicate(claim, station.mirror, mayServe);
    }
    return undefined;
  }

  private isDoubled(piece: Piece): boolean {
    for (const { claim } of this.lanes) if (claim.duplicate && claim.pieces[claim.next] === piece) return true;
    return false;
  }

  private timeLeft(lane: Lane, now: number): number {
    const { claim } = lane;
    let bytes = -claim.filled;
    for (let at = claim.next; at < claim.pieces.length; at++) bytes += claim.pieces[at]!.archiveLength;
    const rate = this.expectedRate(lane, now);
    return rate > 0 ? (bytes / rate) * 1000 : Number.MAX_VALUE;
  }

  /** A connection that has only begun is expected to be like the others. */
  private expectedRate(lane: Lane, now: number): number {
    const since = lane.flowingSince ?? lane.startedAt;
    const begun = lane.flowingSince === undefined ? now - since < beginningMs : now - since < youngMs / 4;
    return begun ? this.typicalRate(lane.claim.mirror) : lane.rate;
  }

  /** What a connection to this mirror brings, as far as seen; else what the others bring. */
  private typicalRate(mirror: Mirror): number {
    const flowing = [...this.lanes].filter((lane) => lane.rate > 0);
    const own = flowing.filter((lane) => lane.claim.mirror === mirror);
    const pool = own.length > 0 ? own : flowing;
    const best = Math.max(0, ...pool.map((lane) => lane.rate));
    return best > 0 ? best : 1_000_000;
  }

  private start(claim: Claim, station: Station): void {
    const lane: Lane = {
      claim,
      abort: new AbortController(),
      startedAt: performance.now(),
      flowingSince: undefined,
      bytes: 0,
      seenBytes: 0,
      rate: 0,
      direct: undefined,
      cancelled: false,
      whole: this.asWhole(claim),
    };
    this.lanes.add(lane);
    const ended = (): void => {
      this.lanes.delete(lane);
      this.board.release(
        claim,
        [...this.lanes].map((other) => other.claim),
      );
    };
    runLane(lane, {
      http: this.options.http,
      onSlice: (piece, slice, location) => {
        this.land(claim.mirror, piece, slice, location.format);
        return this.options.landing.pressure();
      },
    }).then(
      () => {
        ended();
        this.step(false);
      },
      async (error: unknown) => {
        try {
          if (!lane.cancelled) await this.judge(station, lane, error);
        } catch (unexpected) {
          this.failure ??= { error: unexpected };
        }
        ended();
        this.step(false);
      },
    );
  }

  private asWhole(claim: Claim): boolean {
    if (!claim.mirror.ranges) return true;
    const first = claim.mirror.locate(claim.pieces[0]!)!;
    const last = claim.mirror.locate(claim.pieces.at(-1)!)!;
    const behind = last.offset + last.length;
    return behind - first.offset >= wholeShare * first.size && first.offset <= (1 - wholeShare) * first.size;
  }

  private land(mirror: Mirror, piece: Piece, slice: Buffer, format: ArchiveFormat): void {
    if (piece.state === 'done' || piece.state === 'landing') return;
    piece.state = 'landing';
    mirror.patience = 0;
    this.openLandings++;
    this.options.landing
      .fromSlice(piece, slice, format)
      .then(
        (wrong) => {
          if (wrong === undefined) {
            mirror.chunks++;
            mirror.strikes = 0;
            this.board.finish(piece);
            this.options.onPiece(piece);
            this.cancelServed(piece, mirror);
          } else {
            piece.state = 'open';
            piece.wrong.set(mirror, (piece.wrong.get(mirror) ?? 0) + 1);
            this.distrust(mirror, `${mirror.host}: sends wrong bytes (${wrong})`);
          }
        },
        (error: unknown) => {
          this.failure ??= { error };
        },
      )
      .finally(() => {
        this.openLandings--;
        if (this.openLandings === 0 || this.failure) this.step(false);
      });
  }

  private cancel(lane: Lane): void {
    lane.cancelled = true;
    lane.abort.abort();
  }

  /** Connections that bring nothing but this piece have nothing to do any more. */
  private cancelServed(piece: Piece, by: Mirror): void {
    for (const lane of this.lanes) {
      const { claim } = lane;
      if (claim.pieces[claim.next] !== piece || claim.next + 1 < claim.pieces.length) continue;
      this.cancel(lane);
      if (claim.mirror !== by) this.noteOvertaken(lane, by);
    }
  }

  /** What had to be brought by another mirror although it was on its way says something, where the difference is great. */
  private noteOvertaken(lane: Lane, by: Mirror): void {
    const { mirror } = lane.claim;
    const age = performance.now() - lane.startedAt;
    const average = (lane.bytes / age) * 1000;
    if (age < overtakenMs || average * hopelesslySlower > this.typicalRate(by)) return;
    const message =
      lane.bytes === 0
        ? `${mirror.host}: no byte in ${(age / 1000).toFixed(1)} s`
        : `${mirror.host}: ${Math.round(average)} bytes a second`;
    mirror.note(lane.bytes === 0 ? 'stalled' : 'slow', message);
    this.announce(mirror, message);
  }

  // --- judging ---

  private measure(now: number): void {
    const seconds = (now - this.lastTick) / 1000;
    this.lastTick = now;
    const loop = performance.eventLoopUtilization();
    this.loopBusy = performance.eventLoopUtilization(loop, this.loop).utilization > busyLoop;
    this.loop = loop;
    if (seconds <= 0) return;
    for (const lane of this.lanes) {
      const rate = (lane.bytes - lane.seenBytes) / seconds;
      lane.seenBytes = lane.bytes;
      if (lane.flowingSince !== undefined) {
        const flowing = Math.max(1, now - lane.flowingSince);
        // The average at first, so that a connection is judged by all that is known of it.
        lane.rate = flowing < youngMs ? (lane.bytes / flowing) * 1000 : lane.rate * 0.7 + rate * 0.3;
        const station = this.stations.find(({ mirror }) => mirror === lane.claim.mirror)!;
        station.latencyMs = Math.min(2000, lane.flowingSince - lane.startedAt);
      }
    }
    const best = Math.max(0, ...[...this.lanes].map((lane) => lane.rate));
    for (const lane of this.lanes) this.judgeSpeed(lane, best, now);
  }

  private judgeSpeed(lane: Lane, best: number, now: number): void {
    const { http } = this.options;
    const age = now - lane.startedAt;
    if (lane.cancelled || this.options.landing.busy || http.pace(0) > 0) return;
    const average = (lane.bytes / age) * 1000;
    const other = [...this.lanes].some(
      (candidate) => candidate.claim.mirror !== lane.claim.mirror && candidate.rate === best,
    );
    const far = other && age > Math.min(slowAfterMs, http.settings.stallTimeoutMs) && average * hopelesslySlower < best;
    const dead = age > http.settings.stallTimeoutMs && average < minRate;
    if (!far && !dead) return;
    const station = this.stations.find(({ mirror }) => mirror === lane.claim.mirror)!;
    this.cancel(lane);
    this.strike(
      station,
      new MirrorFaultError('slow', `${lane.claim.mirror.host}: ${Math.round(average)} bytes a second`, 'retry'),
    );
  }

  private async judge(station: Station, lane: Lane, error: unknown): Promise<void> {
    const { claim } = lane;
    const fault = toFault(error);
    const { mirror } = station;
    if (fault.remedy === 'resolve') {
      if (!mirror.forget(claim.url, lane.direct)) return;
      mirror.patience++;
      // The first one is the way of signed addresses; it counts for nothing.
      if (mirror.patience > maxPatience) this.giveUp(mirror, fault);
      else if (mirror.patience > 1) this.rest(station, fault, this.backoff(mirror.patience - 1));
      return;
    }
    if (fault.kind === 'missing' || fault.kind === 'denied') {
      if (await mirror.findByApi(this.options.http, claim.url, this.options.signal ?? new AbortController().signal))
        return;
    }
    if (fault.remedy === 'never') this.giveUp(mirror, fault);
    else if (fault.kind === 'no-ranges') this.noRanges(station, claim, fault);
    else if (fault.remedy === 'wait') this.busy(station, fault);
    else this.strike(station, fault);
  }

  /** It is read through as a whole from now on, and only where nobody else can be asked. */
  private noRanges(station: Station, claim: Claim, fault: MirrorFaultError): void {
    const { mirror } = station;
    mirror.ranges = false;
    mirror.note(fault.kind, fault.message);
    const stream = [...this.lanes].find((lane) => lane.whole && lane.claim.url === claim.url && lane.claim !== claim);
    if (stream) this.board.join(claim, stream.claim);
    const others = this.stations.some(
      (other) => other !== station && !other.mirror.gone && other.mirror.ranges && !other.mirror.doubtful,
    );
    if (!others) return;
    mirror.doubtful = true;
    this.announce(mirror, fault.message);
  }

  private busy(station: Station, fault: MirrorFaultError): void {
    const { mirror } = station;
    mirror.patience++;
    const waitMs = fault.waitMs ?? this.backoff(mirror.patience) * 2;
    if (mirror.patience > maxPatience || waitMs > this.options.http.settings.maxRetryAfterMs)
      this.giveUp(mirror, fault);
    else this.rest(station, fault, waitMs);
  }

  private strike(station: Station, fault: MirrorFaultError): void {
    const { mirror } = station;
    mirror.strikes++;
    if (mirror.strikes >= maxStrikes) this.giveUp(mirror, fault);
    else this.rest(station, fault, this.backoff(mirror.strikes));
  }

  private backoff(times: number): number {
    const base = this.options.http.settings.retryDelayMs * 2 ** (times - 1);
    return Math.min(10_000, base) * (0.75 + Math.random() / 2);
  }

  /** Not asked for a while. Where another one can be, that is setting it aside. */
  private rest(station: Station, fault: MirrorFaultError, delayMs: number): void {
    const { mirror } = station;
    mirror.note(fault.kind, fault.message);
    mirror.restUntil = Math.max(mirror.restUntil, performance.now() + delayMs);
    // It begins again with one connection.
    Object.assign(station.growth, { ...newGrowth(), wanted: 1, settled: true });
    const alternative = this.stations.some(
      (other) => other !== station && !other.mirror.gone && other.mirror.restUntil <= performance.now(),
    );
    if (alternative) this.announce(mirror, fault.message);
    else
      this.options.onEvent?.({ type: 'retry', what: mirror.name, reason: fault.message, delayMs: Math.round(delayMs) });
  }

  private distrust(mirror: Mirror, message: string): void {
    mirror.note('wrong-bytes', message);
    mirror.doubtful = true;
    this.announce(mirror, message);
    for (const lane of this.lanes) if (lane.claim.mirror === mirror) this.cancel(lane);
    const times = mirror.faults.get('wrong-bytes')?.times ?? 0;
    if (times > 8) this.giveUp(mirror, new MirrorFaultError('wrong-bytes', message, 'never'));
  }

  private giveUp(mirror: Mirror, fault: MirrorFaultError): void {
    mirror.note(fault.kind, fault.message);
    mirror.gone = { kind: fault.kind, message: fault.message };
    mirror.announced = false;
    this.announce(mirror, fault.message);
    for (const lane of this.lanes) if (lane.claim.mirror === mirror) this.cancel(lane);
  }

  private announce(mirror: Mirror, reason: string): void {
    if (mirror.announced) return;
    mirror.announced = true;
    this.options.onEvent?.({ type: 'mirror-set-aside', mirror: mirror.name, reason });
  }
}
