import { AircherError, isAbort, systemErrorCode } from '../core/errors.ts';
import { RequestFailure } from './request-failure.ts';

/** How long a request may take before it counts as failed. */
export interface Deadlines {
  /** Until a streamed body's first byte is asked for: the connection stands. */
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

/** A body that is read afresh at each attempt. */
export interface StreamedBody {
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
  /** Bytes sent so far in this attempt. */
  onSent?(bytes: number): void;
}

/** What `new Headers` takes. */
export type HeaderList = Headers | Readonly<Record<string, string>>;

export interface ExchangeOptions {
  readonly method?: string;
  readonly headers?: HeaderList;
  readonly body?: string | Uint8Array | StreamedBody | undefined;
  readonly redirect?: 'follow' | 'manual' | 'error';
  readonly deadlines: Deadlines;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of answer that are expected, for the total deadline. */
  readonly expectedBytes?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * One request and its answer, under deadlines; `read` takes the answer's body, and what it leaves is thrown away. Throws
 * RequestFailure where there is no answer or it breaks off, the signal's reason after an abort, and errors of reading the
 * body's source as they are. A bad status is no error here.
 */
export async function exchange<T>(
  url: string,
  options: ExchangeOptions,
  read: (answer: Answer) => Promise<T>,
): Promise<T> {
  const { method = 'GET', body, deadlines, signal } = options;
  const what = describeRequest(method, url);
  signal?.throwIfAborted();
  const streamed = isStreamed(body) ? body : undefined;
  const headers = new Headers(options.headers);
  if (streamed) headers.set('content-length', String(streamed.sizeBytes));
  const bytes = (streamed?.sizeBytes ?? 0) + (options.expectedBytes ?? 0);
  const watch = new Watch(what, deadlines, bytes, streamed !== undefined, signal);
  let response: Response | undefined;
  try {
    response = await fetch(url, {
      method,
      headers,
      // A streamed body that fetch may have to send again after a redirect is kept in memory by it: no redirects then.
      redirect: streamed ? 'error' : (options.redirect ?? 'follow'),
      signal: watch.signal,
      ...(streamed
        ? { body: ReadableStream.from(watchedPieces(streamed, watch)), duplex: 'half' }
        : { body: body as string | Uint8Array<ArrayBuffer> | undefined }),
    } as RequestInit);
    watch.beat();
    return await read({
      status: response.status,
      headers: response.headers,
      url: response.url,
      body: watchedAnswer(response, watch),
    });
  } catch (error) {
    throw watch.explain(error);
  } finally {
    watch.stop();
    await response?.body?.cancel().catch(() => {});
  }
}

/** The whole body, at most `maxBytes`. */
export async function readAnswer(answer: Answer, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body) {
    size += piece.length;
    if (size > maxBytes) {
      throw new RequestFailure(`${describeRequest('GET', answer.url)}: more than ${maxBytes} bytes`, {
        retryable: false,
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** `PUT https://host/path`: without the query, which may hold a signature. */
export function describeRequest(method: string, url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed ? `${method} ${parsed.origin}${parsed.pathname}` : method;
}

function isStreamed(body: ExchangeOptions['body']): body is StreamedBody {
  return typeof body === 'object' && 'open' in body;
}

async function* watchedPieces(body: StreamedBody, watch: Watch): AsyncGenerator<Uint8Array> {
  let sent = 0;
  try {
    watch.beat();
    for await (const piece of body.open()) {
      watch.beat();
      yield piece;
      sent += piece.length;
      body.onSent?.(sent);
    }
  } catch (error) {
    watch.sourceError = error;
    throw error;
  }
}

async function* watchedAnswer(response: Response, watch: Watch): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  for await (const piece of response.body) {
    watch.beat();
    yield piece;
  }
}

/** Certificate faults that no second attempt mends. */
const certificateErrors =
  /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH|ERR_SSL_WRONG_VERSION)/;

/** Runs the deadlines of one exchange, and says afterwards why it failed. */
class Watch {
  /** Set by the reader of the body's source. */
  sourceError: unknown;
  private readonly what: string;
  private readonly deadlines: Deadlines;
  private readonly outer: AbortSignal | undefined;
  private readonly controller = new AbortController();
  private readonly total: NodeJS.Timeout;
  private stall: NodeJS.Timeout;
  private connecting: boolean;

  constructor(what: string, deadlines: Deadlines, bytes: number, connecting: boolean, outer: AbortSignal | undefined) {
    this.what = what;
    this.deadlines = deadlines;
    this.outer = outer;
    this.connecting = connecting;
    const totalMs = deadlines.totalMs + (bytes / deadlines.minBytesPerSecond) * 1000;
    // setTimeout takes at most 2^31-1 ms.
    this.total = setTimeout(() => this.expire(`not done after ${totalMs} ms`), Math.min(totalMs, 2 ** 31 - 1));
    this.stall = connecting
      ? setTimeout(() => this.expire(`no connection within ${deadlines.connectMs} ms`), deadlines.connectMs)
      : this.stallTimer();
    outer?.addEventListener('abort', this.onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** A sign of life. */
  beat(): void {
    if (this.connecting) {
      this.connecting = false;
      clearTimeout(this.stall);
      this.stall = this.stallTimer();
    } else {
      this.stall.refresh();
    }
  }

  stop(): void {
    clearTimeout(this.total);
    clearTimeout(this.stall);
    this.outer?.removeEventListener('abort', this.onAbort);
  }

  explain(error: unknown): unknown {
    if (this.outer?.aborted) return this.outer.reason;
    if (this.sourceError !== undefined && !isAbort(this.sourceError)) return this.sourceError;
    if (this.controller.signal.aborted) return this.controller.signal.reason;
    if (error instanceof RequestFailure || error instanceof AircherError || !(error instanceof TypeError)) return error;
    const cause: unknown = error.cause ?? error;
    const code = systemErrorCode(cause);
    const fact = cause instanceof Error && cause.message !== '' ? cause.message : (code ?? error.message);
    if (code !== undefined && certificateErrors.test(code)) {
      return new RequestFailure(`${this.what}: ${fact}`, {
        retryable: false,
        hint: "The host's certificate isn't trusted here. Behind a proxy that inspects TLS, set NODE_EXTRA_CA_CERTS to its certificate.",
        cause: error,
      });
    }
    if (fact === 'unexpected redirect') {
      return new RequestFailure(`${this.what}: is redirected, which an upload can't follow`, {
        retryable: false,
        hint: 'The repository may have been renamed this moment: run the same command again, which asks for its name first.',
        cause: error,
      });
    }
    return new RequestFailure(`${this.what}: ${fact}`, { retryable: true, cause: error });
  }

  private stallTimer(): NodeJS.Timeout {
    const { stallMs } = this.deadlines;
    return setTimeout(() => this.expire(`nothing moved for ${stallMs} ms`), stallMs);
  }

  private expire(fact: string): void {
    this.controller.abort(new RequestFailure(`${this.what}: ${fact}`, { retryable: true }));
  }

  private readonly onAbort = (): void => {
    this.controller.abort(this.outer?.reason);
  };
}
