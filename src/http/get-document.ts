import { anySignal } from '../core/abort.ts';
import { AircherError, conflictError, invalidError } from '../core/errors.ts';
import { growingBuffer } from '../core/growing-buffer.ts';
import { retry } from '../core/retry.ts';
import { documentContent } from './document-content.ts';
import { assetHeaders, findPrivateAsset } from './github-asset.ts';
import type { DocumentRequest, Http, HttpDocument, HttpResponse } from './http-client.ts';
import { leave, readBody } from './read-body.ts';
import { hostOf, isFinal, isMissing, networkError, seconds, showUrl } from './remote-error.ts';
import { isRateLimit, retryAfterMs } from './retry-after.ts';
import { isPassword } from './tokens.ts';

/** See `Http.document`. */
export async function getDocument(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  const { documentTimeoutMs, slowestRate } = http.settings;
  const timeoutMs = request.timeoutMs ?? Math.ceil(documentTimeoutMs + (request.maxBytes / slowestRate) * 1000);
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = anySignal(request.signal, deadline);
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
  if (!(error instanceof AircherError) || error.code !== 'remote' || isFinal(error)) return false;
  const { status, retryAfter, limited } = error.details;
  if (typeof status === 'number' && limited !== true && status !== 408 && status < 500) return false;
  if (typeof retryAfter !== 'number') return true;
  return retryAfter <= maxWaitMs ? retryAfter : false;
}

async function attempt(http: Http, url: string, request: DocumentRequest): Promise<HttpDocument> {
  const { etag, maxBytes, signal, onEvent } = request;
  const response = await http.request(url, {
    headers: { ...request.headers, ...(etag !== undefined && { 'if-none-match': etag }) },
    signal,
    onEvent,
  });
  const { status, headers, local } = response;
  if (status !== 200) {
    leave(response.body);
    if (status !== 304 || etag === undefined) throw statusError(response);
    return { status, headers, url: response.url, local, bytes: Buffer.alloc(0) };
  }
  const shown = showUrl(url);
  const content = growingBuffer(maxBytes);
  await readBody(response, {
    stallTimeoutMs: http.settings.stallTimeoutMs,
    pace: http.pace,
    onData(piece) {
      if (content.add(piece)) return undefined;
      throw invalidError(`${shown}: more than the ${maxBytes} bytes expected`);
    },
  });
  const bytes = documentContent(content.bytes(), headers['content-encoding'] ?? '', { shown, maxBytes });
  return { status, headers, url: response.url, local, bytes };
}

/** An answer with a status that is none of those expected, as an error. */
function statusError(response: HttpResponse): AircherError {
  const { status, headers, through, refusedToken } = response;
  const shown = showUrl(response.hops[0] ?? response.url);
  const host = hostOf(response.url);
  const limited = isRateLimit(status, headers);
  const details = { url: shown, status, limited, retryAfter: retryAfterMs(headers), reason: 'status' };
  if ((status === 401 || status === 403) && !limited) {
    return refusedToken
      ? conflictError(
          `${shown}: ${host} refuses ${refusedToken.name} (status ${status})`,
          isPassword(refusedToken)
            ? 'Correct login and password there: they may have changed, or not open this address.'
            : 'Renew the token: it may have expired, or not reach this repository.',
          { details },
        )
      : conflictError(
          `${shown}: access denied (status ${status})`,
          'For a private repository set HF_TOKEN or GITHUB_TOKEN to a token that may read it; for a mirror AIRCHER_MIRROR_TOKEN, or its password in ~/.netrc (NETRC names another file).',
          { details },
        );
  }
  const what = status === 404 ? 'not found' : limited ? 'too many requests' : 'failed';
  return networkError(
    'status',
    `${shown}: ${what} (status ${status} from ${host}${through ? ` through ${through}` : ''})`,
    { details },
  );
}
