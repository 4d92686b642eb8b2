import { AircherError, conflictError, invalidError } from '../../core/errors.ts';
import { retry } from '../../core/retry.ts';
import { leave, readBody } from './read-body.ts';
import { hostOf, networkError, remoteReason, retryAfterMs, showUrl } from './remote-error.ts';
import type { DocumentRequest, Http, HttpDocument, HttpResponse } from './types.ts';

/** Faults that another attempt can't mend. */
const finalReasons = new Set(['certificate', 'redirect', 'scheme']);

/** See `Http.document`. */
export async function getDocument(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  return retry(() => attempt(http, url, request), {
    ...request,
    what: showUrl(url),
    attempts: request.attempts ?? 3,
    baseDelayMs: http.settings.retryDelayMs,
    retryable: (error) => retryVerdict(error, http.settings.maxRetryAfterMs),
  });
}

/** Whether and when to try again, for `retry`. */
function retryVerdict(error: unknown, maxWaitMs: number): boolean | number {
  if (!(error instanceof AircherError) || error.code !== 'remote') return false;
  const { status, retryAfter } = error.details;
  if (typeof status === 'number' && status !== 429 && status !== 408 && status < 500) return false;
  if (finalReasons.has(remoteReason(error) ?? '')) return false;
  if (typeof retryAfter !== 'number') return true;
  return retryAfter <= maxWaitMs ? retryAfter : false;
}

async function attempt(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  const response = await http.request(url, {
    ...(request.headers && { headers: request.headers }),
    signal: request.signal,
  });
  const { status, headers, hops } = response;
  if (status !== 200) {
    leave(response.body);
    if (request.accept?.includes(status)) return { status, headers, url: response.url, hops, bytes: Buffer.alloc(0) };
    throw statusError(response);
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    response.body.destroy();
    throw networkError(
      'protocol',
      `${showUrl(url)}: sent with the encoding ${JSON.stringify(encoding)}, which was not asked for`,
    );
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  await readBody(response, {
    stallTimeoutMs: http.settings.stallTimeoutMs,
    pace: http.pace,
    onData(piece) {
      bytes += piece.length;
      if (bytes > request.maxBytes) throw tooBig(url, request.maxBytes);
      pieces.push(piece);
      return undefined;
    },
  });
  return { status, headers, url: response.url, hops, bytes: Buffer.concat(pieces, bytes) };
}

function tooBig(url: string, maxBytes: number): AircherError {
  return invalidError(`${showUrl(url)}: more than the ${maxBytes} bytes expected`, undefined, {
    details: { url: showUrl(url) },
  });
}

/** An answer with a status that is none of those expected, as an error. */
function statusError(response: HttpResponse): AircherError {
  const { status } = response;
  const shown = showUrl(response.hops[0] ?? response.url);
  const details = { url: shown, status, retryAfter: retryAfterMs(response.headers) };
  if (status === 401 || status === 403) {
    return conflictError(
      `${shown}: access denied (status ${status})`,
      'For a private repository set HF_TOKEN or GITHUB_TOKEN to a token that may read it.',
      { details: { ...details, reason: 'status' } },
    );
  }
  const what = status === 404 ? 'not found' : status === 429 ? 'too many requests' : 'failed';
  return networkError('status', `${shown}: ${what} (status ${status} from ${hostOf(response.url)})`, { details });
}
