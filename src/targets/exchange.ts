import { anySignal } from '../core/abort.ts';
import { AircherError } from '../core/errors.ts';
import { growingBuffer } from '../core/growing-buffer.ts';
import type { Http, HttpResponse, RequestBody } from '../http/http-client.ts';
import { leave } from '../http/read-body.ts';
import { hostOf, isFinal, networkError, remoteReason, seconds, toRemoteError } from '../http/remote-error.ts';
import { RequestFailure } from './request-failure.ts';

/** How long a request may take before it counts as failed. */
export interface Deadlines {
  /** Until the connection stands. */
  readonly connectMs: number;
  /** Between two signs of life: a piece of body sent or received, the answer's head. */
  readonly stallMs: number;
  /** In all, for a request without much of a body. */
  readonly totalMs: number;
  /** Slowest transfer that is waited for: a body adds its size divided by this to `totalMs`. */
  readonly minBytesPerSecond: number;
}

export const defaultDeadlines: Deadlines = {
  connectMs: 20_000,
  // A Hub commit may take a minute until it answers.
  stallMs: 90_000,
  totalMs: 300_000,
  minBytesPerSecond: 64 * 1024,
};

/** What requests go over, and how long they may take. */
export interface Network {
  readonly http: Http;
  readonly deadlines: Deadlines;
}

/** What `new Headers` takes. */
export type HeaderList = Headers | Readonly<Record<string, string>>;

export interface ExchangeOptions {
  readonly method?: string;
  /** `authorization` doesn't follow a redirect to another host. */
  readonly headers?: HeaderList;
  readonly body?: RequestBody | undefined;
  readonly redirect?: 'follow' | 'manual';
  readonly network: Network;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of answer that are expected, for the total deadline. */
  readonly expectedBytes?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  /** Another address sent us there. */
  readonly redirected: boolean;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * One request and its answer, under deadlines; `read` takes the answer's body, and what it leaves
 * is thrown away. Throws RequestFailure where there is no answer or it breaks off, the signal's
 * reason after an abort, and errors of reading the body's source as they are. A bad status is no
 * error here.
 */
export async function exchange<T>(
  url: string,
  options: ExchangeOptions,
  read: (answer: Answer) => Promise<T>,
): Promise<T> {
  const { method = 'GET', body, signal, redirect } = options;
  const { http, deadlines } = options.network;
  const { connectMs: connectTimeoutMs, stallMs, totalMs, minBytesPerSecond } = deadlines;
  signal?.throwIfAborted();
  const headers = new Headers(options.headers);
  const streamed = typeof body === 'object' && 'open' in body ? body : undefined;
  if (streamed) headers.set('content-length', String(streamed.sizeBytes));
  const bytes = (streamed?.sizeBytes ?? 0) + (options.expectedBytes ?? 0);
  // Timers take at most 2^31-1 ms.
  const limitMs = Math.min(Math.ceil(totalMs + (bytes / minBytesPerSecond) * 1000), 2 ** 31 - 1);
  const limit = AbortSignal.timeout(limitMs);
  const what = describeRequest(method, url);
  let response: HttpResponse | undefined;
  try {
    response = await http.request(url, {
      method,
      headers: Object.fromEntries(headers),
      body,
      redirect,
      connectTimeoutMs,
      answerTimeoutMs: stallMs,
      signal: anySignal(signal, limit),
    });
    return await read({
      status: response.status,
      headers: headersOf(response),
      url: response.url,
      redirected: response.hops.length > 1,
      body: watched(response, stallMs),
    });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (limit.aborted) throw new RequestFailure(`${what}: not done after ${seconds(limitMs)} s`, { retryable: true });
    throw failureOf(error, what, hostOf(url));
  } finally {
    if (response && !response.body.readableEnded) leave(response.body);
  }
}

function headersOf({ headers }: HttpResponse): Headers {
  const pairs = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  );
  return new Headers(pairs);
}

/** The body, which fails where nothing comes for so long while it is waited for. */
async function* watched({ body, url }: HttpResponse, stallMs: number): AsyncGenerator<Uint8Array> {
  const stalled = (): unknown =>
    body.destroy(networkError('stalled', `${hostOf(url)}: no byte for ${seconds(stallMs)} s`));
  let timer = setTimeout(stalled, stallMs);
  try {
    for await (const piece of body) {
      clearTimeout(timer);
      yield piece;
      timer = setTimeout(stalled, stallMs);
    }
  } catch (error) {
    throw toRemoteError(error, url);
  } finally {
    clearTimeout(timer);
  }
}

/** What the HTTP room says of a request, as a failure that may go better another time. */
function failureOf(error: unknown, what: string, host: string): unknown {
  if (!(error instanceof AircherError) || remoteReason(error) === undefined) return error;
  const isStreamRedirected = remoteReason(error) === 'redirect' && !what.startsWith('GET');
  return new RequestFailure(`${what}: ${error.message.replace(`${host}: `, '')}`, {
    retryable: !isFinal(error),
    hint: isStreamRedirected
      ? 'The repository may have been renamed this moment: run the same command again, which asks for its name first.'
      : error.hint,
    cause: error,
  });
}

/** The whole body, at most `maxBytes`. */
export async function readAnswer(answer: Answer, maxBytes: number): Promise<Buffer> {
  const content = growingBuffer(maxBytes);
  for await (const piece of answer.body) {
    if (content.add(piece)) continue;
    throw new RequestFailure(`${describeRequest('GET', answer.url)}: more than ${maxBytes} bytes`, {
      retryable: false,
    });
  }
  return content.bytes();
}

/** `PUT https://host/path`: without the query, which may hold a signature. */
export function describeRequest(method: string, url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed ? `${method} ${parsed.origin}${parsed.pathname}` : method;
}
