import { AircherError, isAbort, remoteError, systemErrorCode } from '../../core/errors.ts';

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
    readonly hint?: string;
    readonly cause?: unknown;
    readonly details?: Readonly<Record<string, unknown>>;
  } = {},
): AircherError {
  return remoteError(message, undefined, { ...options, details: { ...options.details, reason } });
}

export function remoteReason(error: unknown): RemoteReason | undefined {
  return error instanceof AircherError ? (error.details.reason as RemoteReason | undefined) : undefined;
}

const certificateCodes = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

const reasons: Readonly<Record<string, RemoteReason>> = {
  ENOTFOUND: 'name',
  EAI_AGAIN: 'name',
  EAI_FAIL: 'name',
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  EADDRNOTAVAIL: 'refused',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
};

const sentences: Partial<Readonly<Record<RemoteReason, string>>> = {
  name: 'the name of the host is not known',
  refused: 'no connection',
  reset: 'the connection was cut',
  timeout: 'no answer in time',
};

/** A failure of a connection as an AircherError: `remote`, or `interrupted` for an abort. */
export function toRemoteError(error: unknown, url: string): AircherError {
  if (error instanceof AircherError) return error;
  if (isAbort(error)) return new AircherError('interrupted', 'Interrupted.', { cause: error });
  const host = hostOf(url);
  const code = systemErrorCode(error) ?? innerCode(error) ?? '';
  const details = { url: showUrl(url), system: code };
  if (certificateCodes.has(code)) {
    return networkError('certificate', `${host}: its certificate can't be trusted (${code})`, {
      hint: 'Where a company proxy opens TLS connections, set NODE_EXTRA_CA_CERTS to the file with its root certificate (PEM).',
      cause: error,
      details,
    });
  }
  const reason = reasons[code] ?? (code.startsWith('HPE_') ? 'protocol' : 'reset');
  const message = error instanceof Error ? error.message : String(error);
  return networkError(reason, `${host}: ${sentences[reason] ?? message}${code === '' ? '' : ` (${code})`}`, {
    ...(reason === 'name' && { hint: 'Check the network, and HTTPS_PROXY where one is needed.' }),
    cause: error,
    details,
  });
}

/** Happy eyeballs wraps the errors of all addresses. */
function innerCode(error: unknown): string | undefined {
  return error instanceof AggregateError ? systemErrorCode(error.errors[0]) : undefined;
}

export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** A URL fit for messages: no query (signed URLs carry secrets there), no credentials. */
export function showUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { origin, pathname, protocol, host } = new URL(url);
  return origin === 'null' ? `${protocol}//${host}${pathname}` : `${origin}${pathname}`;
}

/** A manifest source as it is stored and shown: a URL without what may be secret, anything else as it is. */
export function showSource(source: string): string {
  return /^https?:/i.test(source) ? showUrl(source) : source;
}

/** `Retry-After` (seconds or a date), or the Hub's `RateLimit: …;t=seconds`, in milliseconds. */
export function retryAfterMs(headers: {
  readonly [name: string]: string | readonly string[] | undefined;
}): number | undefined {
  const after = headers['retry-after'];
  if (typeof after === 'string') {
    if (/^\d{1,9}$/.test(after.trim())) return Number(after) * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(0, date - Date.now());
  }
  const limit = headers.ratelimit;
  const seconds = typeof limit === 'string' ? /(?:^|;)\s*t=(\d{1,9})/.exec(limit)?.[1] : undefined;
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
