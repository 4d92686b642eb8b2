import assert from 'node:assert/strict';
import dns from 'node:dns';
import { type TestContext, test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { isMachineAddress, isMachineHost } from '../../src/http/allowed-addresses.ts';
import { remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { type Answer, selfSigned, startProxy, startServer } from './http-fixture.ts';

const ok: Answer = (_, response) => response.end('fine');
const small = { maxBytes: 1000, attempts: 1 };
/** A document that came from elsewhere. */
const foreign = { local: false };

function isRefused(error: unknown): boolean {
  assert.ok(isAircherError(error, 'remote'), String(error));
  assert.equal(remoteReason(error), 'scheme', error.message);
  assert.match(error.message, /another machine can’t name an address of this one/);
  return true;
}

/** Makes names resolve as a hostile DNS has it. */
function resolve(context: TestContext, names: Readonly<Record<string, string>>): void {
  const real = dns.lookup;
  context.mock.method(dns, 'lookup', (name: string, ...rest: [dns.LookupAllOptions, never]) =>
    (real as (name: string, ...rest: unknown[]) => void)(names[name] ?? name, ...rest),
  );
}

test('addresses of this machine and its link are told from others, however they are written', () => {
  for (const address of [
    ...['127.0.0.1', '127.255.0.9', '0.0.0.0', '169.254.169.254', '::1', '::', 'fe80::1', 'febf::1'],
    ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.1.1', '0:0:0:0:0:ffff:0:0', 'fe80::1%1'],
  ]) {
    assert.ok(isMachineAddress(address), address);
  }
  for (const address of ['10.0.0.1', '192.168.1.1', '128.0.0.1', '2001:db8::1', '::ffff:10.0.0.1', 'fec0::1', 'x']) {
    assert.ok(!isMachineAddress(address), address);
  }
  for (const url of ['http://localhost/', 'http://a.localhost./', 'http://0x7f.1/', 'http://[::ffff:127.0.0.1]/']) {
    assert.ok(isMachineHost(new URL(url).hostname), url);
  }
});

test('what a foreign document names is not asked on this machine, by name, number or DNS, whatever the scheme', async (context) => {
  const tls = selfSigned();
  resolve(context, { 'rebound.example.org': '127.0.0.1' });
  for (const server of [await startServer(context, ok), await startServer(context, ok, tls)]) {
    const client = http(context, { allowInsecure: true, extraCertificates: tls.cert });
    // The user's own address is asked, and a connection is kept.
    assert.equal((await client.document(server.url, small)).local, true);
    const before = server.seen.length;
    for (const host of [
      '127.0.0.1',
      'localhost',
      '2130706433',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      'rebound.example.org',
    ]) {
      const url = server.url.replace('127.0.0.1', host);
      await assert.rejects(client.namedBy(foreign).document(url, small), isRefused, url);
    }
    assert.equal(server.seen.length, before);
    assert.equal((await client.namedBy({ local: true }).document(server.url, small)).bytes.toString(), 'fine');
  }
});

test('a redirect leads to this machine only from this machine, by the address that answered', async (context) => {
  const inner = await startServer(context, ok);
  const outer = await startServer(context, (_, response) =>
    response.writeHead(302, { location: `${inner.url}/delete?all=1` }).end(),
  );
  assert.equal((await http(context).document(outer.url, small)).bytes.toString(), 'fine');
  resolve(context, { 'models.example.org': '127.0.0.1' });
  const named = outer.url.replace('127.0.0.1', 'models.example.org');
  const direct = http(context, { allowInsecure: true });
  assert.equal((await direct.document(named, small)).bytes.toString(), 'fine');
  assert.equal(inner.seen.length, 2);
  // Behind a proxy nobody knows where the answer came from.
  const proxy = await startProxy(context);
  const through = http(context, { allowInsecure: true, httpProxy: proxy.url });
  await assert.rejects(through.document(named, small), isRefused);
  assert.equal(inner.seen.length, 2);
});

test('a host that the user configured is asked, whoever names it', async (context) => {
  const hub = await startServer(context, ok);
  const client = http(context, { huggingFaceEndpoint: hub.url }).namedBy(foreign);
  const placed = client.place('https://huggingface.co/a/b', 'huggingface');
  assert.equal((await client.document(placed, small)).bytes.toString(), 'fine');
});
