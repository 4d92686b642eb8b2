import type { Reply } from '../reply.ts';
import type { HubAccount } from './accounts.ts';
import { HubError } from './hub-error.ts';

/** Requests that one caller (an account, or an address) may make in a window of time. */
export interface RateLimits {
  readonly windowSeconds: number;
  readonly anonymous: { readonly api: number; readonly resolvers: number };
  readonly user: { readonly api: number; readonly resolvers: number };
  /** Commits to one repository in an hour. */
  readonly commitsPerHour: number;
}

/** Those of the Hub's documentation for anonymous callers and free accounts. */
export const hubRateLimits: RateLimits = {
  windowSeconds: 300,
  anonymous: { api: 500, resolvers: 3000 },
  user: { api: 1000, resolvers: 5000 },
  commitsPerHour: 128,
};

export type RateLimitKind = 'api' | 'resolvers';

export interface RateLimiter {
  /** Counts a request and answers its `RateLimit` headers; `exceeded` where it is one too many. */
  count(
    kind: RateLimitKind,
    caller: Caller,
  ): { readonly headers: NonNullable<Reply['headers']>; readonly exceeded: boolean };
  /** HubError 429 where the repository has had its commits of this hour. */
  countCommit(repository: string): void;
}

export interface Caller {
  readonly account: HubAccount | undefined;
  readonly address: string;
}

export function createRateLimiter(limits: RateLimits): RateLimiter {
  const windows = new Map<string, { end: number; used: number }>();
  const use = (key: string, seconds: number): { readonly used: number; readonly resetSeconds: number } => {
    const now = Date.now();
    let window = windows.get(key);
    if (window === undefined || window.end <= now) {
      window = { end: now + seconds * 1000, used: 0 };
      windows.set(key, window);
    }
    window.used++;
    return { used: window.used, resetSeconds: Math.ceil((window.end - now) / 1000) };
  };
  return {
    count: (kind, { account, address }) => {
      const allowed = limits[account === undefined ? 'anonymous' : 'user'][kind];
      const who = account === undefined ? `address ${address}` : `user ${account.user}`;
      const { used, resetSeconds } = use(`${kind} ${who}`, limits.windowSeconds);
      return {
        exceeded: used > allowed,
        headers: {
          ratelimit: `"${kind}";r=${Math.max(0, allowed - used)};t=${resetSeconds}`,
          'ratelimit-policy': `"fixed window";"${kind}";q=${allowed};w=${limits.windowSeconds}`,
        },
      };
    },
    countCommit: (repository) => {
      if (use(`commits ${repository}`, 3600).used > limits.commitsPerHour) {
        throw new HubError(
          429,
          `You have exceeded the rate limit for repository commits (${limits.commitsPerHour} per hour).`,
        );
      }
    },
  };
}
