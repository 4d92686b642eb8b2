import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createWorld, type World } from './world.ts';

/** A mirror behind a login: what it serves is the world's, for whoever brings `authorization`. */
async function startLogin(t: TestContext, world: World, authorization: string) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    if (request.headers.authorization !== authorization) {
      response
        .writeHead(401, { 'www-authenticate': 'Basic realm="models"' })
        .end(`not ${request.headers.authorization}`);
      return;
    }
    const headers = { ...(request.headers.range && { range: request.headers.range }) };
    void fetch(world.mirror.url + request.url, { headers }).then(async (answer) => {
      const { status } = answer;
      response.writeHead(status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const basic = `Basic ${Buffer.from('ann:s3cret-word').toString('base64')}`;

test('a mirror behind a login is used with the password of .netrc, which is never printed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const { url, seen } = await startLogin(t, world, basic);
  const args = ['install', 'alpha', '--manifest', `${url}/manifest.json`, '--verbose'];
  const without = await world.run(args);
  assert.equal(without.exitCode, 6, without.stderr);
  assert.match(
    without.stderr,
    /for a mirror AIRCHER_MIRROR_TOKEN, or its password in ~\/\.netrc \(NETRC names another file\)/,
  );
  await writeFile(world.path('netrc'), 'machine 127.0.0.1 login ann password wrong-word');
  const env = { NETRC: world.path('netrc') };
  const wrong = await world.run(args, { env });
  assert.equal(wrong.exitCode, 6);
  assert.match(wrong.stderr, /refuses .*netrc \(status 401\)\nhint: Correct login and password there/);
  assert.doesNotMatch(wrong.stderr, /wrong-word|Basic [A-Za-z0-9]/);
  await writeFile(world.path('netrc'), 'machine 127.0.0.1 login ann password s3cret-word');
  assert.equal((await world.run(args, { env })).exitCode, 0);
  assert.ok(seen.some(({ headers }) => headers.authorization === basic));
});

test('AIRCHER_MIRROR_TOKEN goes to the hosts of the manifest sources, and to no other that a manifest names', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const { url } = await startLogin(t, world, 'Bearer mirror-token');
  world.mirror.log.clear();
  const run = await world.run(['install', 'alpha', '--manifest', `${url}/manifest.json`], {
    env: { AIRCHER_MIRROR_TOKEN: 'mirror-token' },
  });
  assert.equal(run.exitCode, 0, run.stderr);
  // The archive is at the world's own mirror, another host.
  const archive = world.mirror.log.entries.filter(({ path }) => path.endsWith('.tar.gz'));
  assert.ok(archive.length > 0);
  assert.ok(archive.every(({ authorization }) => !authorization));
  assert.equal(
    (await world.run(['check-updates', '--manifest', url], { env: { AIRCHER_MIRROR_TOKEN: 'a b' } })).exitCode,
    2,
  );
});
