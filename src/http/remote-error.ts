import { AircherError, isAbort, remoteError, systemErrorCode, toAircherError } from '../core/errors.ts';

/** What went wrong with a remote, as a word for programs (`details.reason`). */
export type RemoteReason =
  | 'name'
  | 'refused'
  | 'reset'
  | 'timeout'
  | 'stalled'
  | 'slow'
  | 'truncated'
  | 'certificate'
  | 'proxy'
  | 'redirect'
  | 'scheme'
  | 'status'
  | 'protocol';

export function networkError(
  reason: RemoteReason,
  message: string,
  options: {
    readonly hint?: string | undefined;
    readonly cause?: unknown;
    readonly details?: Readonly<Record<string, unknown>>;
  } = {},
): AircherError {
  return remoteError(message, options.hint, { cause: options.cause, details: { ...options.details, reason } });
}

export function remoteReason(error: unknown): RemoteReason | undefined {
  return error instanceof AircherError ? (error.details.reason as RemoteReason | undefined) : undefined;
}

/** What Node's codes mean; the last is for all others. */
const faults: readonly (readonly [codes: RegExp, reason: RemoteReason, fact: string, hint?: string])[] = [
  [
    /CERT|LEAF_SIGNATURE/,
    'certificate',
    'its certificate is not trusted',
    'Behind a company proxy that opens TLS, set NODE_EXTRA_CA_CERTS to the file of its root certificate (PEM).',
  ],
  [
    /^(ENOTFOUND|EAI_)/,
    'name',
    'the name of the host is not known',
    'Check the network, and HTTPS_PROXY where one is needed.',
  ],
  [/REFUSED|UNREACH|EADDRNOTAVAIL/, 'refused', 'no connection'],
  [/^ETIMEDOUT/, 'timeout', 'no answer in time'],
  [/^EPROTO|^ERR_(SSL|TLS)/, 'protocol', 'no connection by TLS'],
  [/^HPE_/, 'protocol', 'the answer is no HTTP'],
  [/^/, 'reset', 'the connection was cut'],
];

/** A failure of a connection as an AircherError: `remote`, or `interrupted` for an abort. */
export function toRemoteError(error: unknown, url: string): AircherError {
  if (error instanceof AircherError || isAbort(error)) return toAircherError(error);
  // Happy eyeballs wraps the errors of all addresses.
  const code = systemErrorCode(error) ?? systemErrorCode((error as Partial<AggregateError>).errors?.[0]) ?? '';
  const [, reason, fact, hint] = faults.find(([codes]) => codes.test(code))!;
  const details = { url: showUrl(url), system: code };
  return networkError(reason, `${hostOf(url)}: ${fact}${code && ` (${code})`}`, { hint, cause: error, details });
}

export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** A URL fit for messages: no query (signed URLs carry secrets there), no credentials. */
export function showUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { pathname, protocol, host } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** A manifest source as it is stored and shown: a URL without what may be secret, anything else as it is. */
export function showSource(source: string): string {
  return /^https?:/i.test(source) ? showUrl(source) : source;
}

/** `Retry-After` (seconds or a date), or the Hub's `RateLimit: …;t=seconds`, in milliseconds. */
export function retryAfterMs(headers: {
  readonly [name: string]: string | readonly string[] | undefined;
}): number | undefined {
  const after = String(headers['retry-after'] ?? '').trim();
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now());
  const seconds = /(?:^|;)\s*t=(\d{1,9})/.exec(String(headers.ratelimit))?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
