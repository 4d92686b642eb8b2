import { setTimeout as delay } from 'node:timers/promises';
import { AircherError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { retry } from '../core/retry.ts';
import { isLoopback, isMachineHost } from '../http/allowed-addresses.ts';
import { createHttp } from '../http/create-http.ts';
import type { Http } from '../http/http-client.ts';
import { type Deadlines, defaultDeadlines, type Network } from './exchange.ts';
import { RequestFailure } from './request-failure.ts';

/** How patient a target is. All have defaults; tests set them low. */
export interface RemoteTuning {
  /** What requests go over; default: one without proxies. */
  readonly http?: Http;
  readonly deadlines?: Partial<Deadlines>;
  /** Attempts at each single thing, and the waits between them. */
  readonly attempts?: number;
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  /**
   * The longest wait that a remote may ask for; with a longer one the run ends, and says when to
   * try again.
   */
  readonly maxWaitMs?: number;
  /** How long a host is asked that gives no answer at all; without it as often as any other. */
  readonly unansweredMs?: number;
  /** Read-after-write lag: how long something just made may stay unseen, and how often to look. */
  readonly lagMs?: number;
  readonly lookEveryMs?: number;
  /** How long public URLs may take to answer after publication. */
  readonly publicMs?: number;
  /** At least this long between two requests that change something. */
  readonly writeEveryMs?: number;
  /** The first wait after a rate limit that names no time; each further one is twice as long. */
  readonly unnamedWaitMs?: number;
  /** Files sent at once. */
  readonly parallel?: number;
}

export interface Patience extends Network {
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly maxWaitMs: number;
  readonly unansweredMs: number;
  readonly lagMs: number;
  readonly lookEveryMs: number;
  readonly publicMs: number;
  readonly parallel: number;
  /** Undefined: waits grow as after any failure. */
  readonly unnamedWaitMs: number | undefined;
  /** Resolves when the next request that changes something may go. */
  pace(context: RunContext): Promise<void>;
  /** Nobody asks the remote anything for so long: it has set a rate limit. */
  hold(ms: number): void;
  /** Resolves when no such wait is on. */
  ready(context: RunContext): Promise<void>;
}

/** What one host's own rules say. */
export type HostRules = Pick<RemoteTuning, 'writeEveryMs' | 'unnamedWaitMs'>;

/**
 * `api` is the host's own address; what its answers name is this machine's only where the host is.
 */
export function createPatience(tuning: RemoteTuning, rules: HostRules = {}, api?: string): Patience {
  const { writeEveryMs = 0, unnamedWaitMs, http = createHttp() } = { ...rules, ...tuning };
  let nextWrite = 0;
  let limitedUntil = 0;
  return {
    http: http.namedBy({ local: api === undefined || isMachineHost(new URL(api).hostname) }),
    deadlines: { ...defaultDeadlines, ...tuning.deadlines },
    attempts: tuning.attempts ?? 6,
    baseDelayMs: tuning.baseDelayMs ?? 1000,
    maxDelayMs: tuning.maxDelayMs ?? 30_000,
    maxWaitMs: tuning.maxWaitMs ?? 15 * 60_000,
    unansweredMs: tuning.unansweredMs ?? Number.POSITIVE_INFINITY,
    lagMs: tuning.lagMs ?? 3000,
    lookEveryMs: tuning.lookEveryMs ?? 1000,
    publicMs: tuning.publicMs ?? 120_000,
    parallel: tuning.parallel ?? 4,
    unnamedWaitMs,
    hold: (ms) => {
      limitedUntil = Math.max(limitedUntil, performance.now() + ms);
    },
    ready: async (context) => {
      const left = limitedUntil - performance.now();
      if (left > 0) await pause(left, context);
    },
    pace: async (context) => {
      const now = performance.now();
      const at = Math.max(now, nextWrite);
      nextWrite = at + writeEveryMs;
      if (at > now) await pause(at - now, context);
    },
  };
}

/** Failures that were tried often enough: an attempt around them isn't repeated because of them. */
const spent = new WeakSet<Error>();

/**
 * Tries again what may go better, with the waits that the remote asks for. Pass a look and the act
 * as one attempt.
 */
export async function persist<T>(
  what: string,
  patience: Patience,
  context: RunContext,
  attempt: (number: number) => Promise<T>,
): Promise<T> {
  let tries = 0;
  const started = performance.now();
  try {
    return await retry(
      async (number) => {
        await patience.ready(context);
        return attempt(number);
      },
      {
        what,
        attempts: patience.attempts,
        baseDelayMs: patience.baseDelayMs,
        maxDelayMs: patience.maxDelayMs,
        signal: context.signal,
        onEvent: context.onEvent,
        retryable: (error) => {
          if (!(error instanceof RequestFailure) || !error.retryable || spent.has(error)) return false;
          if (error.status === undefined && performance.now() - started > patience.unansweredMs) return false;
          const waitMs = error.waitMs ?? (error.limited ? unnamedWait(patience, tries++) : undefined);
          if (waitMs === undefined) return true;
          if (waitMs > patience.maxWaitMs) return false;
          if (error.limited) patience.hold(waitMs);
          return waitMs;
        },
      },
    );
  } catch (error) {
    if (error instanceof RequestFailure && error.retryable) spent.add(error);
    throw error;
  }
}

/**
 * docs.github.com, "Rate limits": at least a minute where no time is named, and exponentially
 * longer each time.
 */
function unnamedWait({ unnamedWaitMs, maxWaitMs }: Patience, tries: number): number | undefined {
  return unnamedWaitMs === undefined ? undefined : Math.min(unnamedWaitMs * 2 ** tries, maxWaitMs);
}

/**
 * Looks for what was made a moment ago, which lists may not show yet: for ten times the usual lag.
 */
export async function lookPastLag<T>(
  patience: Patience,
  context: RunContext,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  return lookUntil(patience.lagMs * 10, patience, context, look);
}

/**
 * Looks until `look` finds something or `forMs` have passed; then undefined. Looks at least once.
 */
export async function lookUntil<T>(
  forMs: number,
  patience: Patience,
  context: RunContext,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const end = performance.now() + forMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    const left = end - performance.now();
    if (left <= 0) return undefined;
    await pause(Math.min(patience.lookEveryMs, left), context);
  }
}

export async function pause(ms: number, context: RunContext): Promise<void> {
  await delay(ms, undefined, { signal: context.signal });
}

/** Requests may carry a token: so they go over TLS, or stay on this machine. Throws `usage`. */
export function checkedBase(url: string, name: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw new AircherError('usage', `${name}: not a plain URL`, {
      hint: 'Give it as https://host or https://host/path.',
    });
  }
  if (parsed.protocol !== 'https:' && !(parsed.protocol === 'http:' && isLoopback(parsed.hostname))) {
    throw new AircherError('usage', `${name}: ${parsed.origin} is not https`, {
      hint: 'A token is sent there: use an https URL.',
    });
  }
  return url.replace(/\/+$/, '');
}
