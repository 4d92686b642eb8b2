import type { AircherError } from '../../core/errors.ts';
import type { HttpResponse } from '../../http/http-client.ts';
import { leave } from '../../http/read-body.ts';
import { hostOf, isFinal, type RemoteReason, remoteReason } from '../../http/remote-error.ts';
import { isRateLimit, retryAfterMs } from '../../http/retry-after.ts';

/** What a mirror did wrong: a word for programs and reports. */
export type FaultKind =
  | RemoteReason
  | 'wrong-bytes'
  | 'wrong-length'
  | 'wrong-range'
  | 'no-ranges'
  | 'web-page'
  | 'denied'
  | 'missing'
  | 'busy'
  | 'failing'
  | 'expired';

/**
 * What to do after a fault. `retry`: ask again after a pause. `wait`: wait as long as the mirror
 * says. `refused`: don't ask for the same again. `never`: don't ask this mirror for anything again.
 */
export type FaultRemedy = 'retry' | 'wait' | 'refused' | 'never';

export class MirrorFaultError extends Error {
  override readonly name = 'MirrorFaultError';
  readonly kind: FaultKind;
  readonly remedy: FaultRemedy;
  readonly waitMs: number | undefined;

  constructor(kind: FaultKind, message: string, remedy: FaultRemedy, waitMs?: number) {
    super(message);
    this.kind = kind;
    this.remedy = remedy;
    this.waitMs = waitMs;
  }
}

/**
 * Turns a request's error into a fault of the mirror. An error that isn't the mirror's doing is
 * thrown.
 */
export function toFault(error: unknown): MirrorFaultError {
  if (error instanceof MirrorFaultError) return error;
  const reason = remoteReason(error);
  if (reason === undefined) throw error;
  const { message } = error as AircherError;
  return new MirrorFaultError(reason, message, isFinal(error as AircherError) ? 'never' : 'retry');
}

/** The fault that a status other than 200 and 206 means. */
export function statusFault({ status, headers, url }: HttpResponse): MirrorFaultError {
  const message = `${hostOf(url)}: status ${status}`;
  const waitMs = retryAfterMs(headers);
  if (isRateLimit(status, headers) || (status === 503 && waitMs !== undefined)) {
    return new MirrorFaultError('busy', message, 'wait', waitMs);
  }
  if (status === 401 || status === 403) return new MirrorFaultError('denied', message, 'refused');
  if (status === 404 || status === 410) return new MirrorFaultError('missing', message, 'refused');
  if (status === 416) return new MirrorFaultError('wrong-range', message, 'refused');
  if (status === 408 || (status >= 500 && status !== 501)) return new MirrorFaultError('failing', message, 'retry');
  return new MirrorFaultError('protocol', message, 'refused');
}

export function noRanges(host: string): MirrorFaultError {
  return new MirrorFaultError('no-ranges', `${host}: sends the whole where a range is asked for`, 'refused');
}

export function endsTooEarly(host: string): MirrorFaultError {
  return new MirrorFaultError('truncated', `${host}: the answer ends too early`, 'retry');
}

export interface Asked {
  /** First byte, and the byte after the last one. Undefined: the whole resource. */
  readonly range: readonly [start: number, end: number] | undefined;
  /** Bytes of the whole resource. */
  readonly size: number;
}

/**
 * Which part of the resource the body is: the range that was asked for, or the whole. Throws
 * MirrorFaultError where status or headers say anything else.
 */
export function checkAnswer(response: HttpResponse, asked: Asked): readonly [start: number, end: number] {
  const answer = spanOf(response, asked);
  if (!(answer instanceof MirrorFaultError)) return answer;
  leave(response.body);
  throw answer;
}

function spanOf(response: HttpResponse, { range, size }: Asked): readonly [number, number] | MirrorFaultError {
  const { status, headers } = response;
  const host = hostOf(response.url);
  const fault = (kind: FaultKind, fact: string): MirrorFaultError =>
    new MirrorFaultError(kind, `${host}: ${fact}`, 'refused');
  if (status !== 200 && status !== 206) return statusFault(response);
  const whole = [0, size] as const;
  const header = status === 206 ? (headers['content-range'] ?? '').trim() : `bytes 0-${size - 1}/${size}`;
  const span = [range ?? whole, whole].find(([start, end]) =>
    [`bytes ${start}-${end - 1}/${size}`, `bytes ${start}-${end - 1}/*`].includes(header),
  );
  if (span === undefined) {
    const [start, end] = range ?? whole;
    return fault('wrong-range', `sends ${JSON.stringify(header.slice(0, 80))}, not bytes ${start}-${end - 1}/${size}`);
  }
  const length = headers['content-length'];
  if (length !== undefined && Number(length) !== span[1] - span[0]) {
    return status === 200 && /^text\/html\b/i.test(headers['content-type'] ?? '')
      ? fault('web-page', 'answers with a web page instead of the file')
      : fault('wrong-length', `sends ${length} bytes instead of ${span[1] - span[0]} (status ${status})`);
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  // Some servers label a .tar.gz as gzip-encoded and send it as it is. Then its length is right,
  // and the digests will tell.
  if (length === undefined && encoding !== 'identity')
    return fault('protocol', `sends ${encoding} that was not asked for`);
  return span;
}
