import { answerFailure } from './answer-failure.ts';
import { type Answer, type Deadlines, describeRequest, exchange, readAnswer } from './exchange.ts';
import { RequestFailure } from './request-failure.ts';

export interface DownloadOptions {
  readonly deadlines: Deadlines;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as Authorization, to `tokenOrigin` alone: never across a redirect to another host. */
  readonly authorization?: string | undefined;
  readonly tokenOrigin: string;
  /** More than this is an error. */
  readonly maxBytes: number;
  readonly expectedBytes?: number;
  /** Bytes before this aren't wanted: asked for by a range. */
  readonly from?: number;
}

export interface DownloadAnswer extends Answer {
  /** Where in the resource the body begins: `from`, or 0 where the host overlooks ranges. */
  readonly start: number;
}

const maxRedirects = 8;
const maxErrorBytes = 64 * 1024;

/**
 * GET with redirects followed by hand. `read` gets the final answer, whose status is 200 (or 206, to a range), and its body,
 * bounded. Throws RequestFailure with the status otherwise.
 */
export async function download<T>(
  url: string,
  options: DownloadOptions,
  read: (answer: DownloadAnswer) => Promise<T>,
): Promise<T> {
  const { from = 0 } = options;
  let at = new URL(url);
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const token = at.origin === options.tokenOrigin ? options.authorization : undefined;
    const result = await exchange<{ readonly next: URL } | { readonly value: T }>(
      at.href,
      {
        headers: {
          'accept-encoding': 'identity',
          ...options.headers,
          ...(from > 0 ? { range: `bytes=${from}-` } : {}),
          ...(token === undefined ? {} : { authorization: token }),
        },
        redirect: 'manual',
        deadlines: options.deadlines,
        signal: options.signal,
        ...(options.expectedBytes === undefined ? {} : { expectedBytes: options.expectedBytes }),
      },
      async (answer) => {
        const location = answer.headers.get('location');
        if (answer.status >= 300 && answer.status < 400 && location !== null) {
          return { next: new URL(location, at) };
        }
        const start = startOf(answer, from);
        if (start === undefined) {
          const body = (await readAnswer(answer, maxErrorBytes).catch(() => Buffer.alloc(0))).toString();
          const failure = answerFailure(describeRequest('GET', at.href), answer.status, answer.headers, body);
          // A signed URL that has expired: the next attempt gets a fresh one.
          throw hop > 0 && answer.status === 403 && !failure.retryable ? expired(failure) : failure;
        }
        return { value: await read({ ...answer, start, body: bounded(answer, options.maxBytes - start) }) };
      },
    );
    if ('value' in result) return result.value;
    if (at.protocol === 'https:' && result.next.protocol !== 'https:') {
      throw new RequestFailure(`${describeRequest('GET', at.href)}: redirects to http`, { retryable: false });
    }
    at = result.next;
  }
  throw new RequestFailure(`${describeRequest('GET', url)}: more than ${maxRedirects} redirects`, { retryable: true });
}

function expired(failure: RequestFailure): RequestFailure {
  return new RequestFailure(failure.message, {
    status: 403,
    retryable: true,
    reasons: failure.reasons,
    cause: failure,
  });
}

/** Where a good answer's body begins; undefined for any other answer. A range that wasn't asked for is a fault of the host. */
function startOf(answer: Answer, from: number): number | undefined {
  if (answer.status === 200) return 0;
  if (answer.status !== 206 || from === 0) return undefined;
  const first = /^bytes (\d{1,16})-/.exec(answer.headers.get('content-range') ?? '')?.[1];
  if (first !== undefined && Number(first) === from) return from;
  throw new RequestFailure(`${describeRequest('GET', answer.url)}: sends another range than it was asked for`, {
    retryable: true,
  });
}

/** Fails where the body is longer than allowed or ends before the length that its head named. */
async function* bounded(answer: Answer, maxBytes: number): AsyncGenerator<Uint8Array> {
  const what = describeRequest('GET', answer.url);
  const length = answer.headers.get('content-encoding') === null ? answer.headers.get('content-length') : null;
  let size = 0;
  for await (const piece of answer.body) {
    size += piece.length;
    if (size > maxBytes) throw new RequestFailure(`${what}: more than ${maxBytes} bytes`, { retryable: false });
    yield piece;
  }
  if (length !== null && Number(length) !== size) {
    throw new RequestFailure(`${what}: ended after ${size} of ${length} bytes`, { retryable: true });
  }
}
