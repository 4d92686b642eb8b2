import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createWorld } from './world.ts';

test('the token that `hf auth login` keeps goes to the Hub’s endpoint, HF_TOKEN before it, and is never printed', async (t) => {
  const world = await createWorld(t);
  await mkdir(world.path('hf'));
  await writeFile(world.path('hf/token'), 'hf_keptByLogin\n');
  const sent: (string | undefined)[] = [];
  const hub = createServer((request, response) => {
    sent.push(request.headers.authorization);
    response.writeHead(403, { 'content-type': 'text/plain' }).end(`no: ${request.headers.authorization}`);
  });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  t.after(() => hub.close());
  const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  const ask = async (env: Readonly<Record<string, string>>) => {
    sent.length = 0;
    const source = `${url}/acme/models/resolve/main/manifest.json`;
    const run = await world.run(['install', 'alpha', '--manifest', source, '--verbose'], {
      env: { HF_HOME: world.path('hf'), HF_ENDPOINT: url, ...env },
    });
    assert.equal(run.exitCode, 6, run.stderr);
    assert.doesNotMatch(run.stderr, /hf_\w+/);
    return sent[0];
  };
  assert.equal(await ask({}), 'Bearer hf_keptByLogin');
  assert.equal(await ask({ HF_TOKEN: 'hf_ofVariable' }), 'Bearer hf_ofVariable');
  assert.equal(await ask({ HF_HOME: world.path('none') }), undefined);
});

test('HF_HUB_OFFLINE keeps the client from the network, as huggingface_hub reads it', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const offline = await world.run(['install', 'alpha'], { env: { HF_HUB_OFFLINE: 'on' } });
  assert.equal(offline.exitCode, 5);
  assert.match(offline.stderr, /the client is offline/);
  assert.deepEqual(world.mirror.log.entries, []);
  assert.equal((await world.run(['install', 'alpha'], { env: { HF_HUB_OFFLINE: '0' } })).exitCode, 0);
});
