import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { readBody } from '../../src/http/read-body.ts';
import { remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { startRawServer, startServer } from './http-fixture.ts';

const small = { maxBytes: 1000, attempts: 1 };

for (const [name, head, reason] of [
  [
    'an unasked 101',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'protocol',
  ],
  ['a 101 that names nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\nabc', 'protocol'],
  ['what is no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'protocol'],
  ['the end of the connection', '', 'reset'],
  ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le', 'reset'],
  ['a 100, and the end', 'HTTP/1.1 100 Continue\r\n\r\n', 'reset'],
  ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', 'truncated'],
  ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab', 'truncated'],
] as const) {
  test(`a request whose answer is ${name} fails by its host`, async (context) => {
    const url = await startRawServer(context, (socket) => {
      if (head.includes('101')) socket.write(head);
      else socket.end(head);
    });
    await assert.rejects(http(context).document(url, small), (error) => {
      assert.ok(isAircherError(error, 'remote'), String(error));
      assert.ok(error.message.includes(new URL(url).host), error.message);
      assert.ok([reason, 'reset'].includes(remoteReason(error) ?? ''), error.message);
      return true;
    });
  });
}

test('an abort ends a request and a body at once, also one that the rate limit holds', async (context) => {
  const server = await startServer(context, (request, response) => {
    if (request.url === '/body') response.end(Buffer.alloc(500_000));
  });
  // 64 KiB at 100 bytes a second are a pause of ten minutes.
  const client = http(context, { limitRate: 100, connectTimeoutMs: 600_000, stallTimeoutMs: 600_000 });
  for (const path of ['/none', '/body']) {
    const stop = new AbortController();
    const reading = client.request(server.url + path, { signal: stop.signal }).then((response) =>
      readBody(response, {
        stallTimeoutMs: 600_000,
        pace(bytes) {
          setImmediate(() => stop.abort());
          return client.pace(bytes);
        },
        onData: () => undefined,
      }),
    );
    if (path === '/none') {
      while (server.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      stop.abort();
    }
    await assert.rejects(reading, (error) => isAircherError(error, 'interrupted'));
  }
  const aborted = client.document(server.url, { ...small, signal: AbortSignal.abort() });
  await assert.rejects(
    aborted,
    (error) => (error as Error).name === 'AbortError' || isAircherError(error, 'interrupted'),
  );
  // Nothing of ours is left that would keep the process alive.
  assert.deepEqual(
    process.getActiveResourcesInfo().filter((what) => what === 'Timeout'),
    [],
  );
});

test('a kept connection on which the server answers 101 is no failure of the next request alone', async (context) => {
  let asked = 0;
  const server = await startServer(context, (request, response) => {
    if (++asked === 2) request.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    else response.end('fine');
  });
  const client = http(context);
  await client.document(server.url, small);
  await assert.rejects(client.document(server.url, small), (error) => remoteReason(error) === 'protocol');
  assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
});
