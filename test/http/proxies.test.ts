import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { type AircherError, isAircherError } from '../../src/core/errors.ts';
import { createHttp } from '../../src/http/create-http.ts';
import { proxyOptionsOf } from '../../src/http/proxies.ts';
import { remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { type Answer, selfSigned, startProxy, startServer } from './http-fixture.ts';

const ok: Answer = (_, response) => response.end('fine');
const small = { maxBytes: 1000, attempts: 1 };

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** What a request failed with, by its proxy's fault. */
async function proxyFault(request: Promise<unknown>): Promise<AircherError> {
  const error = await request.then(
    () => assert.fail('no failure'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isAircherError(error, 'remote'), String(error));
  assert.equal(remoteReason(error), 'proxy', error.message);
  assert.doesNotMatch(`${error.message} ${error.hint}`, /secret/);
  return error;
}

test('https goes through the proxy by CONNECT with its password, and NO_PROXY goes around it', async (context) => {
  const tls = selfSigned();
  const server = await startServer(context, ok, tls);
  const proxy = await startProxy(context);
  const options = { extraCertificates: tls.cert, httpsProxy: proxy.url.replace('//', '//user:pass%20word@') };
  const client = http(context, options);
  assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
  assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
  assert.equal(proxy.seen.length, 1, 'the tunnel is kept');
  assert.equal(proxy.seen[0]?.url, `127.0.0.1:${server.port}`);
  assert.equal(proxy.seen[0]?.headers['proxy-authorization'], basic('user:pass word'));
  assert.equal(server.seen[0]?.headers['proxy-authorization'], undefined);
  assert.equal(client.proxyFor(server.url), `127.0.0.1:${proxy.port}`);
  const around = http(context, { ...options, noProxy: 'example.org, 127.0.0.1' });
  assert.equal((await around.document(server.url, small)).bytes.toString(), 'fine');
  assert.equal(proxy.seen.length, 1);
});

test('http goes through its proxy as a whole URL', async (context) => {
  const server = await startServer(context, ok);
  const proxy = await startProxy(context);
  const client = http(context, { httpProxy: `127.0.0.1:${proxy.port}` });
  assert.equal((await client.document(`${server.url}/a?b#c`, small)).bytes.toString(), 'fine');
  assert.equal(proxy.seen[0]?.url, `${server.url}/a?b`);
});

test('a proxy at an IPv6 address is spoken to, for http and https', async (context) => {
  const tls = selfSigned();
  const proxy = await startProxy(context, { host: '::1' });
  const at = `http://[::1]:${proxy.port}`;
  const client = http(context, { httpProxy: at, httpsProxy: at, extraCertificates: tls.cert });
  for (const server of [await startServer(context, ok), await startServer(context, ok, tls)]) {
    assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
  }
  assert.deepEqual(
    proxy.seen.map(({ method }) => method),
    ['GET', 'CONNECT'],
  );
});

test('a literal % in a proxy’s password is sent as it is', async (context) => {
  const server = await startServer(context, ok);
  for (const [written, meant] of [
    ['50%off', '50%off'],
    ['100%', '100%'],
    ['a%zz%20b', 'a%zz b'],
    ['p%40ss', 'p@ss'],
  ] as const) {
    const proxy = await startProxy(context);
    const client = http(context, { httpProxy: proxy.url.replace('//', `//user:${written}@`) });
    await client.document(server.url, small);
    assert.equal(proxy.seen[0]?.headers['proxy-authorization'], basic(`user:${meant}`));
  }
});

test('a proxy named by https: is spoken to by TLS alone, for http and https', async (context) => {
  const tls = selfSigned();
  const proxy = await startProxy(context, { tls });
  const at = proxy.url.replace('//', '//user:secret@');
  const client = http(context, { httpProxy: at, httpsProxy: at, extraCertificates: tls.cert });
  for (const server of [await startServer(context, ok), await startServer(context, ok, tls)]) {
    assert.equal((await client.document(server.url, small)).bytes.toString(), 'fine');
  }
  assert.deepEqual(
    proxy.seen.map(({ method, headers }) => [method, headers['proxy-authorization']]),
    [
      ['GET', basic('user:secret')],
      ['CONNECT', basic('user:secret')],
    ],
  );
  // Its certificate is its own, and it is to blame for it.
  const untrusting = http(context, { httpProxy: at, httpsProxy: at });
  for (const url of ['http://127.0.0.1:1/', 'https://models.example.org/']) {
    const { message, hint } = await proxyFault(untrusting.document(url, small));
    assert.match(message, new RegExp(`^the proxy 127\\.0\\.0\\.1:${proxy.port}: its certificate is not trusted`));
    assert.match(hint ?? '', /NODE_EXTRA_CA_CERTS/);
  }
});

test('a proxy that wants a password, or another one, is named with its variable, and asked once', async (context) => {
  const proxy = await startProxy(context, { allow: () => false });
  const given = proxy.url.replace('//', '//user:secret@');
  for (const [options, url, variable] of [
    [{ httpsProxy: proxy.url }, 'https://models.example.org/', 'HTTPS_PROXY'],
    [{ httpProxy: proxy.url }, 'http://127.0.0.1:1/', 'HTTP_PROXY'],
    [{ allProxy: proxy.url }, 'https://models.example.org/', 'ALL_PROXY'],
    [{ httpsProxy: given }, 'https://models.example.org/', 'HTTPS_PROXY'],
    [{ httpProxy: given }, 'http://127.0.0.1:1/', 'HTTP_PROXY'],
  ] as const) {
    const before = proxy.seen.length;
    const { message, hint } = await proxyFault(http(context, options).document(url, { maxBytes: 10 }));
    const wants = Object.values(options)[0]!.includes('secret')
      ? `refuses the user name and password of ${variable}`
      : 'asks for a user name and password';
    assert.equal(message, `the proxy 127.0.0.1:${proxy.port} ${wants} (status 407)`);
    assert.match(hint ?? '', new RegExp(variable));
    // An account is soon locked by wrong passwords.
    assert.equal(proxy.seen.length, before + 1);
  }
});

test('a proxy that is dead, silent, refuses the host or can’t reach it is to blame, not the host', async (context) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  context.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const forbids = await startProxy(context, { status: 403 });
  const fails = await startProxy(context, { status: 502 });
  const doubts = await startProxy(context, { status: 401 });
  for (const [address, says] of [
    ['127.0.0.1:1', /^the proxy 127\.0\.0\.1:1: no connection \(ECONNREFUSED\)$/],
    ['proxy.invalid:3128', /^the proxy proxy\.invalid:3128: the name of the host is not known/],
    [`127.0.0.1:${port}`, new RegExp(`^the proxy 127\\.0\\.0\\.1:${port}: no `)],
  ] as const) {
    const client = http(context, { httpsProxy: address, httpProxy: address, connectTimeoutMs: 300 });
    for (const url of ['https://models.example.org/', 'http://127.0.0.1:2/']) {
      const { message, hint } = await proxyFault(client.document(url, small));
      assert.match(message, says);
      assert.match(hint ?? '', /HTTPS?_PROXY/);
    }
  }
  for (const [proxy, says] of [
    [forbids, 'refuses models.example.org:443 (status 403)'],
    [fails, 'can’t reach models.example.org:443 (status 502)'],
    [doubts, 'refuses the user name and password of HTTPS_PROXY (status 401)'],
  ] as const) {
    const client = http(context, { httpsProxy: proxy.url.replace('//', '//user:secret@') });
    const { message } = await proxyFault(client.document('https://models.example.org/', small));
    assert.equal(message, `the proxy 127.0.0.1:${proxy.port} ${says}`);
  }
});

test('cancelling doesn’t wait for a silent proxy', async (context) => {
  const closed: Promise<unknown>[] = [];
  const silent = createServer((socket) => {
    closed.push(once(socket, 'close'));
    socket.resume();
  }).listen(0, '127.0.0.1');
  context.after(() => silent.close());
  await once(silent, 'listening');
  const client = http(context, {
    httpsProxy: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
    connectTimeoutMs: 600_000,
  });
  const stop = new AbortController();
  silent.once('connection', () => stop.abort());
  const request = client.document('https://models.example.org/', { ...small, signal: stop.signal });
  await assert.rejects(request, (error) => isAircherError(error, 'interrupted'));
  // Its connection would keep the process alive.
  await Promise.all(closed);
});

test('a SOCKS proxy, and what is no address, are wrong usage of the variable that was set, and of none that isn’t used', () => {
  for (const [options, variable] of [
    [{ allProxy: 'socks5://u:secret@x' }, 'ALL_PROXY names a SOCKS proxy (socks5)'],
    [{ httpsProxy: 'socks5h://u:secret@x', allProxy: 'http://y' }, 'HTTPS_PROXY names a SOCKS proxy (socks5h)'],
    [{ httpsProxy: 'http://u:secret@[' }, 'HTTPS_PROXY is not the address of an http proxy'],
    [{ allProxy: 'ftp://u:secret@x' }, 'ALL_PROXY is not the address of an http proxy'],
  ] as const) {
    assert.throws(
      () => createHttp(options).proxyFor('https://models.example.org/'),
      (error) => isAircherError(error, 'usage') && error.message.startsWith(variable) && !/secret/.test(error.message),
    );
  }
  const both = createHttp({ allProxy: 'socks5://x', httpsProxy: 'http://y:1' });
  assert.equal(both.proxyFor('https://models.example.org/'), 'y:1');
  const around = createHttp({ allProxy: 'socks5://x', noProxy: 'models.example.org' });
  assert.equal(around.proxyFor('https://models.example.org/'), undefined);
});

test('variables count in both cases, the lower one first, and ALL_PROXY for what has none of its own', () => {
  const choose = (env: Record<string, string>, url: string): string | undefined =>
    createHttp(proxyOptionsOf(env)).proxyFor(url);
  for (const [env, https, plain] of [
    [{ HTTPS_PROXY: 'http://a:1', HTTP_PROXY: 'http://b:1' }, 'a:1', 'b:1'],
    [{ https_proxy: 'http://a:1', http_proxy: 'http://b:1' }, 'a:1', 'b:1'],
    [{ https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:1' }, 'a:1', undefined],
    [{ all_proxy: 'http://a:1', http_proxy: 'http://b:1' }, 'a:1', 'b:1'],
    [{ ALL_PROXY: 'http://a:1', HTTPS_PROXY: '' }, 'a:1', 'a:1'],
    [{ ALL_PROXY: 'http://a:1', no_proxy: 'models.example.org' }, undefined, undefined],
  ] as const) {
    assert.equal(choose(env, 'https://models.example.org/'), https, JSON.stringify(env));
    assert.equal(choose(env, 'http://models.example.org/'), plain, JSON.stringify(env));
  }
});

test('NO_PROXY names hosts, what lies below them, ports, addresses and networks', () => {
  for (const [noProxy, around, through] of [
    ['example.org', ['https://example.org/', 'https://a.b.example.org/'], ['https://badexample.org/']],
    ['.Example.org', ['https://a.example.org/', 'https://a.EXAMPLE.org./'], ['https://example.com/']],
    ['*.example.org', ['https://a.example.org/'], ['https://example.com/']],
    ['example.org:8443', ['https://example.org:8443/'], ['https://example.org/']],
    ['example.org:443', ['https://example.org/'], ['https://example.org:8443/']],
    ['10.0.0.0/8,192.168.1.0/24', ['https://10.1.2.3/', 'https://192.168.1.9/'], ['https://192.168.2.9/']],
    ['10.1.2.3:8443', ['https://10.1.2.3:8443/'], ['https://10.1.2.3/']],
    ['10.0.0.0/8', ['https://[::ffff:10.0.0.1]/'], ['https://10.example.org/']],
    ['2001:db8::/32', ['https://[2001:db8:1::1]/'], ['https://[2001:db9::1]/', 'https://10.0.0.1/']],
    ['2001:DB8:0::1', ['https://[2001:db8::1]/'], ['https://[2001:db8::2]/']],
    ['[2001:db8::1]:8443', ['https://[2001:db8::1]:8443/'], ['https://[2001:db8::1]/']],
    ['1', [], ['https://127.0.0.1/']],
    ['10.0.0.0/99 , ,/8 :', [], ['https://10.0.0.1/']],
    ['a.example  b.example', ['https://b.example/'], ['https://c.example/']],
    ['*', ['https://example.org/', 'https://10.0.0.1/'], []],
  ] as const) {
    const client = createHttp({ httpsProxy: 'http://proxy:1', noProxy });
    for (const url of around) assert.equal(client.proxyFor(url), undefined, `${noProxy} ${url}`);
    for (const url of through) assert.equal(client.proxyFor(url), 'proxy:1', `${noProxy} ${url}`);
  }
});
