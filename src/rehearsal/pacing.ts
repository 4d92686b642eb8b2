import { setTimeout as delay } from 'node:timers/promises';

/** What a connection is like, for benches and for tests of slow lines. */
export interface Limits {
  /** Bytes a second of one connection, each way. */
  readonly bytesPerSecond?: number;
  /**
   * Bytes a second of all connections together, each way: a narrow line before the whole server.
   */
  readonly sharedBytesPerSecond?: number;
  /** Milliseconds before the first byte of each answer. */
  readonly latencyMs?: number;
}

/** Lets bytes through at a rate: resolves when the next `bytes` may move. */
export type Pacer = (bytes: number, signal: AbortSignal) => Promise<void>;

export function createPacer(bytesPerSecond: number): Pacer {
  let freeAt = 0;
  return async (bytes, signal) => {
    const now = Date.now();
    freeAt = Math.max(freeAt, now) + (bytes / bytesPerSecond) * 1000;
    await wait(freeAt - now, signal);
  };
}

/** Waits `ms` (for ever where it is undefined), or until the signal; never throws. */
export async function wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted || (ms !== undefined && ms < 1)) return;
  if (ms === undefined) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return;
  }
  await delay(ms, undefined, { signal }).catch(() => {});
}
