import type { Faults } from '../faults.ts';
import type { Limits } from '../pacing.ts';
import type { RequestLog } from '../request-log.ts';

/** Who a token belongs to, and what it may do. */
export interface Account {
  readonly login: string;
  /**
   * `classic` (the default) has OAuth scopes; `fine-grained` and `actions` (a job's GITHUB_TOKEN)
   * have a `contents` permission. An `actions` token may not ask who it is, and a repository's
   * `permissions` are all false for it, whatever it may do.
   */
  readonly kind?: 'classic' | 'fine-grained' | 'actions';
  /** Whether the account has push rights in the repositories (`owner/name`; true for all). */
  readonly push?: boolean | readonly string[];
  /** Whether it sees private repositories; those it may push to in any case. */
  readonly read?: boolean | readonly string[];
  /**
   * OAuth scopes of a classic token; `repo` where they aren't given. Writing needs `repo`, or
   * `public_repo` in a public one.
   */
  readonly scopes?: readonly string[];
  /** `write` where it isn't given. */
  readonly contents?: 'read' | 'write';
  readonly expired?: boolean;
}

export interface RepositoryOptions {
  readonly owner: string;
  readonly name: string;
  readonly private?: boolean;
  readonly archived?: boolean;
  /** The repository's setting at the start: releases become immutable when they are published. */
  readonly immutableReleases?: boolean;
  /** `main` where it isn't given. */
  readonly defaultBranch?: string;
  /**
   * Commits there from the start; one of 2024-01-01 where none is given. The last is the head of
   * the default branch.
   */
  readonly commits?: readonly { readonly sha: string; readonly date?: string; readonly message?: string }[];
  /** Git tags there from the start, by name: commit, or the ids of an annotated tag. */
  readonly tags?: Readonly<Record<string, string | { readonly commit: string; readonly tagObject: string }>>;
}

/** GitHub's own limits where a field isn't given; Infinity switches one off. */
export interface RateLimitOptions {
  readonly anonymousPerHour?: number;
  readonly authenticatedPerHour?: number;
  /** For tokens of kind `actions`. */
  readonly actionsPerHour?: number;
  /** Secondary limits of one caller: 1 point a read, 5 a write. */
  readonly pointsPerMinute?: number;
  readonly contentCreationsPerMinute?: number;
  readonly contentCreationsPerHour?: number;
  readonly concurrentRequests?: number;
  /** Status of the secondary limit's answer. GitHub gives either. */
  readonly secondaryStatus?: 403 | 429;
  /** Whether it says how long to wait: true. GitHub's doesn't always. */
  readonly secondaryRetryAfter?: boolean;
  /** How long a minute is, in milliseconds; an hour is 60 of them. Tests can't wait. */
  readonly minuteMs?: number;
}

/** Of the limits, none that many requests in a short time could meet. */
export const noRateLimits: RateLimitOptions = {
  anonymousPerHour: Number.POSITIVE_INFINITY,
  authenticatedPerHour: Number.POSITIVE_INFINITY,
  pointsPerMinute: Number.POSITIVE_INFINITY,
  contentCreationsPerMinute: Number.POSITIVE_INFINITY,
  contentCreationsPerHour: Number.POSITIVE_INFINITY,
};

export interface GitHubOptions {
  /** By token. A token that isn't here is bad credentials. */
  readonly tokens?: Readonly<Record<string, Account>>;
  readonly repositories?: readonly RepositoryOptions[];
  /**
   * Keeps bytes and state across restarts; without it, a temporary directory that goes with
   * `close()`.
   */
  readonly stateDirectory?: string;
  readonly faults?: Faults;
  readonly log?: RequestLog;
  readonly limits?: Limits;
  readonly rateLimits?: RateLimitOptions;
  /** How long signed download URLs hold: 5 minutes. */
  readonly signedUrlLifetimeMs?: number;
  /** Largest asset: 2 GiB. */
  readonly maximumAssetBytes?: number;
  /** Assets of one release: 1,000. */
  readonly maximumAssets?: number;
  /** Whether assets have a `digest`: as on github.com; false as on older Enterprise servers. */
  readonly digests?: boolean;
  /** PEM texts; all origins then speak https. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly host?: string;
  /** Host name in URLs where it isn't the address listened on, such as `localhost`. */
  readonly publicHost?: string;
  /**
   * The asset host's name in URLs. It has to be another one, because many clients carry credentials
   * along where only the port changes: by default `localhost` where the others are 127.0.0.1, and
   * 127.0.0.1 where they aren't.
   */
  readonly assetsHost?: string;
  /** Free ones where they aren't given. */
  readonly ports?: {
    readonly api?: number;
    readonly uploads?: number;
    readonly web?: number;
    readonly assets?: number;
  };
}
