import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RequestBody, StreamedBody } from './http-client.ts';
import { networkError, seconds } from './remote-error.ts';

export interface AnswerOptions {
  /** Who is asked, for messages. */
  readonly peer: string;
  readonly signal?: AbortSignal | undefined;
  readonly body?: RequestBody | undefined;
  /** What the answer comes as; default `response`. */
  readonly event?: 'response' | 'connect';
  /** Until the connection stands, tunnel and TLS included. */
  readonly connectMs: number;
  /** From there, or from the last piece of a streamed body, to the answer's head. */
  readonly answerMs: number;
}

/** The head of an answer, and for `connect` the connection, which is the caller's from then on. */
type Answer = readonly [head: IncomingMessage, connection: Duplex];

/**
 * Sends a request and waits for the head of its answer. Settles whatever becomes of the connection:
 * Node tells of one that an unasked 101 takes over, or that is closed, neither by an answer nor by
 * an error, and of a request that was destroyed only once it has a connection.
 */
export function answerOf(request: ClientRequest, options: AnswerOptions): Promise<Answer> {
  const { peer, signal, body, event = 'response', connectMs, answerMs } = options;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (error: Error): void => {
      if (settled) return;
      settle();
      request.destroy(error);
      reject(error);
    };
    const abort = (): void => fail(new DOMException('aborted', 'AbortError'));
    const failAfter = (ms: number, fact: string): void => {
      clearTimeout(timer);
      if (!settled)
        timer = setTimeout(() => fail(networkError('timeout', `${peer}: ${fact} within ${seconds(ms)} s`)), ms);
    };
    failAfter(connectMs, 'no connection');
    signal?.addEventListener('abort', abort);
    // Stays for errors after the answer; the body tells of those itself.
    request.on('error', fail);
    request.once('close', () => fail(networkError('reset', `${peer}: the connection was closed without an answer`)));
    request.once('socket', (socket) => {
      const asked = (): void => failAfter(answerMs, 'no answer');
      if ((socket as { secureConnecting?: boolean }).secureConnecting) socket.once('secureConnect', asked);
      else if (socket.connecting) socket.once('connect', asked);
      else asked();
    });
    const switches = (): void => fail(networkError('protocol', `${peer}: switches protocols (status 101), unasked`));
    request.once('upgrade', (_, socket) => {
      socket.destroy();
      switches();
    });
    request.once(event, (answer: IncomingMessage, socket: Duplex) => {
      if (answer.statusCode === 101) return switches();
      settle();
      resolve([answer, socket]);
    });
    if (signal?.aborted) abort();
    else if (typeof body !== 'object' || body instanceof Uint8Array) request.end(body);
    else {
      const onPiece = (): void => failAfter(answerMs, 'no answer');
      sendPieces(request, body, onPiece, () => settled).catch((error: unknown) => fail(new BodySourceError(error)));
    }
  });
}

/** What the source of a streamed body threw, as `cause`. */
export class BodySourceError extends Error {
  constructor(cause: unknown) {
    super('the body can’t be read', { cause });
  }
}

async function sendPieces(
  request: ClientRequest,
  body: StreamedBody,
  onPiece: () => void,
  isAnswered: () => boolean,
): Promise<void> {
  let sent = 0;
  for await (const piece of body.open()) {
    // A refusal may come before the whole is sent. Of a request that is gone, nothing more would be
    // told: no drain, no close.
    if (isAnswered() || request.destroyed) return;
    if (!request.write(piece)) await drained(request);
    onPiece();
    sent += piece.length;
    body.onSent?.(sent);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      request.off('drain', goOn).off('close', goOn);
      resolve();
    };
    request.on('drain', goOn).on('close', goOn);
  });
}
