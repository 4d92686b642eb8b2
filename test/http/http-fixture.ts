import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as nodeHttp from 'node:http';
import * as nodeHttps from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
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

export interface ProxyShape {
  /** Who is let through; others get 407. Default: everybody. */
  readonly allow?: (headers: nodeHttp.IncomingHttpHeaders) => boolean;
  /** Spoken to by TLS. */
  readonly tls?: Certificate;
  /** What CONNECT is answered with instead of a tunnel. */
  readonly status?: number;
  readonly host?: string;
}

/** A proxy, for CONNECT and for whole URLs; `seen` has the targets and headers. */
export async function startProxy(context: TestContext, shape: ProxyShape = {}): Promise<TestServer> {
  const { allow = () => true, tls, status = 200 } = shape;
  const seen: Seen[] = [];
  const see = ({ method = '', url = '', headers }: nodeHttp.IncomingMessage): void =>
    void seen.push({ method, url, headers });
  const handle: Answer = (request, response) => {
    see(request);
    if (!allow(request.headers)) {
      response.writeHead(407).end();
      return;
    }
    nodeHttp.get(request.url ?? '', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
  };
  const server = tls ? nodeHttps.createServer({ ...tls }, handle) : nodeHttp.createServer(handle);
  server.on('connect', (request, socket) => {
    see(request);
    if (status !== 200 || !allow(request.headers)) {
      socket.end(`HTTP/1.1 ${status === 200 ? 407 : status} No\r\n\r\n`);
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
  const port = await listen(context, server, shape.host);
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, port, seen, connections: () => 0 };
}

/** A server that gets the connection itself, once the head of a request is there. */
export async function startRawServer(context: TestContext, answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', () => answer(socket));
  });
  const port = await listen(
    context,
    Object.assign(server, {
      closeAllConnections: () => {
        for (const socket of sockets) socket.destroy();
      },
    }),
  );
  return `http://127.0.0.1:${port}`;
}

async function listen(
  context: TestContext,
  server: Server & { closeAllConnections?: () => void },
  host = '127.0.0.1',
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections?.();
      }),
  );
  return (server.address() as AddressInfo).port;
}

const authority = `[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1
basicConstraints = CA:true
`;

/** A certificate for 127.0.0.1 that nobody trusts; valid in these years. */
export function selfSigned([from, to]: readonly [number, number] = [2020, 2100]): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'aircher-tls-'));
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  try {
    writeFileSync(join(directory, 'config'), authority);
    writeFileSync(join(directory, 'index'), '');
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
    openssl('req', '-new', ...newKey, '-subj', '/CN=127.0.0.1', '-out', 'request.pem');
    const dates = ['-startdate', `${from}0101000000Z`, '-enddate', `${to}0101000000Z`];
    const files = ['-keyfile', 'key.pem', '-in', 'request.pem', '-out', 'cert.pem'];
    openssl('ca', '-selfsign', '-batch', '-notext', '-config', 'config', ...dates, ...files);
    return {
      key: readFileSync(join(directory, 'key.pem'), 'utf8'),
      cert: readFileSync(join(directory, 'cert.pem'), 'utf8'),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
