import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as ask, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createPublishScene } from './publish-scene.ts';

test("the maintainer's commands reach the hosts through the proxy of the environment, and none that NO_PROXY names", async (t) => {
  const asked = new Set<string>();
  const proxy = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    asked.add(`${url.host} ${request.headers['proxy-authorization']}`);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const upstream = ask(url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(upstream);
    for (const end of [upstream, response]) end.on('error', () => upstream.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = `http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const scene = await createPublishScene(t);
  await scene.configure();
  const env = { ALL_PROXY: address, NO_PROXY: new URL(scene.hub.url).host };
  const released = await scene.start(['release'], env);
  assert.equal(released.exitCode, 0, String(released.stderr));
  const credentials = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  const hosts = [scene.github.apiUrl, scene.github.uploadsUrl].map((url) => new URL(url).host);
  for (const host of hosts) assert.ok(asked.has(`${host} ${credentials}`), [...asked].join());
  assert.ok(![...asked].some((line) => line.startsWith(new URL(scene.hub.url).host)), [...asked].join());
});
