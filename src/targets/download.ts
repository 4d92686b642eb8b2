import { answerFailure } from './answer-failure.ts';
import { type Answer, describeRequest, type ExchangeOptions, exchange, readAnswer } from './exchange.ts';
import { RequestFailure } from './request-failure.ts';

export interface DownloadOptions extends Pick<ExchangeOptions, 'network' | 'signal' | 'expectedBytes'> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as Authorization, but across no redirect to another host. */
  readonly authorization?: string | undefined;
  /** More than this is an error. */
  readonly maxBytes: number;
  /** Bytes before this aren't wanted: asked for by a range. */
  readonly from?: number;
}

export interface DownloadAnswer extends Answer {
  /** Where in the resource the body begins: `from`, or 0 where the host overlooks ranges. */
  readonly start: number;
}

const maxErrorBytes = 64 * 1024;

/**
 * GET. `read` gets the final answer, whose status is 200 (or 206, to a range), and its body,
 * bounded. Throws RequestFailure with the status otherwise.
 */
export async function download<T>(
  url: string,
  options: DownloadOptions,
  read: (answer: DownloadAnswer) => Promise<T>,
): Promise<T> {
  const { from = 0, authorization, maxBytes, ...rest } = options;
  const headers = {
    'accept-encoding': 'identity',
    ...options.headers,
    ...(from > 0 && { range: `bytes=${from}-` }),
    ...(authorization !== undefined && { authorization }),
  };
  return exchange(url, { ...rest, headers }, async (answer) => {
    const start = startOf(answer, from);
    if (start !== undefined) return read({ ...answer, start, body: bounded(answer, maxBytes - start) });
    const body = (await readAnswer(answer, maxErrorBytes).catch(() => Buffer.alloc(0))).toString();
    const failure = answerFailure(describeRequest('GET', answer.url), answer.status, answer.headers, body);
    // A signed URL that has expired: the next attempt gets a fresh one.
    throw answer.redirected && answer.status === 403 && !failure.retryable ? expired(failure) : failure;
  });
}
function expired(failure: RequestFailure): RequestFailure {
  return new RequestFailure(failure.message, {
    status: 403,
    retryable: true,
    reasons: failure.reasons,
    cause: failure,
  });
}

/**
 * Where a good answer's body begins; undefined for any other answer. A range that wasn't asked for
 * is a fault of the host.
 */
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
