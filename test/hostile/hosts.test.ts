import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startServer } from '../http/http-fixture.ts';
import { createArena, requireRefused } from './arena.ts';

test('how a manifest’s host may answer', async (t) => {
  const arena = await createArena(t);
  const good = JSON.stringify(arena.manifest);

  const refused = (
    name: string,
    answer: (response: ServerResponse, request: IncomingMessage) => void,
    codes: readonly number[],
    says?: RegExp,
  ): Promise<void> =>
    t.test(`refused: ${name}`, async (t) => {
      const host = await startServer(t, (request, response) => answer(response, request));
      const outcome = await arena.attack(['install', 'victim'], { manifest: `${host.url}/manifest.json` });
      requireRefused(outcome, codes);
      if (says) assert.match(outcome.stderr, says);
    });
  const redirected = (to: string, says: RegExp): Promise<void> =>
    refused(
      `a redirect to ${to.slice(0, 50)}`,
      (response) => response.writeHead(302, { location: to }).end(),
      [5],
      says,
    );

  await redirected('file:///etc/passwd', /only https/);
  await redirected('ftp://127.0.0.1/manifest.json', /only https/);
  await redirected('data:application/json,{}', /only https/);
  await redirected('javascript:0', /only https/);
  await redirected('http://192.0.2.1/manifest.json', /plain http/);
  await redirected('//192.0.2.1/manifest.json', /plain http/);
  await redirected('http://user:password@127.0.0.1/manifest.json', /user name/);
  await redirected('http://[', /no URL/);
  await redirected(`https://127.0.0.1:1/${'x'.repeat(8000)}`, /^error: .{0,400}$/m);
  await redirected('/manifest.json', /circle/);
  let hop = 0;
  await refused(
    'redirects without an end',
    (response) => response.writeHead(302, { location: `/${hop++}` }).end(),
    [5],
    /redirects/,
  );
  await refused(
    'a redirect with an endless body',
    (response) => {
      response.writeHead(302, { location: 'file:///x' });
      const more = (): void =>
        void (response.write(Buffer.alloc(65536)) ? setImmediate(more) : response.once('drain', more));
      more();
      response.on('error', () => {});
    },
    [5],
    /only https/,
  );
  await refused(
    'a bomb as gzip, which was not asked for',
    (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000)));
    },
    [3],
    /more than the 16777216 bytes expected/,
  );
  await refused(
    'a length that is too short for it',
    (response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.end(good.slice(0, 100));
    },
    [3],
  );
  await refused(
    'a length that it does not keep',
    (response) => {
      response.writeHead(200, { 'content-length': good.length + 10 });
      response.write(good);
      setTimeout(() => response.destroy(), 50);
    },
    [5],
  );
  await refused(
    'headers without an end',
    (_, { socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        if (!socket.destroyed) socket.write(`x: ${'x'.repeat(1000)}\r\n`, () => setImmediate(more));
      };
      more();
    },
    [5],
  );
  await refused('no HTTP', (_, { socket }) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'), [5]);
  await refused('a 304 that nobody asked for', (response) => response.writeHead(304).end(), [5]);
  await refused(
    'a partial answer that nobody asked for',
    (response) => response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end(good),
    [5],
  );
  await refused(
    'the right to wait for a year',
    (response) => response.writeHead(429, { 'retry-after': '31536000' }).end(),
    [5],
  );
  await refused(
    'an answer of a web page',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    [5],
    /a web page instead of the document/,
  );
});

test('control characters of manifests and hosts do not reach a terminal, and their lines do not pass for the client’s', async (t) => {
  const arena = await createArena(t);
  const { manifest, victim } = arena;
  const evil =
    'Nice\u001b[2J\u001b]0;owned\u0007\u009b31m\rerror: call +1\u202eback\b\nhint: run this\r\nerror: call +1';
  const clean = (outcome: { readonly stdout: string; readonly stderr: string }): void => {
    assert.doesNotMatch(
      outcome.stdout + outcome.stderr,
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
    );
    assert.doesNotMatch(outcome.stdout + outcome.stderr, /^(hint: run|error: call)/m);
  };
  const spoilt = {
    ...manifest,
    models: { ...manifest.models, victim: { ...victim, license: evil, changes: evil } },
    yanked: [{ model: 'victim', version: '1.0.0', reason: evil }],
  };
  await arena.plant('manifest.json', JSON.stringify(spoilt));
  const listed = await arena.attack(['list', '--remote']);
  assert.match(listed.stdout, /Nice/);
  clean(listed);
  const refused = await arena.attack(['install', 'victim']);
  assert.match(refused.stderr, /was withdrawn: Nice/);
  clean(refused);
  await arena.plant('manifest.json', JSON.stringify({ ...manifest, [evil]: 1, models: { [evil]: victim } }));
  clean(await arena.attack(['install', 'victim']));
  const host = await startServer(t, (_, response) => {
    response.writeHead(302, { location: 'x-\u00e9\u009b31m:evil' });
    response.end();
  });
  clean(await arena.attack(['install', 'victim'], { manifest: `${host.url}/manifest.json` }));
  const json = await arena.attack(['list', '--remote', '--json'], { manifest: arena.world.manifestUrl });
  clean(json);
});
