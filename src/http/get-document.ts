import { AircherError, conflictError, invalidError } from '../core/errors.ts';
import { retry } from '../core/retry.ts';
import { assetHeaders, findPrivateAsset } from './github-asset.ts';
import type { DocumentRequest, Http, HttpDocument, HttpResponse } from './http-client.ts';
import { leave, readBody, seconds } from './read-body.ts';
import { hostOf, networkError, type RemoteReason, remoteReason, retryAfterMs, showUrl } from './remote-error.ts';

/** Faults that another attempt can't mend. */
const finalReasons: readonly (RemoteReason | undefined)[] = ['certificate', 'redirect', 'scheme'];

/** See `Http.document`. */
export async function getDocument(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  const { documentTimeoutMs, slowestRate } = http.settings;
  const timeoutMs = request.timeoutMs ?? Math.ceil(documentTimeoutMs + (request.maxBytes / slowestRate) * 1000);
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline;
  const within = { ...request, signal };
  try {
    return await tryOften(http, url, within).catch(async (error: unknown) => {
      const asset = isMissing(error) ? await findPrivateAsset(http, url, { signal }) : undefined;
      if (asset === undefined) throw error;
      return tryOften(http, asset, { ...within, headers: assetHeaders });
    });
  } catch (error) {
    if (!deadline.aborted || request.signal?.aborted) throw error;
    throw networkError('timeout', `${showUrl(url)}: no complete answer in ${seconds(timeoutMs)} s`, {
      cause: error,
    });
  }
}

/** The status that an error tells of, if any. */
export function statusOf(error: unknown): unknown {
  return error instanceof AircherError ? error.details.status : undefined;
}

/** Whether an error says that a remote, or a disk, has no such document. */
export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404;
}

function tryOften(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
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
  if (finalReasons.includes(remoteReason(error))) return false;
  if (typeof retryAfter !== 'number') return true;
  return retryAfter <= maxWaitMs ? retryAfter : false;
}

async function attempt(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  const { etag, maxBytes, signal } = request;
  const response = await http.request(url, {
    headers: { ...request.headers, ...(etag !== undefined && { 'if-none-match': etag }) },
    signal,
  });
  const { status, headers, body } = response;
  const pieces: Buffer[] = [];
  if (status !== 200) {
    leave(body);
    if (status !== 304 || etag === undefined) throw statusError(response);
  } else {
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      body.destroy();
      throw networkError('protocol', `${showUrl(url)}: sent in the encoding ${JSON.stringify(encoding)}, unasked`);
    }
    let bytes = 0;
    await readBody(response, {
      stallTimeoutMs: http.settings.stallTimeoutMs,
      pace: http.pace,
      onData(piece) {
        bytes += piece.length;
        if (bytes > maxBytes) throw invalidError(`${showUrl(url)}: more than the ${maxBytes} bytes expected`);
        pieces.push(piece);
        return undefined;
      },
    });
  }
  return { status, headers, url: response.url, bytes: Buffer.concat(pieces) };
}

/** An answer with a status that is none of those expected, as an error. */
function statusError(response: HttpResponse): AircherError {
  const { status } = response;
  const shown = showUrl(response.hops[0] ?? response.url);
  const details = { url: shown, status, retryAfter: retryAfterMs(response.headers), reason: 'status' };
  if (status === 401 || status === 403) {
    return conflictError(
      `${shown}: access denied (status ${status})`,
      'For a private repository set HF_TOKEN or GITHUB_TOKEN to a token that may read it.',
      { details },
    );
  }
  const what = status === 404 ? 'not found' : status === 429 ? 'too many requests' : 'failed';
  return networkError('status', `${shown}: ${what} (status ${status} from ${hostOf(response.url)})`, { details });
}
