import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { createHttp } from '../../src/http/create-http.ts';
import { readBody } from '../../src/http/read-body.ts';
import { isMissing, remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { type Answer, selfSigned, startServer } from './http-fixture.ts';

const ok: Answer = (_, response) => response.end('fine');
const small = { maxBytes: 1000 };

test('a token goes to its own host only, and not along a redirect to another', async (context) => {
  const other = await startServer(context, ok);
  const hub = await startServer(context, (request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: `${other.url}/signed` }).end();
    else response.end('fine');
  });
  const api = await startServer(context, ok);
  const client = http(context, {
    huggingFaceToken: 'hf-secret',
    huggingFaceEndpoint: hub.url,
    githubToken: 'gh-secret',
    githubServerUrl: other.url,
    githubApiUrl: `${api.url}/api/v3`,
  });
  for (const url of [
    `${hub.url}/x`,
    `${hub.url}/away`,
    `${other.url}/x`,
    `${api.url}/api/v3/repos`,
    `${api.url}/other`,
  ]) {
    await client.document(url, small);
  }
  assert.deepEqual(
    hub.seen.map(({ headers }) => headers.authorization),
    ['Bearer hf-secret', 'Bearer hf-secret'],
  );
  assert.deepEqual(
    api.seen.map(({ headers }) => headers.authorization),
    ['Bearer gh-secret', undefined],
  );
  assert.ok(other.seen.length === 2 && other.seen.every(({ headers }) => headers.authorization === undefined));
  assert.ok(hub.seen.every(({ headers }) => headers['accept-encoding'] === 'identity'));
  assert.equal(client.tokenFor(`${hub.url}/x`), 'HF_TOKEN');
});

for (const [name, location] of [
  ['a file', 'file:///etc/passwd'],
  ['another scheme', 'ftp://127.0.0.1/x'],
  ['plain http on another machine', 'http://192.0.2.7/x'],
  ['a URL with a password', 'http://user:secret@127.0.0.1/x'],
] as const) {
  test(`a redirect to ${name} is refused, and the error has no secret`, async (context) => {
    const server = await startServer(context, (_, response) => response.writeHead(302, { location }).end());
    await assert.rejects(http(context).document(server.url, small), (error) => {
      assert.ok(isAircherError(error, 'remote'));
      assert.equal(remoteReason(error), 'scheme');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.equal(server.seen.length, 1);
  });
}

test('redirects end, in a circle and in a long chain', async (context) => {
  const server = await startServer(context, (request, response) => {
    const [, kind, number] = /^\/(loop|chain)(\d*)/.exec(request.url ?? '') ?? [];
    const location = kind === 'loop' ? '/loop' : `/chain${Number(number) + 1}`;
    response.writeHead(302, { location }).end();
  });
  const client = http(context);
  for (const path of ['/loop', '/chain0']) {
    await assert.rejects(client.document(server.url + path, small), (error) => remoteReason(error) === 'redirect');
  }
  assert.ok(server.seen.length <= 13);
});

test('plain http is for this machine, unless allowed', async (context) => {
  await assert.rejects(http(context).request('http://192.0.2.1/x'), (error) => remoteReason(error) === 'scheme');
  await assert.rejects(
    http(context, { allowInsecure: true, connectTimeoutMs: 100 }).request('http://192.0.2.1/x'),
    (error) => remoteReason(error) !== 'scheme' && isAircherError(error, 'remote'),
  );
});

test('a certificate that is not trusted is named, with NODE_EXTRA_CA_CERTS; one that is given is trusted', async (context) => {
  const tls = selfSigned();
  const server = await startServer(context, ok, tls);
  await assert.rejects(http(context).document(server.url, small), (error) => {
    assert.ok(isAircherError(error, 'remote'));
    assert.match(error.hint ?? '', /NODE_EXTRA_CA_CERTS/);
    return true;
  });
  const trusting = http(context, { extraCertificates: tls.cert });
  assert.equal((await trusting.document(server.url, small)).bytes.toString(), 'fine');
});

for (const [years, fact] of [
  [[2090, 2091], 'its certificate is not valid yet (CERT_NOT_YET_VALID)'],
  [[2020, 2021], 'its certificate has expired (CERT_HAS_EXPIRED)'],
] as const) {
  test(`where ${fact}, this machine’s clock may be to blame`, async (context) => {
    const tls = selfSigned(years);
    const server = await startServer(context, ok, tls);
    const client = http(context, { extraCertificates: tls.cert });
    await assert.rejects(client.document(server.url, { maxBytes: 10 }), (error) => {
      assert.ok(isAircherError(error, 'remote'), String(error));
      assert.equal(error.message, `127.0.0.1:${server.port}: ${fact}`);
      assert.match(error.hint ?? '', new RegExp(`^The clock of this machine says ${new Date().getUTCFullYear()}-`));
      assert.doesNotMatch(error.hint ?? '', /proxy/);
      return true;
    });
    assert.equal(server.connections(), 1, 'asked once');
  });
}

test('https to a server without TLS is no cut connection', async (context) => {
  const server = await startServer(context, ok);
  const request = http(context).document(server.url.replace('http:', 'https:'), { ...small, attempts: 1 });
  await assert.rejects(request, /127\.0\.0\.1:\d+: no connection by TLS/);
});

test('a document is bounded, by header or not', async (context) => {
  const server = await startServer(context, (request, response) => {
    if (request.url === '/known') response.end(Buffer.alloc(2000));
    else {
      const timer = setInterval(() => response.write(Buffer.alloc(500)), 1);
      response.on('close', () => clearInterval(timer));
    }
  });
  const client = http(context);
  for (const path of ['/known', '/endless']) {
    await assert.rejects(client.document(server.url + path, small), (error) => isAircherError(error, 'invalid'));
  }
});

test('Retry-After is honoured, and one that is too long is final', async (context) => {
  let asked = 0;
  const server = await startServer(context, (request, response) => {
    asked++;
    if (request.url === '/later') response.writeHead(429, { 'retry-after': '7200' }).end();
    else if (asked === 1) response.writeHead(429, { 'retry-after': '1' }).end();
    else response.end('fine');
  });
  const client = http(context);
  const startedAt = performance.now();
  assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
  assert.ok(performance.now() - startedAt >= 950);
  await assert.rejects(client.document(`${server.url}/later`, small), (error) => isAircherError(error, 'remote'));
  assert.equal(asked, 3);
});

test('401 and 403 are about rights, and are not tried again', async (context) => {
  const server = await startServer(context, (_, response) => response.writeHead(403).end());
  await assert.rejects(http(context).document(server.url, small), (error) => {
    assert.ok(isAircherError(error, 'conflict'));
    assert.match(error.hint ?? '', /HF_TOKEN/);
    return true;
  });
  assert.equal(server.seen.length, 1);
});

test('a kept connection that the server has closed is no failure', async (context) => {
  const server = await startServer(context, (request, response) => {
    response.end('fine');
    response.on('finish', () => setTimeout(() => request.socket.resetAndDestroy(), 20));
  });
  const client = http(context);
  for (let time = 0; time < 5; time++) {
    const document = await client.document(server.url, { ...small, attempts: 1 });
    assert.equal(document.bytes.toString(), 'fine');
    await new Promise((resolve) => setTimeout(resolve, 15 + time * 3));
  }
});

test('connections are kept for the next request', async (context) => {
  const server = await startServer(context, ok);
  const client = http(context);
  for (let time = 0; time < 4; time++) await client.document(server.url, small);
  assert.equal(server.connections(), 1);
});

test('silence before and inside an answer ends after its deadline', async (context) => {
  const server = await startServer(context, (request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'content-length': 100 }).write('half');
  });
  const client = http(context, { connectTimeoutMs: 400, stallTimeoutMs: 400 });
  for (const [path, reason] of [
    ['/none', 'timeout'],
    ['/half', 'stalled'],
  ] as const) {
    const startedAt = performance.now();
    await assert.rejects(
      client.document(server.url + path, { ...small, attempts: 1 }),
      (error) => remoteReason(error) === reason,
    );
    assert.ok(performance.now() - startedAt < 10_000);
  }
});

test('a document that drips just above the slowest rate ends at its overall deadline, attempts and all', async (context) => {
  const server = await startServer(context, (_, response) => {
    response.writeHead(200, { 'content-length': 3000 });
    const timer = setInterval(() => response.write(Buffer.alloc(100)), 20);
    response.on('close', () => clearInterval(timer));
  });
  const client = http(context, { stallTimeoutMs: 100, documentTimeoutMs: 100 });
  const startedAt = performance.now();
  await assert.rejects(
    client.document(server.url, { maxBytes: 3000 }),
    (error) => remoteReason(error) === 'timeout' && /no complete answer in 0.4 s/.test(String(error)),
  );
  assert.ok(performance.now() - startedAt < 10_000);
});

test('the deadline of a document leaves room for the user’s own rate limit', () => {
  assert.equal(createHttp().settings.slowestRate, 10_000);
  assert.equal(createHttp({ limitRate: 4000 }).settings.slowestRate, 2000);
});

test('an asset of a private repository at GitHub is found by the API, for every document', async (context) => {
  const server = await startServer(context, (request, response) => {
    const url = request.url ?? '';
    if (request.headers.authorization !== 'Bearer token') response.writeHead(404).end();
    else if (url.endsWith('/repos/o/r/releases/tags/v1.0.0'))
      response.end(JSON.stringify({ assets: [null, { id: 7, name: 'manifest.json' }] }));
    else if (url.endsWith('/repos/o/r/releases/assets/7')) response.end('fine');
    else response.writeHead(404).end();
  });
  const asset = `${server.url}/o/r/releases/download/v1.0.0/manifest.json`;
  const client = http(context, { githubServerUrl: server.url, githubToken: 'token' });
  assert.equal((await client.document(asset, small)).bytes.toString(), 'fine');
  for (const url of [`${asset}.minisig`, `${server.url}/o/r/other`])
    await assert.rejects(client.document(url, small), (error) => isMissing(error) && isAircherError(error, 'remote'));
});

test('a body is held while its reader is busy, and that is no silence', async (context) => {
  const server = await startServer(context, (_, response) => response.end(Buffer.alloc(300_000)));
  const client = http(context, { stallTimeoutMs: 100 });
  let bytes = 0;
  let waits = 0;
  await readBody(await client.request(server.url), {
    stallTimeoutMs: 100,
    pace: () => 0,
    onData(piece) {
      bytes += piece.length;
      return waits++ === 0 ? new Promise((resolve) => setTimeout(resolve, 400)) : undefined;
    },
  });
  assert.equal(bytes, 300_000);
});

test('the rate limit holds for all connections together', async (context) => {
  const server = await startServer(context, (_, response) => response.end(Buffer.alloc(200_000)));
  const client = http(context, { limitRate: 500_000 });
  const startedAt = performance.now();
  await Promise.all([1, 2].map(() => client.document(server.url, { maxBytes: 200_000 })));
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds > 0.5 && seconds < 10, `${seconds} s`);
});

test('an abort ends a request as interrupted', async (context) => {
  const server = await startServer(context, () => {});
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(http(context).document(server.url, { ...small, signal: stop.signal }), (error) =>
    isAircherError(error, 'interrupted'),
  );
});

test('hosts are replaced by kind, and by the well-known names', () => {
  const client = createHttp({
    huggingFaceEndpoint: 'https://hf.example.org/',
    githubServerUrl: 'https://git.example.org',
  });
  assert.equal(client.place('https://huggingface.co/a/b?c=1', 'huggingface'), 'https://hf.example.org/a/b?c=1');
  assert.equal(client.place('https://hub.elsewhere.org/a', 'huggingface'), 'https://hf.example.org/a');
  assert.equal(client.place('https://github.com/o/r'), 'https://git.example.org/o/r');
  assert.equal(client.place('https://models.example.org/x', 'mirror'), 'https://models.example.org/x');
  assert.equal(client.githubApiUrl, 'https://git.example.org/api/v3');
  assert.equal(createHttp().githubApiUrl, 'https://api.github.com');
  assert.equal(createHttp({ githubServerUrl: 'https://octo.ghe.com/' }).githubApiUrl, 'https://api.octo.ghe.com');
  assert.throws(
    () => createHttp({ huggingFaceEndpoint: 'nonsense' }),
    (error) => isAircherError(error, 'usage'),
  );
});
