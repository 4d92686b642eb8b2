import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isAircherError } from '../../src/core/errors.ts';
import type { HttpResponse, StreamedBody } from '../../src/http/http-client.ts';
import { remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { type Answer, startProxy, startRawServer, startServer, type TestServer } from './http-fixture.ts';

async function textOf(message: Readable | Promise<HttpResponse>): Promise<string> {
  const body = message instanceof Promise ? (await message).body : message;
  let text = '';
  for await (const piece of body) text += piece;
  return text;
}

/** Answers with what it was sent. */
const echo: Answer = (request, response) =>
  void textOf(request).then((text) =>
    response.end(`${request.method} ${request.headers['content-length']} ${request.headers.authorization} ${text}`),
  );

function streamed(pieces: readonly string[], onSent?: (bytes: number) => void): StreamedBody {
  const sizeBytes = pieces.join('').length;
  return {
    sizeBytes,
    ...(onSent && { onSent }),
    async *open() {
      for (const piece of pieces) yield Buffer.from(piece);
    },
  };
}

/** Something that is waited for. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const lengthOf = ({ sizeBytes }: StreamedBody) => ({ 'content-length': String(sizeBytes) });

test('text, bytes and streams are sent with their length, also through a proxy', async (context) => {
  const server = await startServer(context, echo);
  const proxy = await startServer(context, echo);
  const told: number[] = [];
  const stream = streamed(['one', 'two', ''], (bytes) => told.push(bytes));
  for (const client of [http(context), http(context, { httpProxy: proxy.url })]) {
    assert.equal(await textOf(client.request(server.url, { method: 'POST', body: 'fünf' })), 'POST 5 undefined fünf');
    const bytes = { method: 'PUT', body: Buffer.from('abc') };
    assert.equal(await textOf(client.request(server.url, bytes)), 'PUT 3 undefined abc');
    assert.equal(await textOf(client.request(server.url, { method: 'DELETE' })), 'DELETE undefined undefined ');
    const streaming = { method: 'PUT', headers: lengthOf(stream), body: stream };
    assert.equal(await textOf(client.request(server.url, streaming)), 'PUT 6 undefined onetwo');
  }
  assert.deepEqual(told, [3, 6, 6, 3, 6, 6]);
});

/** A server that redirects everything below /away with `status`. */
function redirecting(context: TestContext, status: number, to: TestServer): Promise<TestServer> {
  return startServer(context, (request, response) => {
    if (request.url?.startsWith('/away')) response.writeHead(status, { location: `${to.url}/there` }).end();
    else if (request.url === '/near') response.writeHead(status, { location: '/here' }).end();
    else echo(request, response);
  });
}

test('a write follows a redirect that keeps its method; credentials stay with their host', async (context) => {
  const other = await startServer(context, echo);
  const headers = { Authorization: 'Bearer secret' };
  for (const status of [307, 308]) {
    const server = await redirecting(context, status, other);
    const write = { method: 'POST', headers, body: 'x' };
    assert.equal(await textOf(http(context).request(`${server.url}/near`, write)), 'POST 1 Bearer secret x');
    assert.equal(await textOf(http(context).request(`${server.url}/away`, write)), 'POST 1 undefined x');
    assert.equal(await textOf(http(context).request(`${server.url}/away`, { headers })), 'GET undefined undefined ');
  }
});

test('what would change the method, or must be read again, is a redirect that a write can’t follow', async (context) => {
  const other = await startServer(context, echo);
  const stream = streamed(['x']);
  for (const [status, body] of [
    [301, 'x'],
    [302, 'x'],
    [303, 'x'],
    [307, stream],
    [308, stream],
  ] as const) {
    const server = await redirecting(context, status, other);
    const headers = { 'content-length': '1' };
    await assert.rejects(http(context).request(`${server.url}/away`, { method: 'POST', headers, body }), (error) => {
      assert.equal(remoteReason(error), 'redirect', String(error));
      return true;
    });
    const manual = await http(context).request(`${server.url}/away`, { method: 'POST', body: 'x', redirect: 'manual' });
    assert.equal(manual.status, status);
    manual.body.resume();
  }
  assert.equal(other.seen.length, 0);
});

test('a refusal that comes before the whole is sent is the answer', async (context) => {
  const url = await startRawServer(context, (socket) =>
    socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\nconnection: close\r\n\r\nmore'),
  );
  let asked = 0;
  const body: StreamedBody = {
    sizeBytes: 1e9,
    async *open() {
      for (;;) {
        asked++;
        yield Buffer.alloc(65_536);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
  const response = await http(context).request(url, { method: 'PUT', headers: lengthOf(body), body });
  assert.equal(response.status, 413);
  assert.equal(await textOf(response.body), 'more');
  assert.ok(asked < 1000, `${asked} pieces were read`);
});

test('what a body’s source throws is thrown as it is, and the request is no success', async (context) => {
  const whole: string[] = [];
  const server = await startServer(context, (request, response) => {
    void textOf(request).then(
      (text) => {
        whole.push(text);
        response.end();
      },
      () => {},
    );
  });
  const lost = Object.assign(new Error('gone'), { code: 'ENOENT' });
  const body: StreamedBody = {
    sizeBytes: 10,
    async *open() {
      yield Buffer.from('half');
      throw lost;
    },
  };
  const request = http(context).request(server.url, { method: 'PUT', headers: lengthOf(body), body });
  await assert.rejects(request, (error) => error === lost);
  assert.deepEqual(whole, []);
});

test('a write is never sent over a kept connection, and never twice', async (context) => {
  const seen: string[] = [];
  const server = await startServer(context, (request, response) => {
    seen.push(`${request.method}`);
    if (request.method === 'POST') request.socket.resetAndDestroy();
    else response.end('fine');
  });
  const client = http(context);
  await textOf(client.request(server.url));
  await assert.rejects(client.request(server.url, { method: 'POST', body: 'x' }), (error) =>
    isAircherError(error, 'remote'),
  );
  assert.deepEqual(seen, ['GET', 'POST']);
  assert.equal(server.connections(), 2);
});

test('an upload may take longer than an answer, as long as it moves; one that doesn’t move fails', async (context) => {
  const server = await startServer(context, (request, response) => {
    if (request.url === '/stuck') request.pause();
    else echo(request, response);
  });
  const client = http(context, { answerTimeoutMs: 1500 });
  const slow: StreamedBody = {
    sizeBytes: 5,
    async *open() {
      for (let at = 0; at < 5; at++) {
        await new Promise((resolve) => setTimeout(resolve, 400));
        yield Buffer.from('x');
      }
    },
  };
  const request = { method: 'PUT', headers: lengthOf(slow), body: slow };
  assert.equal(await textOf(client.request(server.url, request)), 'PUT 5 undefined xxxxx');
  const large = streamed(Array.from({ length: 200 }, () => 'x'.repeat(1e6)));
  const stuck = client.request(`${server.url}/stuck`, { method: 'PUT', headers: lengthOf(large), body: large });
  await assert.rejects(stuck, (error) => remoteReason(error) === 'timeout');
});

test('sha256 of a large body is what arrives, and little of it is in memory at once', async (context) => {
  const hash = createHash('sha256');
  let received = '';
  const server = await startServer(context, (request, response) => {
    const there = createHash('sha256');
    request
      .on('data', (piece) => there.update(piece))
      .on('end', () => {
        received = there.digest('hex');
        response.end();
      });
  });
  let open = 0;
  let most = 0;
  const body: StreamedBody = {
    sizeBytes: 300 * 1_000_000,
    onSent: () => open--,
    async *open() {
      for (let at = 0; at < 300; at++) {
        const piece = Buffer.alloc(1_000_000, at);
        hash.update(piece);
        open++;
        most = Math.max(most, open);
        yield piece;
      }
    },
  };
  const response = await http(context, { answerTimeoutMs: 20_000 }).request(server.url, {
    method: 'PUT',
    headers: lengthOf(body),
    body,
  });
  response.body.resume();
  assert.equal(received, hash.digest('hex'));
  assert.ok(most <= 2, `${most} pieces at once`);
});

test('a write that is cancelled while its body is read closes what the body is read from', async (context) => {
  const [arrived, gone, goesOn, closed] = [gate(), gate(), gate(), gate()];
  const server = await startServer(context, (request) => {
    request.resume().once('error', () => gone.open());
    arrived.open();
  });
  const stop = new AbortController();
  const body: StreamedBody = {
    sizeBytes: 20_000_000,
    async *open() {
      try {
        yield Buffer.alloc(1000);
        await arrived.opened;
        stop.abort();
        await goesOn.opened;
        for (let at = 0; at < 9; at++) yield Buffer.alloc(2_000_000);
      } finally {
        closed.open();
      }
    },
  };
  const request = http(context).request(server.url, {
    method: 'PUT',
    headers: lengthOf(body),
    body,
    signal: stop.signal,
  });
  await assert.rejects(request, (error) => isAircherError(error, 'interrupted'));
  await gone.opened;
  goesOn.open();
  assert.equal(
    await Promise.race([closed.opened.then(() => 'closed'), delay(5000, 'left open', { ref: false })]),
    'closed',
  );
});

test('nothing is left of a proxy’s tunnel when a write is cancelled', async (context) => {
  const proxy = await startProxy(context, { status: 200 });
  const stop = new AbortController();
  const client = http(context, { httpsProxy: proxy.url });
  const server = await startRawServer(context, () => stop.abort());
  const body: StreamedBody = {
    sizeBytes: 10,
    async *open() {
      yield Buffer.from('half');
      await new Promise(() => {});
    },
  };
  const request = client.request(server.replace('http:', 'https:'), { method: 'PUT', body, signal: stop.signal });
  await assert.rejects(request, (error) => isAircherError(error, 'interrupted'));
});
