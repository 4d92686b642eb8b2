import { AircherError, type ErrorCode, toAircherError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { formatDuration } from '../core/format.ts';

export interface RequestFailureOptions {
  readonly status?: number | undefined;
  /** Whether the same request, or a look and then the same request, may go better. */
  readonly retryable: boolean;
  /** Whether it is a rate limit's answer: of what was asked for, it says nothing. */
  readonly limited?: boolean;
  /** How long the remote asks to wait, in milliseconds. */
  readonly waitMs?: number | undefined;
  /** The remote's own names for what is wrong: `already_exists`, `RepoNotFound`. */
  readonly reasons?: readonly string[];
  /** The remedy, where this failure has one of its own. */
  readonly hint?: string | undefined;
  /** Overrides the error code that follows from the status. */
  readonly code?: ErrorCode;
  readonly cause?: unknown;
}

/**
 * A request that got no good answer: no connection, a deadline passed, a bad status, an answer that
 * isn't what it should be. It never leaves src/targets: `targetError` makes an AircherError of it.
 */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  readonly status: number | undefined;
  readonly retryable: boolean;
  readonly limited: boolean;
  readonly waitMs: number | undefined;
  readonly reasons: readonly string[];
  readonly hint: string | undefined;
  readonly code: ErrorCode | undefined;

  constructor(message: string, options: RequestFailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
    this.retryable = options.retryable;
    this.limited = options.limited ?? false;
    this.waitMs = options.waitMs;
    this.reasons = options.reasons ?? [];
    this.hint = options.hint;
    this.code = options.code;
  }
}

/**
 * Whether the remote answered with one of these statuses. A rate limit's 403 isn't one: it says
 * nothing of rights.
 */
export function hasStatus(error: unknown, ...statuses: readonly number[]): error is RequestFailure {
  if (!(error instanceof RequestFailure) || error.limited) return false;
  return error.status !== undefined && statuses.includes(error.status);
}

/**
 * A remote's answer that is not what its protocol promises: worth another look, as a proxy's error
 * page is.
 */
export function malformed(what: string, cause?: unknown): RequestFailure {
  return new RequestFailure(`${what}: the answer is not what it should be`, {
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
    hint: 'A proxy may have answered in its place. Run the same command again.',
  });
}

const againHint = 'Run the same command again.';

/**
 * What leaves a target: `place` says where, the code decides the exit code. Interruption wins over
 * what it caused.
 */
export function targetError(error: unknown, place: string, tokenName: string, context: RunContext): AircherError {
  if (context.signal?.aborted) {
    return new AircherError('interrupted', 'Interrupted.', { cause: error, hint: againHint });
  }
  if (!(error instanceof RequestFailure)) return toAircherError(error);
  const [code, hint] = remedyOf(error, tokenName);
  return new AircherError(code, `${place}: ${error.message}`, {
    hint,
    cause: error,
    ...(error.status === undefined ? {} : { details: { status: error.status } }),
  });
}

function remedyOf(error: RequestFailure, tokenName: string): readonly [ErrorCode, string] {
  const { status, waitMs } = error;
  if (error.code !== undefined) return [error.code, error.hint ?? againHint];
  if (error.retryable) {
    const wait = waitMs === undefined ? '' : `It asks to wait ${formatDuration(waitMs / 1000)}. `;
    return ['remote', `${wait}${error.hint ?? againHint}`];
  }
  if (status === 401)
    return ['conflict', error.hint ?? `Set ${tokenName} to a token that is valid and has not expired.`];
  if (status === 403 || status === 404) {
    return ['conflict', error.hint ?? `Check the repository's name, and that ${tokenName} may write to it.`];
  }
  if (status !== undefined && status >= 400 && status < 500) return ['conflict', error.hint ?? againHint];
  return ['remote', error.hint ?? againHint];
}
