import { AircherError } from '../../core/errors.ts';
import { remoteReason } from '../../http/remote-error.ts';

/** What a mirror did wrong, as a word for programs and reports. */
export type FaultKind =
  | 'unreachable'
  | 'reset'
  | 'timeout'
  | 'stalled'
  | 'slow'
  | 'truncated'
  | 'wrong-bytes'
  | 'wrong-length'
  | 'wrong-range'
  | 'no-ranges'
  | 'web-page'
  | 'denied'
  | 'missing'
  | 'busy'
  | 'failing'
  | 'expired'
  | 'redirect'
  | 'certificate'
  | 'protocol';

/** How a fault is answered: try again after a wait, wait as long as the mirror says, or never ask again in this run. */
export type FaultRemedy = 'retry' | 'wait' | 'never' | 'resolve';

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

const byReason: Readonly<Record<string, readonly [FaultKind, FaultRemedy]>> = {
  name: ['unreachable', 'retry'],
  refused: ['unreachable', 'retry'],
  proxy: ['unreachable', 'retry'],
  reset: ['reset', 'retry'],
  timeout: ['timeout', 'retry'],
  stalled: ['stalled', 'retry'],
  slow: ['slow', 'retry'],
  truncated: ['truncated', 'retry'],
  protocol: ['protocol', 'retry'],
  certificate: ['certificate', 'never'],
  redirect: ['redirect', 'never'],
  scheme: ['redirect', 'never'],
};

/** An error of a request as a fault of its mirror; anything that isn't the mirror's doing is thrown on. */
export function toFault(error: unknown): MirrorFaultError {
  if (error instanceof MirrorFaultError) return error;
  if (!(error instanceof AircherError)) throw error;
  if (error.code === 'integrity') return new MirrorFaultError('wrong-bytes', error.message, 'retry');
  const { status, retryAfter } = error.details;
  if (typeof status === 'number') {
    return statusFault(status, error.message, typeof retryAfter === 'number' ? retryAfter : undefined);
  }
  const known = byReason[remoteReason(error) ?? ''];
  if (known === undefined) throw error;
  return new MirrorFaultError(known[0], error.message, known[1]);
}

export function statusFault(status: number, message: string, retryAfter: number | undefined): MirrorFaultError {
  if (status === 429 || (status === 503 && retryAfter !== undefined)) {
    return new MirrorFaultError('busy', message, 'wait', retryAfter);
  }
  if (status === 401 || status === 403) return new MirrorFaultError('denied', message, 'never');
  if (status === 404 || status === 410) return new MirrorFaultError('missing', message, 'never');
  if (status === 408 || status >= 500) return new MirrorFaultError('failing', message, 'retry');
  if (status === 416) return new MirrorFaultError('wrong-range', message, 'never');
  return new MirrorFaultError('protocol', message, 'never');
}
