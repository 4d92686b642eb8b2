import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import type { Board } from './board.ts';
import { MirrorFaultError, toFault } from './faults.ts';
import { type GrowthState, newGrowth } from './growth.ts';
import type { Lane } from './lane.ts';
import { hopelesslySlower, type Lanes, unknownRate } from './lanes.ts';
import type { Mirror } from './mirror.ts';
import { mirrorsFailed } from './mirrors-failed.ts';
import type { Piece } from './piece.ts';

/** Failures in a row, without a good chunk between them, after which a mirror is given up. */
const maxStrikes = 4;
/** Expired addresses and asked-for waits in a row. */
const maxPatience = 6;
/** Times that one mirror may send one chunk wrong, and chunks in all. */
const maxWrong = 2;
const maxWrongInAll = 8;
/** A mirror that is hopelessly slower than another, after so long, is set aside. */
const slowAfterMs = 3000;
/** A connection this old can be judged by having been overtaken. */
const overtakenMs = 300;
/** One that was overtaken after so long without a byte had fallen silent, whatever it brought before. */
const silentMs = 500;

/** A mirror, and how many connections it gets. */
export interface Station {
  readonly mirror: Mirror;
  readonly growth: GrowthState;
  /** From a request to its first byte. */
  latencyMs: number;
}

export interface JudgeOptions extends RunContext {
  readonly http: Http;
  readonly mirrors: readonly Mirror[];
  readonly board: Board;
  readonly lanes: Lanes;
}

/** Knows which mirrors may be asked for what, and changes its mind by what they do. */
export class Judge {
  readonly #options: JudgeOptions;
  readonly stations: readonly Station[];

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.stations = options.mirrors.map((mirror) => ({ mirror, growth: newGrowth(), latencyMs: 50 }));
  }

  /** Whether a mirror may be asked for a piece: not where it sent it wrong, as long as another can be asked. */
  mayServe(mirror: Mirror, piece: Piece): boolean {
    const wrong = piece.wrong.get(mirror) ?? 0;
    if (wrong === 0) return true;
    if (wrong >= maxWrong) return false;
    return !this.stations.some(
      ({ mirror: other }) => !other.gone && (piece.wrong.get(other) ?? 0) < wrong && other.locate(piece) !== undefined,
    );
  }

  /** Mirrors to ask now, the preferred ones first: the clean ones; where none of them can help, the doubtful ones. */
  usable(now: number): Station[] {
    const present = this.stations.filter(({ mirror }) => !mirror.gone);
    const clean = present.filter(({ mirror }) => !mirror.doubtful);
    const pool = clean.some(({ mirror }) => this.#canHelp(mirror)) ? clean : present;
    const ready = pool.filter(({ mirror }) => mirror.restUntil <= now);
    // The same host's raw files bring the same chunks with more bytes: they are for when its archive can't be had.
    return ready.filter(
      ({ mirror }) => !mirror.raw || !ready.some((other) => !other.mirror.raw && other.mirror.host === mirror.host),
    );
  }

  #canHelp(mirror: Mirror): boolean {
    return this.#options.board.some(
      (piece) => piece.state !== 'done' && this.mayServe(mirror, piece) && mirror.locate(piece) !== undefined,
    );
  }

  /** Throws where a piece is left that no mirror can bring; what no file needs is done without where files come as they are. */
  checkHope(now: number): void {
    const present = this.stations.filter(({ mirror }) => !mirror.gone);
    const raw = present.some(({ mirror }) => mirror.raw);
    const { board, mirrors } = this.#options;
    const unserved = board.select(
      (piece) =>
        piece.state === 'open' &&
        !present.some(({ mirror }) => this.mayServe(mirror, piece) && mirror.locate(piece) !== undefined),
    );
    for (const piece of unserved) {
      if (!raw || !piece.frame) throw mirrorsFailed(mirrors);
      board.finish(piece);
    }
    // What is left rests until its time, or is local work.
    for (const { mirror, growth } of present) if (mirror.restUntil <= now && growth.wanted === 0) growth.wanted = 1;
  }

  /** A request failed. Throws what isn't the mirror's fault. */
  async failed(lane: Lane, error: unknown): Promise<void> {
    const fault = toFault(error);
    const { http, signal } = this.#options;
    const { mirror, url } = lane.claim;
    const station = this.#stationOf(mirror);
    if (fault.remedy === 'resolve' && !mirror.forget(url, lane.direct)) return;
    if (fault.kind === 'missing' || fault.kind === 'denied') {
      if (await mirror.findByApi(http, url, signal ?? new AbortController().signal)) return;
    }
    if (fault.remedy === 'never') this.#giveUp(mirror, fault);
    else if (fault.kind === 'no-ranges') this.#noRanges(lane, fault);
    // Connections that fail together met one and the same trouble.
    else if (lane.startedAt < mirror.judgedAt) mirror.note(fault.kind, fault.message);
    else if (fault.remedy === 'resolve') this.#expired(station, fault);
    else if (fault.remedy === 'wait') this.#busy(station, fault);
    else this.#strike(station, fault);
  }

  /** A slice was not the chunk that it should be. */
  sentWrong(mirror: Mirror, piece: Piece, fact: string): void {
    piece.wrong.set(mirror, (piece.wrong.get(mirror) ?? 0) + 1);
    const message = `${mirror.host}: sends wrong bytes (${fact})`;
    mirror.note('wrong-bytes', message);
    mirror.doubtful = true;
    this.#announce(mirror, message);
    this.#options.lanes.cancelAll(mirror);
    const times = mirror.faults.get('wrong-bytes')?.times ?? 0;
    if (times > maxWrongInAll) mirror.gone = { kind: 'wrong-bytes', message };
  }

  /** Sets mirrors aside that are hopelessly slower than another one that is at work. */
  compareSpeeds(now: number): void {
    const { lanes, http } = this.#options;
    for (const lane of lanes) {
      const { mirror } = lane.claim;
      const age = now - lane.startedAt;
      if (lane.cancelled || age < Math.min(slowAfterMs, http.settings.stallTimeoutMs)) continue;
      const average = (lane.bytes / age) * 1000;
      if (average * hopelesslySlower >= lanes.bestRate((other) => other !== mirror)) continue;
      lanes.cancel(lane);
      this.#strike(this.#stationOf(mirror), slowness(lane, now));
    }
  }

  /** What had to be brought by another mirror although it was on its way says something, where the difference is great. */
  overtaken(lane: Lane, by: Mirror): void {
    const { mirror } = lane.claim;
    const now = performance.now();
    const age = now - lane.startedAt;
    const average = (lane.bytes / age) * 1000;
    const isSlow = age >= overtakenMs && average * hopelesslySlower <= (by.seenRate || unknownRate);
    if (!isSlow && now - lane.lastByteAt < silentMs) return;
    const { kind, message } = slowness(lane, now);
    mirror.note(kind, message);
    this.#announce(mirror, message);
  }

  /** The first time is the way of signed addresses, and counts for nothing. */
  #expired(station: Station, fault: MirrorFaultError): void {
    const { mirror } = station;
    mirror.patience++;
    if (mirror.patience > maxPatience) this.#giveUp(mirror, fault);
    else if (mirror.patience > 1) this.#rest(station, fault, this.#backoff(mirror.patience - 1));
  }

  /** It is read through as a whole from now on, and only where nobody else can be asked. */
  #noRanges({ claim }: Lane, fault: MirrorFaultError): void {
    const { mirror } = claim;
    const { lanes, board } = this.#options;
    mirror.ranges = false;
    mirror.note(fault.kind, fault.message);
    const same = lanes.of(mirror).filter((lane) => lane.claim.url === claim.url);
    const stream = same.find((lane) => lane.whole && lane.claim !== claim);
    if (stream) {
      // The others would meet the same.
      for (const lane of same) {
        if (lane === stream) continue;
        board.join(lane.claim, stream.claim);
        lanes.cancel(lane);
      }
    }
    const others = this.stations.some(
      ({ mirror: other }) => other !== mirror && !other.gone && other.ranges && !other.doubtful,
    );
    if (!others) return;
    mirror.doubtful = true;
    this.#announce(mirror, fault.message);
  }

  #busy(station: Station, fault: MirrorFaultError): void {
    const { mirror, growth } = station;
    mirror.patience++;
    growth.wanted = 1;
    const waitMs = fault.waitMs ?? 2 * this.#backoff(mirror.patience);
    const tooLong = waitMs > this.#options.http.settings.maxRetryAfterMs;
    if (mirror.patience > maxPatience || tooLong) this.#giveUp(mirror, fault);
    else this.#rest(station, fault, waitMs);
  }

  #strike(station: Station, fault: MirrorFaultError): void {
    const { mirror } = station;
    mirror.strikes++;
    if (mirror.strikes >= maxStrikes) this.#giveUp(mirror, fault);
    else this.#rest(station, fault, this.#backoff(mirror.strikes));
  }

  #backoff(times: number): number {
    const base = this.#options.http.settings.retryDelayMs * 2 ** (times - 1);
    return Math.min(10_000, base) * (0.75 + Math.random() / 2);
  }

  /** Not asked for a while. Where another one can be, that is setting it aside. */
  #rest(station: Station, fault: MirrorFaultError, delayMs: number): void {
    const { mirror, growth } = station;
    const now = performance.now();
    mirror.note(fault.kind, fault.message);
    mirror.judgedAt = now;
    mirror.restUntil = Math.max(mirror.restUntil, now + delayMs);
    growth.wanted = Math.max(1, Math.floor(growth.wanted / 2));
    growth.settled = true;
    const alternative = this.stations.some(
      ({ mirror: other }) => other !== mirror && !other.gone && other.restUntil <= now,
    );
    const { onEvent } = this.#options;
    if (alternative) this.#announce(mirror, fault.message);
    else onEvent?.({ type: 'retry', what: mirror.name, reason: fault.message, delayMs: Math.round(delayMs) });
  }

  #giveUp(mirror: Mirror, fault: MirrorFaultError): void {
    mirror.note(fault.kind, fault.message);
    mirror.gone = { kind: fault.kind, message: fault.message };
    mirror.announced = false;
    this.#announce(mirror, fault.message);
    this.#options.lanes.cancelAll(mirror);
  }

  #announce(mirror: Mirror, reason: string): void {
    if (mirror.announced) return;
    mirror.announced = true;
    this.#options.onEvent?.({ type: 'mirror-set-aside', mirror: mirror.name, reason });
  }

  #stationOf(mirror: Mirror): Station {
    return this.stations.find((station) => station.mirror === mirror)!;
  }
}

function slowness(lane: Lane, now: number): MirrorFaultError {
  const { bytes, startedAt, lastByteAt, claim } = lane;
  const { host } = claim.mirror;
  const silence = now - lastByteAt;
  if (bytes === 0 || silence >= silentMs)
    return new MirrorFaultError('stalled', `${host}: no byte in ${(silence / 1000).toFixed(1)} s`, 'retry');
  const rate = Math.round((bytes / (now - startedAt)) * 1000);
  return new MirrorFaultError('slow', `${host}: ${rate} bytes a second`, 'retry');
}
