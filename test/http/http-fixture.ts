import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as nodeHttp from 'node:http';
import * as nodeHttps from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: nodeHttp.IncomingHttpHeaders;
}

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly seen: readonly Seen[];
  /** TCP connections that were opened. */
  readonly connections: () => number;
}

export type Answer = (request: nodeHttp.IncomingMessage, response: nodeHttp.ServerResponse) => void;

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A plain server of a test, on this machine, gone with the test. */
export async function startServer(context: TestContext, answer: Answer, tls?: Certificate): Promise<TestServer> {
  const seen: Seen[] = [];
  let connections = 0;
  const handle: Answer = (request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    answer(request, response);
  };
  const server = tls ? nodeHttps.createServer({ ...tls }, handle) : nodeHttp.createServer(handle);
  server.on('connection', () => connections++);
  const port = await listen(context, server);
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, port, seen, connections: () => connections };
}

/** A proxy that knows CONNECT only; `seen` has the targets and headers. */
export async function startProxy(
  context: TestContext,
  allow: (headers: nodeHttp.IncomingHttpHeaders) => boolean = () => true,
): Promise<TestServer> {
  const seen: Seen[] = [];
  const server = nodeHttp.createServer((request, response) => {
    // An ordinary request to a proxy has the whole URL.
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    nodeHttp.get(request.url ?? '', (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    });
  });
  server.on('connect', (request, socket) => {
    seen.push({ method: 'CONNECT', url: request.url ?? '', headers: request.headers });
    if (!allow(request.headers)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const [, host, port] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
  });
  const port = await listen(context, server);
  return { url: `http://127.0.0.1:${port}`, port, seen, connections: () => 0 };
}

async function listen(context: TestContext, server: Server & { closeAllConnections?: () => void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections?.();
      }),
  );
  return (server.address() as AddressInfo).port;
}

/** A certificate for 127.0.0.1 that nobody trusts. */
export function selfSigned(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'aircher-tls-'));
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
      ],
      { stdio: 'ignore' },
    );
    return {
      key: readFileSync(join(directory, 'key.pem'), 'utf8'),
      cert: readFileSync(join(directory, 'cert.pem'), 'utf8'),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
