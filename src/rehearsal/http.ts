import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type ActiveFault, createFaults, type Faults, findFault } from './faults.ts';
import { createPacer, type Limits, type Pacer } from './pacing.ts';
import { Refusal, type Reply, redirectReply, textReply } from './reply.ts';
import { readRequestBody } from './request-body.ts';
import { createRequestLog, type LogEntry, type RequestLog, withoutSecrets } from './request-log.ts';
import { cutConnection, sendReply } from './send-reply.ts';

/** One request, as a handler sees it. */
export interface Exchange {
  /** Name of the origin (`api`, `web`, `hub`, …) and its own base URL, without a final slash. */
  readonly origin: string;
  readonly baseUrl: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
  /**
   * What hits this exchange; the server applies most of it, stand-ins look for those that they must
   * do.
   */
  readonly faults: readonly ActiveFault[];
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** The request's body, once. Throws where the client breaks off. */
  body(): AsyncIterable<Buffer>;
}

export type Handler = (exchange: Exchange) => Reply | Promise<Reply>;

export interface OriginOptions {
  readonly name: string;
  readonly handler: Handler;
  readonly faults?: Faults | undefined;
  readonly log?: RequestLog | undefined;
  readonly limits?: Limits | undefined;
  /** PEM texts; the origin then speaks https. */
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  /** 127.0.0.1 where it isn't given. */
  readonly host?: string | undefined;
  /** A free one where it isn't given. */
  readonly port?: number | undefined;
  /**
   * Host name in the base URL, where it isn't the address listened on (a name that the TLS
   * certificate is for).
   */
  readonly publicHost?: string | undefined;
}

export interface Origin {
  readonly name: string;
  /** `http://127.0.0.1:12345`, without a final slash. */
  readonly url: string;
  readonly port: number;
  /** Cuts all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Starts one HTTP server that answers by `handler`, under the faults and limits given, and writes
 * the log.
 */
export async function startOrigin(options: OriginOptions): Promise<Origin> {
  const { name, handler, host = '127.0.0.1', port = 0, limits = {} } = options;
  const faults = options.faults ?? createFaults();
  const log = options.log ?? createRequestLog();
  const pacers = new WeakMap<Socket, Pacer>();
  const shared = limits.sharedBytesPerSecond === undefined ? undefined : createPacer(limits.sharedBytesPerSecond);
  let baseUrl = '';

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: target = '/', socket, headers } = request;
    const began = Date.now();
    const client = new AbortController();
    const gone = (): void => client.abort();
    response.once('close', gone);
    // Node tells nothing to answers that still wait for those before them.
    socket.once('close', gone);
    const active = faults.match({ method, path: target, origin: name });
    const entry: LogEntry = {
      time: began,
      origin: name,
      method,
      path: withoutSecrets(target),
      authorization: headers.authorization !== undefined,
      range: headers.range,
      faults: active.map(({ kind }) => kind),
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
      durationMs: undefined,
      error: undefined,
    };
    log.add(entry);
    let pacer = shared ?? pacers.get(socket);
    if (pacer === undefined && limits.bytesPerSecond !== undefined) {
      pacer = createPacer(limits.bytesPerSecond);
      pacers.set(socket, pacer);
    }
    const scene = { request, response, faults: active, signal: client.signal, entry, pacer, limits };
    try {
      const reset = findFault(active, 'reset', 'request');
      if (reset && (reset.atByte ?? 0) === 0) return cutConnection(scene, reset.how);
      if (findFault(active, 'ignore-range')) delete headers.range;
      if (findFault(active, 'whole-as-206') && headers.range) headers.range = 'bytes=0-';
      const body = readRequestBody(scene);
      const exchange = (): Exchange => ({
        origin: name,
        baseUrl,
        method,
        url: requestUrl(target, baseUrl),
        headers,
        remoteAddress: socket.remoteAddress ?? '',
        faults: active,
        signal: client.signal,
        body: () => body,
      });
      const reply = await replyUnderFaults(scene, body, () => handler(exchange()));
      if (findFault(active, 'lost-response')) return cutConnection(scene);
      // What the handler left unread comes over the wire all the same, and the next request follows
      // it.
      const rest = drain(body).catch(() => {});
      await sendReply(scene, reply);
      await rest;
    } catch (error) {
      if (client.signal.aborted || socket.destroyed) return;
      entry.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (response.headersSent) cutConnection(scene);
      else await sendReply(scene, textReply(500, `the stand-in failed: ${entry.error}`));
    } finally {
      socket.removeListener('close', gone);
      entry.durationMs = Date.now() - began;
    }
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('error', () => {});
    response.on('error', () => {});
    void answer(request, response).catch(() => request.socket.destroy());
  };
  const server = options.tls ? createTlsServer({ ...options.tls }, listener) : createServer(listener);
  // Uploads may take as long as they like, and pooled connections of clients shouldn't be closed
  // under their hands.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  const address = server.address() as AddressInfo;
  baseUrl = `${options.tls ? 'https' : 'http'}://${options.publicHost ?? host}:${address.port}`;
  return {
    name,
    url: baseUrl,
    port: address.port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The handler's reply, or the one that a fault puts in its place. */
async function replyUnderFaults(
  scene: { readonly request: IncomingMessage; readonly faults: readonly ActiveFault[] },
  body: AsyncIterable<Buffer>,
  handle: () => Reply | Promise<Reply>,
): Promise<Reply> {
  const status = scene.faults.find(
    (fault) => fault.kind === 'status' && (fault.when ?? rangedness(scene.request)) === rangedness(scene.request),
  ) as ActiveFault<'status'> | undefined;
  const redirect = findFault(scene.faults, 'redirect');
  const html = findFault(scene.faults, 'html');
  const work = async (): Promise<Reply> => {
    try {
      return await handle();
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      throw error;
    }
  };
  if (!status && !redirect && !html) return work();
  if (status?.after) await work();
  else await drain(body);
  if (redirect) return redirectReply(redirect.to);
  if (status) return { ...textReply(status.status, status.body ?? '', status.headers) };
  return textReply(200, '<!DOCTYPE html>\n<html><title>Welcome</title><body>Please sign in.</body></html>\n', {
    'content-type': 'text/html; charset=utf-8',
  });
}

function rangedness({ headers }: IncomingMessage): 'ranged' | 'not ranged' {
  return headers.range === undefined ? 'not ranged' : 'ranged';
}

async function drain(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}

function requestUrl(target: string, baseUrl: string): URL {
  try {
    return new URL(target, baseUrl);
  } catch {
    throw new Refusal(textReply(400, 'Bad Request: malformed request target'));
  }
}

/** The whole request body, at most `limit` bytes (10 MB), else 413. */
export async function readBytes(exchange: Exchange, limit = 10_000_000): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of exchange.body()) {
    length += piece.length;
    if (length > limit) throw new Refusal(textReply(413, 'Payload Too Large'));
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
