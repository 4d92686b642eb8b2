import { jsonReply, Refusal } from '../reply.ts';
import type { Caller } from './accounts.ts';
import type { RateLimitOptions } from './options.ts';

/** What is left of a caller's requests; `reset` is in seconds since the epoch. */
export interface Quota {
  readonly limit: number;
  readonly remaining: number;
  readonly used: number;
  readonly reset: number;
}

export interface RateLimits {
  /** Takes one request off the caller's hour; 403 where nothing is left. */
  take(caller: Caller): Quota;
  /** Gives it back (a 304 to an authenticated caller is free). */
  giveBack(caller: Caller): void;
  peek(caller: Caller): Quota;
  /**
   * Counts a request against the secondary limits, or refuses it with `retry-after`; call the
   * answer when it is over.
   */
  enter(caller: Caller, method: string): () => void;
}

const documentation = 'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api';

/**
 * GitHub's limits (docs.github.com, "Rate limits for the REST API"): so many requests an hour by
 * caller, and the secondary ones: 900 points a minute, 80 content-creating requests a minute and
 * 500 an hour, 100 at once.
 */
export function createRateLimits(options: RateLimitOptions = {}): RateLimits {
  const { minuteMs = 60_000, secondaryStatus = 403, secondaryRetryAfter = true } = options;
  const pointsPerMinute = options.pointsPerMinute ?? 900;
  const creationsPerMinute = options.contentCreationsPerMinute ?? 80;
  const creationsPerHour = options.contentCreationsPerHour ?? 500;
  const concurrent = options.concurrentRequests ?? 100;
  const hours = new Map<string, { used: number; endsAt: number }>();
  const recent = new Map<string, { at: number; points: number; creates: boolean }[]>();
  let running = 0;

  const limitOf = ({ account }: Caller): number => {
    if (account === undefined) return options.anonymousPerHour ?? 60;
    return account.kind === 'actions' ? (options.actionsPerHour ?? 1000) : (options.authenticatedPerHour ?? 5000);
  };
  const hourOf = ({ key }: Caller): { used: number; endsAt: number } => {
    let hour = hours.get(key);
    if (hour === undefined || hour.endsAt <= Date.now()) {
      hour = { used: 0, endsAt: Date.now() + 60 * minuteMs };
      hours.set(key, hour);
    }
    return hour;
  };
  const peek = (caller: Caller): Quota => {
    const { used, endsAt } = hourOf(caller);
    const limit = limitOf(caller);
    return { limit, used, remaining: Math.max(0, limit - used), reset: Math.ceil(endsAt / 1000) };
  };
  const refuseSecondary = (retryAfterMs: number): Refusal => {
    const message =
      'You have exceeded a secondary rate limit. Please wait a few minutes before you try again. ' +
      'If you reach out to GitHub Support for help, please include the request ID.';
    const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
    const headers = secondaryRetryAfter ? { 'retry-after': seconds } : {};
    return new Refusal(jsonReply(secondaryStatus, { documentation_url: documentation, message }, headers));
  };

  return {
    peek,
    take: (caller) => {
      const quota = peek(caller);
      if (quota.remaining === 0) {
        const message =
          caller.account === undefined
            ? `API rate limit exceeded for ${caller.key.replace('address ', '')}. (But here's the good news: ` +
              'Authenticated requests get a higher rate limit. Check out the documentation for more details.)'
            : `API rate limit exceeded for user ID ${caller.account.login}.`;
        throw new Refusal(jsonReply(403, { message, documentation_url: documentation }, quotaHeaders(quota)));
      }
      hourOf(caller).used++;
      return peek(caller);
    },
    giveBack: (caller) => {
      hourOf(caller).used--;
    },
    enter: ({ key }, method) => {
      const now = Date.now();
      const isRead = ['GET', 'HEAD', 'OPTIONS'].includes(method);
      const past = (recent.get(key) ?? []).filter(({ at }) => at > now - 60 * minuteMs);
      const lastMinute = past.filter(({ at }) => at > now - minuteMs);
      const creations = past.filter(({ creates }) => creates);
      const step = { at: now, points: isRead ? 1 : 5, creates: ['POST', 'PATCH', 'PUT'].includes(method) };
      const points = lastMinute.reduce((sum, one) => sum + one.points, 0);
      const oldest = (lastMinute[0]?.at ?? now) + minuteMs - now;
      // Refused or not: who goes on asking while limited stays limited.
      recent.set(key, [...past, step]);
      if (running >= concurrent || points + step.points > pointsPerMinute) throw refuseSecondary(oldest);
      if (step.creates) {
        const inMinute = creations.filter(({ at }) => at > now - minuteMs);
        if (inMinute.length >= creationsPerMinute) throw refuseSecondary((inMinute[0]?.at ?? now) + minuteMs - now);
        if (creations.length >= creationsPerHour)
          throw refuseSecondary((creations[0]?.at ?? now) + 60 * minuteMs - now);
      }
      running++;
      return () => {
        running--;
      };
    },
  };
}

export function quotaHeaders(quota: Quota): Record<string, string> {
  return {
    'x-ratelimit-limit': String(quota.limit),
    'x-ratelimit-remaining': String(quota.remaining),
    'x-ratelimit-reset': String(quota.reset),
    'x-ratelimit-used': String(quota.used),
    'x-ratelimit-resource': 'core',
  };
}
