import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { createPublishScene } from './publish-scene.ts';

test("the maintainer's commands reach the hosts through the proxy of the environment, and none that NO_PROXY names", async (t) => {
  const tunnels: string[] = [];
  const proxy = createServer((_request, response) => response.writeHead(501).end());
  proxy.on('connect', (request, socket, head) => {
    tunnels.push(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on('error', () => upstream.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const scene = await createPublishScene(t);
  await scene.configure();
  const env = { http_proxy: address, HTTPS_PROXY: address, NO_PROXY: new URL(scene.hub.url).host };
  const released = await scene.start(['release'], env);
  assert.equal(released.exitCode, 0, String(released.stderr));
  assert.ok(tunnels.includes(new URL(scene.github.apiUrl).host), tunnels.join(' '));
  assert.ok(!tunnels.includes(new URL(scene.hub.url).host), tunnels.join(' '));
});
