import { freeRead } from '../../core/free-buffers.ts';
import type { Http } from '../../http/http-client.ts';
import { leave, readBody } from '../../http/read-body.ts';
import type { Chunk } from './chunk.ts';
import type { Location, Mirror } from './mirror.ts';
import { endsTooEarly, noRanges } from './mirror-faults.ts';
import type { Range } from './range-queue.ts';

/**
 * If a body ends at most so many bytes after the last wanted chunk, it is read to the end. Then the
 * connection can be used again.
 */
const politeTailBytes = 64 * 1024;
/**
 * A worker is late if it has received nothing for so long. It is also late if, at least so long
 * after its start, its rate is less than the median rate divided by `slowFactor`.
 */
export const lateMs = 3000;
const slowFactor = 4;

/** A connection to a mirror that reads a range. */
export interface Worker {
  readonly mirror: Mirror;
  readonly range: Range;
  readonly abort: AbortController;
  readonly startedAt: number;
  /** It asks for the whole resource, by a plain GET. */
  readonly whole: boolean;
  /** The chunk that is arriving: its position in the range. */
  next: number;
  bytes: number;
  /**
   * When it last received something. While we make it wait, the time when it may go on. At first,
   * its start.
   */
  lastByteAt: number;
  /** We ended it ourselves, so its end is no fault. */
  cancelled: boolean;
}

export interface WorkerOptions {
  readonly http: Http;
  /**
   * Called with every complete chunk as it was sent; the buffer is the callee's then. Until a
   * returned promise resolves, nothing more is read from the connection.
   */
  readonly onSlice: (chunk: Chunk, slice: Buffer, location: Location) => Promise<void> | undefined;
  /**
   * Called when an answer begins: with the range, or with the whole resource instead. If it returns
   * false, the answer isn't read.
   */
  readonly onAnswer: (isWhole: boolean) => boolean;
}

/** Reads one range. Throws MirrorFaultError, or the errors of `Http.request` and `readBody`. */
export async function readRange(worker: Worker, { http, onSlice, onAnswer }: WorkerOptions): Promise<void> {
  const { mirror, range } = worker;
  const first = range.locations.get(range.chunks[0]!)!;
  const last = range.locations.get(range.chunks.at(-1)!)!;
  const wanted = [first.offset, last.offset + last.length] as const;
  const asked = { range: worker.whole ? undefined : wanted, size: first.size };
  const { response, span } = await mirror.open(http, first.url, asked, worker.abort.signal);
  const [start, end] = span;
  if (!onAnswer(!worker.whole && end - start > wanted[1] - wanted[0])) {
    leave(response.body);
    throw noRanges(mirror.host);
  }
  let position = start;
  let slice: Buffer | undefined;
  let filled = 0;
  await readBody(response, {
    stallTimeoutMs: http.settings.stallTimeoutMs,
    pace(bytes) {
      const wait = http.pace(bytes);
      worker.lastByteAt = Math.max(worker.lastByteAt, performance.now() + wait);
      return wait;
    },
    onData(data) {
      worker.bytes += data.length;
      mirror.bytes += data.length;
      let held: Promise<void> | undefined;
      for (let from = 0; from < data.length; ) {
        const chunk = range.chunks[worker.next];
        if (chunk === undefined) break;
        const location = range.locations.get(chunk)!;
        const skip = location.offset + filled - position;
        if (chunk.state === 'done' || skip < 0) {
          // Another worker has brought this chunk already.
          worker.next++;
          filled = 0;
          slice = undefined;
          continue;
        }
        const take = Math.min(skip > 0 ? skip : location.length - filled, data.length - from);
        if (skip === 0) {
          slice ??= Buffer.allocUnsafeSlow(location.length);
          data.copy(slice, filled, from, from + take);
          filled += take;
        }
        position += take;
        from += take;
        if (slice === undefined || filled < location.length) continue;
        const full = slice;
        worker.next++;
        filled = 0;
        slice = undefined;
        held = onSlice(chunk, full, location) ?? held;
      }
      freeRead(data);
      if (worker.next >= range.chunks.length && end - position > politeTailBytes) return 'stop';
      return held;
    },
  });
  if (range.chunks.slice(worker.next).some((chunk) => chunk.state !== 'done')) throw endsTooEarly(mirror.host);
}

/** Bytes a second. */
export function rateOf({ bytes, startedAt }: Worker, now: number): number {
  return (bytes / Math.max(1, now - startedAt)) * 1000;
}

/**
 * Whether a worker is late, and how: `median` is the workers' usual rate, 0 where none is known.
 */
export function latenessOf(worker: Worker, median: number, now: number): 'stalled' | 'slow' | undefined {
  // Negative while we hold a worker back: then it is slow by our own doing.
  const silence = now - worker.lastByteAt;
  if (silence >= lateMs) return 'stalled';
  const isSlow = silence >= 0 && now - worker.startedAt >= lateMs && rateOf(worker, now) * slowFactor < median;
  return isSlow ? 'slow' : undefined;
}
