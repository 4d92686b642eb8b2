import type { HttpResponse } from '../../http/http-client.ts';
import { leave } from '../../http/read-body.ts';
import { hostOf } from '../../http/remote-error.ts';
import { retryAfterMs } from '../../http/retry-after.ts';
import { type FaultKind, type FaultRemedy, MirrorFaultError, statusFault } from './faults.ts';

interface Asked {
  readonly range: readonly [start: number, end: number] | undefined;
  /** Bytes of the whole resource. */
  readonly size: number;
  /** Asked at an address that an earlier answer gave, which may have expired. */
  readonly direct: boolean;
  /** Whoever reads it passes over what comes before the range. */
  readonly takesWhole?: boolean;
}

/** Where the body begins and ends in the resource. Throws MirrorFaultError where status and headers aren't those of what was asked. */
export function checkAnswer(response: HttpResponse, asked: Asked): { readonly start: number; readonly end: number } {
  const { status, headers } = response;
  const { range, size } = asked;
  const fault = (kind: FaultKind, fact: string, remedy: FaultRemedy): MirrorFaultError =>
    new MirrorFaultError(kind, `${hostOf(response.url)}: ${fact}`, remedy);
  const found = (): MirrorFaultError | { readonly start: number; readonly end: number } => {
    const length = headers['content-length'];
    const wrongLength = (expected: number): MirrorFaultError | undefined =>
      length === undefined || Number(length) === expected
        ? undefined
        : fault('wrong-length', `sends ${length} bytes instead of ${expected} (status ${status})`, 'never');
    if (status === 206 && range !== undefined) {
      const [start, end] = range;
      const header = headers['content-range'] ?? '';
      const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header.trim()) ?? [];
      if (Number(from) === start && Number(to) === end - 1 && (total === '*' || Number(total) === size))
        return wrongLength(end - start) ?? { start, end };
      const wanted = `bytes ${start}-${end - 1} of ${size}`;
      return fault('wrong-range', `asked for ${wanted}, says it sends ${JSON.stringify(header.slice(0, 80))}`, 'never');
    }
    if (status !== 200) return refusal(response, asked.direct);
    const wrong = wrongLength(size);
    if (wrong && /^text\/html\b/i.test(headers['content-type'] ?? ''))
      return fault('web-page', 'answers with a web page instead of the file', 'never');
    if (wrong) return wrong;
    const encoding = headers['content-encoding'] ?? 'identity';
    // Some servers call a .tar.gz gzip'd content and send it as it is; then its length is right, and the digests tell.
    if (length === undefined && encoding !== 'identity')
      return fault('protocol', `sends ${encoding} that was not asked for`, 'never');
    if (range !== undefined && range[0] > 0 && !asked.takesWhole)
      return fault('no-ranges', 'sends the whole where a range is asked for', 'retry');
    return { start: 0, end: size };
  };
  const answer = found();
  if (!(answer instanceof MirrorFaultError)) return answer;
  leave(response.body);
  throw answer;
}

/** A refusal by the host that we were sent to may only mean that its signed address has expired. */
function refusal(response: HttpResponse, direct: boolean): MirrorFaultError {
  const { status } = response;
  const message = `${hostOf(response.url)}: status ${status}`;
  const signed = direct || response.hops.length > 1;
  if (signed && [400, 401, 403, 404, 410].includes(status)) {
    return new MirrorFaultError('expired', `${message} from a temporary address`, 'resolve');
  }
  return statusFault(status, message, retryAfterMs(response.headers));
}
