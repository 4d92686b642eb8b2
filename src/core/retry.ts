import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from './errors.ts';
import type { RunContext } from './events.ts';

export interface RetryOptions extends RunContext {
  /** What is tried, for the event's text. */
  readonly what: string;
  /** Attempts in all. */
  readonly attempts?: number;
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  /**
   * Whether to try again after this error: false for no, true for yes, or the wait that the remote
   * asked for (milliseconds).
   */
  readonly retryable: (error: unknown) => boolean | number;
  readonly random?: () => number;
}

/**
 * Runs `attempt` until it succeeds: exponential waits with full jitter, the remote's own wait where
 * it names one.
 */
export async function retry<T>(attempt: (number: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts = 5, baseDelayMs = 500, maxDelayMs = 30_000, random = Math.random } = options;
  for (let number = 1; ; number++) {
    options.signal?.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error) {
      const verdict = options.signal?.aborted ? false : options.retryable(error);
      if (verdict === false || number >= attempts) throw error;
      const backoff = Math.min(maxDelayMs, baseDelayMs * 2 ** (number - 1)) * (0.5 + random() / 2);
      const delayMs = Math.round(typeof verdict === 'number' ? verdict : backoff);
      options.onEvent?.({
        type: 'retry',
        what: options.what,
        reason: reasonOf(error),
        delayMs,
      });
      await delay(delayMs, undefined, { signal: options.signal });
    }
  }
}
