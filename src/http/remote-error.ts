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
  /** An address that isn't asked: see `allowed-addresses.ts`. */
  | 'scheme'
  | 'status'
  /** It answers with something else than a document. */
  | 'content'
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

/** The status that an error tells of, if any. */
export function statusOf(error: unknown): unknown {
  return error instanceof AircherError ? error.details.status : undefined;
}

/** Whether an error says that a remote, or a disk, has no such document. */
export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404;
}

/**
 * Whether another attempt can't mend it. A proxy's password that is refused again and again may
 * lock the account.
 */
export function isFinal(error: AircherError): boolean {
  const reason = remoteReason(error);
  const final = reason === 'certificate' || reason === 'redirect' || reason === 'scheme';
  return final || Number(error.details.proxy_status) < 500;
}

const clockHint = (): string =>
  `The clock of this machine says ${new Date().toISOString().slice(0, 16)} UTC: set it if that is wrong. Else the certificate must be renewed.`;

type Fault = readonly [codes: RegExp, reason: RemoteReason, fact: string, hint?: string | (() => string)];

/** What Node's codes mean; the last is for all others. */
const faults: readonly Fault[] = [
  [/^CERT_NOT_YET_VALID/, 'certificate', 'its certificate is not valid yet', clockHint],
  [/^CERT_HAS_EXPIRED/, 'certificate', 'its certificate has expired', clockHint],
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

/**
 * A failure of a connection to `peer` (a host, or words for a proxy) as an AircherError: `remote`,
 * or `interrupted` for an abort.
 */
export function toRemoteError(error: unknown, url: string, peer = hostOf(url)): AircherError {
  if (error instanceof AircherError || isAbort(error)) return toAircherError(error);
  // Happy eyeballs wraps the errors of all addresses.
  const code = systemErrorCode(error) ?? systemErrorCode((error as Partial<AggregateError>).errors?.[0]) ?? '';
  const [, reason, fact, hint] = faults.find(([codes]) => codes.test(code))!;
  return networkError(reason, `${peer}: ${fact}${code && ` (${code})`}`, {
    hint: typeof hint === 'function' ? hint() : hint,
    cause: error,
    details: { url: showUrl(url), system: code },
  });
}

/** Of a file that is none, and its path says more. */
export function hostOf(url: string): string {
  return (URL.canParse(url) && new URL(url).host) || url;
}

/** A URL fit for messages: no query (signed URLs carry secrets there), no credentials. */
export function showUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { pathname, protocol, host } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/**
 * A manifest source as it is stored and shown: a URL without what may be secret, anything else as
 * it is.
 */
export function showSource(source: string): string {
  return /^https?:/i.test(source) ? showUrl(source) : source;
}

/** Milliseconds, as seconds for a message. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
