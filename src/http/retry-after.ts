/** Headers of an answer, as Node and as `fetch` have them. */
export type AnswerHeaders = Pick<Headers, 'get'> | { readonly [name: string]: string | readonly string[] | undefined };

function headerOf(headers: AnswerHeaders, name: string): string {
  const value =
    typeof headers.get === 'function'
      ? headers.get(name)
      : (headers as Exclude<AnswerHeaders, Pick<Headers, 'get'>>)[name];
  return String(value ?? '').trim();
}

/**
 * How long an answer asks to wait, in milliseconds: by `Retry-After` (seconds or a date), by
 * GitHub's `X-RateLimit-Reset` (seconds since 1970) where nothing remains, or by the Hub's
 * `RateLimit: "api";r=0;t=55` (draft-ietf-httpapi-ratelimit-headers).
 */
export function retryAfterMs(headers: AnswerHeaders, now = Date.now()): number | undefined {
  const after = headerOf(headers, 'retry-after');
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  const reset = headerOf(headers, 'x-ratelimit-reset');
  // One second more: the time is rounded down.
  if (isUsedUp(headers) && /^\d{1,12}$/.test(reset)) return Math.max(0, Number(reset) * 1000 - now) + 1000;
  const window = headerOf(headers, 'ratelimit');
  const [, seconds] = /(?:^|;)\s*t\s*=\s*(\d{1,9})/.exec(window) ?? [];
  return seconds === undefined || /;\s*r\s*=\s*[1-9]/.test(window) ? undefined : Number(seconds) * 1000;
}

/** Whether an answer asks to come back later: 429, or 403 as GitHub uses it for its limits. */
export function isRateLimit(status: number, headers: AnswerHeaders): boolean {
  return status === 429 || (status === 403 && (isUsedUp(headers) || headerOf(headers, 'retry-after') !== ''));
}

function isUsedUp(headers: AnswerHeaders): boolean {
  return headerOf(headers, 'x-ratelimit-remaining') === '0';
}
