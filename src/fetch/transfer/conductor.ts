import type { ArchiveFormat } from '../../contract/chunk-index.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { assign, isWhole } from './assign.ts';
import type { Board, Claim } from './board.ts';
import { grow } from './growth.ts';
import { Judge } from './judge.ts';
import { type Lane, runLane } from './lane.ts';
import { Lanes } from './lanes.ts';
import type { Mirror } from './mirror.ts';
import type { Piece } from './piece.ts';

const tickMs = 25;
/** Share of its time that the main thread works: from here on more connections can't bring more. */
const busyLoop = 0.8;

/** Where arrived slices go; see `Landing`. */
export interface Sink {
  fromSlice(piece: Piece, slice: Uint8Array, format: ArchiveFormat): Promise<string | undefined>;
  pressure(): Promise<void> | undefined;
  takeSaturation(): boolean;
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
 * Fetches every piece of the board: hands out claims, watches the connections, moves work from slow to fast ones, and has
 * mirrors judged by what they do. Ends when all pieces are done. Throws `remote` or `integrity` when no mirror is left,
 * errors of this machine, `interrupted`.
 */
export class Conductor {
  readonly #options: ConductOptions;
  readonly #lanes = new Lanes();
  readonly #judge: Judge;
  readonly #startedAt = performance.now();
  #failure: { readonly error: unknown } | undefined;
  #settle: (() => void) | undefined;
  #openLandings = 0;
  #loop = performance.eventLoopUtilization();
  #loopBusy = false;

  constructor(options: ConductOptions) {
    this.#options = options;
    this.#judge = new Judge({ ...options, lanes: this.#lanes });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.fail(new AircherError('interrupted', 'Interrupted.'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setInterval(() => this.#tick(), tickMs);
    try {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
        this.#step();
      });
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** For faults outside of the connections: a disk error of the local work. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#step();
  }

  /** A piece was done by others. */
  wake(): void {
    if (this.#options.board.finished) this.#step();
  }

  #tick(): void {
    const now = performance.now();
    this.#lanes.measure(now);
    for (const station of this.#judge.stations) {
      const begun = this.#lanes.of(station.mirror).filter((lane) => lane.flowingSince !== undefined);
      for (const lane of begun) station.latencyMs = Math.min(2000, lane.flowingSince! - lane.startedAt);
    }
    const loop = performance.eventLoopUtilization();
    this.#loopBusy = performance.eventLoopUtilization(loop, this.#loop).utilization > busyLoop;
    this.#loop = loop;
    const limited = this.#options.http.pace(0) > 0;
    if (!limited && !this.#loopBusy) this.#judge.compareSpeeds(now);
    this.#grow(now, limited);
    this.#step();
  }

  #step(): void {
    if (this.#failure !== undefined || this.#options.board.finished) {
      this.#lanes.cancelAll();
      if (this.#lanes.size === 0 && this.#openLandings === 0) this.#settle?.();
      return;
    }
    try {
      const now = performance.now();
      if (this.#lanes.size === 0) this.#grow(now, false);
      this.#startLanes(now);
      if (this.#lanes.size > 0 || this.#openLandings > 0) return;
      this.#judge.checkHope(now);
      this.wake();
    } catch (error) {
      this.fail(error);
    }
  }

  #grow(now: number, limited: boolean): void {
    const saturated = this.#options.landing.takeSaturation() || this.#loopBusy || limited;
    grow({
      now,
      startedAt: this.#startedAt,
      saturated,
      bytesLeft: this.#options.board.bytesLeft(),
      mirrors: this.#judge.usable(now).map(({ mirror, growth }) => {
        const lanes = this.#lanes.of(mirror);
        return {
          growth,
          bytes: mirror.bytes,
          rate: lanes.reduce((sum, lane) => sum + lane.rate, 0),
          flowing: lanes.flatMap((lane) => lane.flowingSince ?? []).sort((a, b) => a - b),
        };
      }),
    });
  }

  #startLanes(now: number): void {
    const { board, http } = this.#options;
    for (const { mirror, growth, latencyMs } of this.#judge.usable(now)) {
      const mayServe = (piece: Piece): boolean => this.#judge.mayServe(mirror, piece);
      const limit = mirror.ranges ? growth.wanted : Math.min(1, growth.wanted);
      for (const lane of this.#lanes.of(mirror).slice(limit)) board.cut(lane.claim);
      while (this.#lanes.of(mirror).length < limit && this.#lanes.size < http.settings.connections) {
        const claim = assign({ mirror, latencyMs, mayServe, board, lanes: this.#lanes, now });
        if (claim === undefined) break;
        this.#start(claim);
      }
    }
  }

  #start(claim: Claim): void {
    const { http, landing, board } = this.#options;
    const startedAt = performance.now();
    const lane: Lane = {
      claim,
      abort: new AbortController(),
      startedAt,
      flowingSince: undefined,
      lastByteAt: startedAt,
      bytes: 0,
      seenBytes: 0,
      rate: 0,
      direct: undefined,
      cancelled: false,
      whole: isWhole(claim),
    };
    this.#lanes.add(lane);
    const end = (): void => {
      this.#lanes.delete(lane);
      board.release(
        claim,
        [...this.#lanes].map((other) => other.claim),
      );
      this.#step();
    };
    const onSlice = (...[piece, slice, { format }]: Parameters<Parameters<typeof runLane>[1]['onSlice']>) => {
      this.#land(claim.mirror, piece, slice, format);
      return landing.pressure();
    };
    runLane(lane, { http, onSlice })
      .catch((error: unknown) => (lane.cancelled ? undefined : this.#judge.failed(lane, error)))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(end, end);
  }

  #land(mirror: Mirror, piece: Piece, slice: Buffer, format: ArchiveFormat): void {
    if (piece.state === 'done' || piece.state === 'landing') return;
    piece.state = 'landing';
    mirror.patience = 0;
    this.#openLandings++;
    this.#options.landing
      .fromSlice(piece, slice, format)
      .then((wrong) => {
        if (wrong === undefined) {
          this.#arrived(mirror, piece);
          return;
        }
        piece.state = 'open';
        this.#judge.sentWrong(mirror, piece, wrong);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#openLandings--;
        if (this.#openLandings === 0 || this.#failure) this.#step();
      });
  }

  #arrived(mirror: Mirror, piece: Piece): void {
    mirror.chunks++;
    mirror.strikes = 0;
    this.#options.board.finish(piece);
    this.#options.onPiece(piece);
    // Connections that bring nothing but this piece have nothing to do any more.
    for (const lane of this.#lanes) {
      const { claim } = lane;
      if (claim.pieces[claim.next] !== piece || claim.next + 1 < claim.pieces.length) continue;
      this.#lanes.cancel(lane);
      if (claim.mirror !== mirror) this.#judge.overtaken(lane, mirror);
    }
  }
}
