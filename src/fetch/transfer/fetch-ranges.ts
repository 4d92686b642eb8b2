import { AircherError } from '../../core/errors.ts';
import type { Chunk } from './chunk.ts';
import { decodeSlice } from './decode-slice.ts';
import type { EncodedForm } from './encoding.ts';
import type { Location, Mirror } from './mirror.ts';
import { noRanges } from './mirror-faults.ts';
import type { Range, RangeQueue } from './range-queue.ts';
import {
  askForWhole,
  isClean,
  judgeFailure,
  judgeWrongChunk,
  judgeWrongForm,
  type MirrorsAtWork,
  mayServe,
  mirrorsFailed,
  mirrorsToAsk,
} from './set-mirror-aside.ts';
import { lateMs, latenessOf, rateOf, readRange, type Worker } from './worker.ts';

/** How often to look for late workers, and for mirrors that have paused long enough. */
const lookMs = 250;
/** If the preferred mirror hasn't begun to answer after so long, the next one is asked as well. */
const headStartMs = 1000;
/**
 * So many chunks may be between network and disk at once. The thread pool works on no more at a
 * time, so more would only take memory, and be lost by a kill.
 */
const mostArrived = 6;

export interface RangeWork extends MirrorsAtWork {
  readonly queue: RangeQueue;
  /** Writes a chunk's bytes, which have been checked. */
  readonly store: (chunk: Chunk, bytes: Uint8Array) => Promise<void>;
  /** A chunk came from a mirror, and is stored. */
  readonly onChunk: (chunk: Chunk) => void;
}

/**
 * Fetches every chunk of the queue. Workers take ranges from the queue until it is empty. Then the
 * ranges of late workers are asked for once more, from another mirror where there is one. Whichever
 * answer comes first counts.
 */
export class RangeFetcher {
  readonly #work: RangeWork;
  readonly #workers = new Set<Worker>();
  readonly #rates: number[] = [];
  #failure: { readonly error: unknown } | undefined;
  #settle: (() => void) | undefined;
  #arrived = 0;
  #waiting: (() => void)[] = [];

  constructor(work: RangeWork) {
    this.#work = work;
  }

  /**
   * Runs until every chunk is stored. Throws `remote` or `integrity` when no mirror is left for a
   * chunk, `interrupted`, and errors of this machine.
   */
  async run(): Promise<void> {
    const { signal } = this.#work;
    const onAbort = (): void => this.fail(new AircherError('interrupted', 'Interrupted.'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setInterval(() => this.look(), lookMs);
    try {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
        this.look();
      });
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Ends the run with an error from elsewhere, such as a full disk. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.look();
  }

  /**
   * Starts workers where there is work, a mirror may be asked and a connection is free; ends the
   * run when all is done. Call it whenever the queue or a mirror has changed.
   */
  look(): void {
    const { queue, mirrors, http } = this.#work;
    if (this.#failure || queue.finished) {
      for (const worker of this.#workers) this.#cancel(worker);
      if (this.#workers.size === 0 && this.#arrived === 0) this.#settle?.();
      return;
    }
    const now = performance.now();
    const ready = mirrorsToAsk(mirrors, (mirror) => this.#canHelp(mirror));
    for (const mirror of ready) {
      while (
        this.#workers.size < http.settings.connections &&
        this.#workersOf(mirror).length < mostWorkers(mirror, now)
      ) {
        const range = queue.take(mirror) ?? this.#takeLate(mirror, ready, now);
        if (range === undefined) break;
        void this.#run(mirror, range);
      }
      if (!mirror.answered && now - (mirror.askedAt ?? now) < headStartMs) break;
    }
    if (this.#workers.size > 0 || this.#arrived > 0) return;
    const isHopeless = (chunk: Chunk): boolean =>
      chunk.state === 'missing' && !mirrors.some((mirror) => mayServe(mirror, chunk));
    if ([...queue.undone()].some(isHopeless)) this.fail(mirrorsFailed(mirrors));
  }

  #canHelp(mirror: Mirror): boolean {
    for (const chunk of this.#work.queue.undone()) if (mayServe(mirror, chunk)) return true;
    return false;
  }

  #workersOf(mirror: Mirror): Worker[] {
    return [...this.#workers].filter((worker) => worker.mirror === mirror);
  }

  /**
   * What a late worker should have brought, to be asked for once more. Not from the same mirror, if
   * there is another.
   */
  #takeLate(mirror: Mirror, ready: readonly Mirror[], now: number): Range | undefined {
    const { http, queue, onEvent } = this.#work;
    const isLimited = http.pace(0) > 0;
    const rates = [...this.#rates].sort((a, b) => a - b);
    const median = rates[rates.length >> 1] ?? 0;
    for (const worker of this.#workers) {
      const { bytes, startedAt, mirror: late } = worker;
      const lateness = latenessOf(worker, isLimited ? 0 : median, now);
      if (lateness === undefined) continue;
      if (late === mirror && ready.length > 1) continue;
      const range = queue.takeAgain(worker.range, mirror);
      if (range === undefined) continue;
      const message = `${late.host}: ${bytes} bytes in ${Math.round((now - startedAt) / 1000)} s`;
      late.note(lateness, message);
      onEvent?.({ type: 'retry', what: late.name, reason: message, delayMs: 0 });
      return range;
    }
    return undefined;
  }

  async #run(mirror: Mirror, range: Range): Promise<void> {
    const { http, queue } = this.#work;
    const startedAt = performance.now();
    const worker: Worker = {
      mirror,
      range,
      abort: new AbortController(),
      startedAt,
      whole: mirror.whole,
      next: 0,
      bytes: 0,
      lastByteAt: startedAt,
      cancelled: false,
    };
    const { url, form } = range.locations.get(range.chunks[0]!)!;
    this.#workers.add(worker);
    try {
      await readRange(worker, {
        http,
        onSlice: (chunk, slice, location) => this.#receive(worker, chunk, slice, location),
        onAnswer: (isWhole) => {
          // The mirror gets more workers only after its first answer.
          queueMicrotask(() => this.look());
          return !isWhole || this.#readWhole(worker);
        },
      });
      this.#rates.push(rateOf(worker, performance.now()));
    } catch (error) {
      const request = { mirror, url, startedAt, ranged: !worker.whole, encoding: form?.encoding };
      if (!worker.cancelled) {
        await judgeFailure(request, error, this.#work).catch((other: unknown) => this.fail(other));
        if (mirror.gone) this.#cancelAll(mirror);
      }
    } finally {
      this.#workers.delete(worker);
      queue.giveBack(
        range,
        [...this.#workers].map((other) => other.range),
      );
      this.look();
    }
  }

  /**
   * The mirror sends the whole archive, or file, instead of a range. Whether to read it: only if no
   * other mirror has the bytes.
   */
  #readWhole({ mirror, range }: Worker): boolean {
    const { mirrors, queue } = this.#work;
    if (range.locations.get(range.chunks[0]!)?.form) return false;
    if (mirrors.some((other) => other !== mirror && isClean(other) && this.#canHelp(other))) return false;
    const { kind, message } = noRanges(mirror.host);
    mirror.note(kind, message);
    askForWhole(mirror, message, this.#work);
    queue.widen(range, mirror);
    return true;
  }

  /**
   * Takes a chunk that has arrived. Where too many wait for the processor or the disk, it returns a
   * promise: until it resolves, nothing more is read from the connection.
   */
  #receive(worker: Worker, chunk: Chunk, slice: Buffer, location: Location): Promise<void> | undefined {
    if (chunk.state !== 'asked') return undefined;
    chunk.state = 'arrived';
    this.#arrived++;
    this.#check(worker.mirror, chunk, slice, location)
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#arrived--;
        // Let as many workers go on as there is room for. Each brings at least one chunk before it
        // has to wait again.
        const room = this.#arrived === 0 ? this.#waiting.length : Math.max(0, mostArrived - this.#arrived);
        for (const resume of this.#waiting.splice(0, room)) resume();
        if (this.#arrived === 0) this.look();
      });
    if (this.#arrived < mostArrived) return undefined;
    worker.lastByteAt = Number.POSITIVE_INFINITY;
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        worker.lastByteAt = performance.now();
        resolve();
      });
    });
  }

  async #check(mirror: Mirror, chunk: Chunk, slice: Buffer, location: Location): Promise<void> {
    const { queue, store, mirrors, onChunk } = this.#work;
    const bytes = await decodeSlice(chunk, slice, location);
    if ('wrong' in bytes) {
      chunk.state = 'missing';
      if (location.form) {
        this.#leaveForm(chunk, location.form, bytes.wrong);
        return;
      }
      judgeWrongChunk(mirror, chunk, bytes.wrong ?? '', this.#work);
      if (mirror.gone || mirrors.some((other) => other !== mirror && isClean(other))) this.#cancelAll(mirror);
      return;
    }
    mirror.chunks++;
    mirror.credit(slice.length);
    await store(chunk, bytes);
    queue.finish(chunk);
    onChunk(chunk);
    // A worker whose remaining chunks have all come from other workers can stop.
    for (const worker of this.#workers) {
      const rest = worker.range.chunks.slice(worker.next);
      if (rest.length > 0 && rest.every(({ state }) => state === 'done')) this.#cancel(worker);
    }
  }

  /**
   * The chunk comes in another way; what else is read of an encoding that is given up isn't any
   * more.
   */
  #leaveForm(chunk: Chunk, form: EncodedForm, wrong: string | undefined): void {
    chunk.forms.splice(chunk.forms.indexOf(form), 1);
    if (wrong === undefined || !judgeWrongForm(form.encoding, wrong, this.#work)) return;
    for (const worker of this.#workers) {
      const [location] = worker.range.locations.values();
      if (location?.form?.encoding === form.encoding) this.#cancel(worker);
    }
  }

  #cancelAll(mirror: Mirror): void {
    for (const worker of this.#workersOf(mirror)) this.#cancel(worker);
  }

  #cancel(worker: Worker): void {
    worker.cancelled = true;
    worker.abort.abort();
  }
}

/**
 * How many workers a mirror may have. One until its first good answer, and one more each time it
 * has been silent for `lateMs`.
 */
function mostWorkers(mirror: Mirror, now: number): number {
  if (mirror.whole) return 1;
  if (mirror.answered) return mirror.connections;
  return 1 + Math.floor((now - (mirror.askedAt ?? now)) / lateMs);
}
