import { AircherError } from '../../core/errors.ts';
import { type Chunk, decodeSlice } from './chunk.ts';
import type { Location, Mirror } from './mirror.ts';
import { noRanges } from './mirror-faults.ts';
import type { Range, RangeQueue } from './range-queue.ts';
import {
  askForWhole,
  isClean,
  judgeFailure,
  judgeWrongChunk,
  type MirrorsAtWork,
  mayServe,
  mirrorsFailed,
  mirrorsToAsk,
} from './set-mirror-aside.ts';
import { readRange, type Worker } from './worker.ts';

/** How often it is looked for workers that are late, and mirrors that have rested. */
const lookMs = 250;
/**
 * A worker that has received nothing for so long is late; and one that, this long after it began,
 * is so many times slower than the median.
 */
const lateMs = 3000;
const slowFactor = 4;
/** So long the preferred mirror may take to begin before the next one is asked as well. */
const headStartMs = 1000;
/**
 * Chunks between arrival and disk at once. More than the thread pool works on only cost memory, and
 * are lost by a kill.
 */
const mostArrived = 6;

export interface RangeWork extends MirrorsAtWork {
  readonly queue: RangeQueue;
  /** Takes a chunk's bytes, which are right. */
  readonly store: (chunk: Chunk, bytes: Uint8Array) => Promise<void>;
  /** A chunk came from a mirror, and is stored. */
  readonly onChunk: (chunk: Chunk) => void;
}

/**
 * Fetches every chunk of the queue: workers take ranges from it until it is empty. Then what is
 * late is asked for once more, and whoever is first counts.
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
   * Throws `remote` or `integrity` when no mirror is left for a chunk, errors of this machine,
   * `interrupted`.
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

  /** For faults outside of the network: a disk error of the local work. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.look();
  }

  /** Gives work to workers, where there is some. To be called when the queue has changed. */
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
   * Once more what a silent worker, or a very slow one, should have brought; from another mirror,
   * where there is one.
   */
  #takeLate(mirror: Mirror, ready: readonly Mirror[], now: number): Range | undefined {
    const { http, queue, onEvent } = this.#work;
    const isLimited = http.pace(0) > 0;
    const rates = [...this.#rates].sort((a, b) => a - b);
    const median = rates[rates.length >> 1] ?? 0;
    for (const worker of this.#workers) {
      const { bytes, startedAt, lastByteAt, mirror: late } = worker;
      const silence = now - lastByteAt;
      const rate = rateOf(worker, now);
      // Whoever is held is slow by our own doing.
      const isSlow = !isLimited && silence >= 0 && now - startedAt >= lateMs && rate * slowFactor < median;
      if (silence < lateMs && !isSlow) continue;
      if (late === mirror && ready.length > 1) continue;
      const range = queue.takeAgain(worker.range, mirror);
      if (range === undefined) continue;
      const message = `${late.host}: ${bytes} bytes in ${Math.round((now - startedAt) / 1000)} s`;
      late.note(silence < lateMs ? 'slow' : 'stalled', message);
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
    const { url } = mirror.locate(range.chunks[0]!)!;
    this.#workers.add(worker);
    try {
      await readRange(worker, {
        http,
        onSlice: (chunk, slice, location) => this.#receive(worker, chunk, slice, location),
        onAnswer: (isWhole) => {
          // The mirror's other workers wait for its first answer.
          queueMicrotask(() => this.look());
          return !isWhole || this.#readWhole(worker);
        },
      });
      this.#rates.push(rateOf(worker, performance.now()));
    } catch (error) {
      const request = { mirror, url, startedAt, ranged: !worker.whole };
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
   * The mirror sends all of the archive, or the file, instead of a range: that is read where nobody
   * else has the bytes.
   */
  #readWhole({ mirror, range }: Worker): boolean {
    const { mirrors, queue } = this.#work;
    if (mirrors.some((other) => other !== mirror && isClean(other) && this.#canHelp(other))) return false;
    const { kind, message } = noRanges(mirror.host);
    mirror.note(kind, message);
    askForWhole(mirror, message, this.#work);
    queue.widen(range, mirror);
    return true;
  }

  /**
   * A promise while too many chunks wait for the processor or the disk: then the connection is
   * held.
   */
  #receive(worker: Worker, chunk: Chunk, slice: Buffer, { format }: Location): Promise<void> | undefined {
    if (chunk.state !== 'asked') return undefined;
    chunk.state = 'arrived';
    this.#arrived++;
    this.#check(worker.mirror, chunk, slice, format)
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#arrived--;
        // As many as there is room for: each brings a chunk or more before it is held again.
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

  async #check(mirror: Mirror, chunk: Chunk, slice: Buffer, format: Location['format']): Promise<void> {
    const { queue, store, mirrors, onChunk } = this.#work;
    const bytes = await decodeSlice(chunk, slice, format);
    if ('wrong' in bytes) {
      chunk.state = 'missing';
      judgeWrongChunk(mirror, chunk, bytes.wrong, this.#work);
      if (mirror.gone || mirrors.some((other) => other !== mirror && isClean(other))) this.#cancelAll(mirror);
      return;
    }
    mirror.chunks++;
    mirror.credit(slice.length);
    await store(chunk, bytes);
    queue.finish(chunk);
    onChunk(chunk);
    // Workers that bring nothing but what others brought have nothing to do any more.
    for (const worker of this.#workers) {
      const rest = worker.range.chunks.slice(worker.next);
      if (rest.length > 0 && rest.every(({ state }) => state === 'done')) this.#cancel(worker);
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
 * One, until the mirror has shown that it answers as it should; one more for each time that it is
 * silent.
 */
function mostWorkers(mirror: Mirror, now: number): number {
  if (mirror.whole) return 1;
  if (mirror.answered) return mirror.connections;
  return 1 + Math.floor((now - (mirror.askedAt ?? now)) / lateMs);
}

/** Bytes a second. */
function rateOf({ bytes, startedAt }: Worker, now: number): number {
  return (bytes / Math.max(1, now - startedAt)) * 1000;
}
