import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bearer,
  commitLines,
  expiredToken,
  hubScene,
  readToken,
  repository,
  strangerToken,
  textFile,
  writeToken,
} from './hub-scene.ts';

test('tokens: a wrong and an expired one get 401, one without rights 403, and none is in the log', async (t) => {
  const { hub } = await hubScene(t);
  const status = async (token: string): Promise<number> =>
    (await commitLines(hub, [textFile('a.txt', 'a')], { token })).status;
  assert.equal(await status('hf_nobodysToken'), 401);
  assert.equal(await status(expiredToken), 401);
  assert.equal(await status(readToken), 403);
  assert.equal(await status(strangerToken), 403);
  assert.equal(await status(writeToken), 200);
  const anonymous = await fetch(`${hub.url}/api/models/${repository}/branch/b`, { method: 'POST', body: '{}' });
  assert.equal(anonymous.status, 401);
  assert.equal((await fetch(`${hub.url}/api/whoami-v2`, { headers: bearer(expiredToken) })).status, 401);
  assert.doesNotMatch(JSON.stringify(hub.log.entries), /hf_/);
});

test('a private repository looks like a missing one to those who may not read it', async (t) => {
  const { hub } = await hubScene(t);
  await hub.createRepository('acme/secret', { private: true });
  for (const name of ['acme/secret', 'acme/never-made']) {
    for (const path of [`/api/models/${name}`, `/${name}/resolve/main/.gitattributes`]) {
      const anonymous = await fetch(hub.url + path);
      assert.deepEqual([anonymous.status, anonymous.headers.get('x-error-code')], [401, 'RepoNotFound']);
      const stranger = await fetch(hub.url + path, { headers: bearer(strangerToken) });
      assert.deepEqual([stranger.status, stranger.headers.get('x-error-code')], [404, 'RepoNotFound']);
    }
  }
  const own = await fetch(`${hub.url}/acme/secret/resolve/main/.gitattributes`, { headers: bearer(readToken) });
  assert.equal(own.status, 200);
});

test('a gated repository tells of itself, but gives its files to members only', async (t) => {
  const { hub } = await hubScene(t);
  await hub.createRepository('acme/gated', { gated: 'manual' });
  const info = await fetch(`${hub.url}/api/models/acme/gated`);
  assert.equal(((await info.json()) as { readonly gated: string }).gated, 'manual');
  const path = `${hub.url}/acme/gated/resolve/main/.gitattributes`;
  const answers = [await fetch(path), await fetch(path, { headers: bearer(strangerToken) })];
  assert.deepEqual(
    answers.map((answer) => [answer.status, answer.headers.get('x-error-code')]),
    [
      [401, 'GatedRepo'],
      [403, 'GatedRepo'],
    ],
  );
  assert.equal((await fetch(path, { headers: bearer(readToken) })).status, 200);
});

test('unknown revisions and paths are named in X-Error-Code', async (t) => {
  const { hub } = await hubScene(t);
  const codeOf = async (path: string): Promise<unknown[]> => {
    const response = await fetch(hub.url + path);
    return [response.status, response.headers.get('x-error-code')];
  };
  assert.deepEqual(await codeOf(`/${repository}/resolve/v9/README.md`), [404, 'RevisionNotFound']);
  assert.deepEqual(await codeOf(`/${repository}/resolve/main/README.md`), [404, 'EntryNotFound']);
  assert.deepEqual(await codeOf(`/api/models/${repository}/tree/main/nowhere`), [404, 'EntryNotFound']);
  assert.deepEqual(await codeOf(`/api/models/${repository}/revision/${'0'.repeat(40)}`), [404, 'RevisionNotFound']);
});

test('rate limits: anonymous calls run out with 429 and a RateLimit header, accounts have their own', async (t) => {
  const rateLimits = { windowSeconds: 1, anonymous: { api: 2, resolvers: 1 }, commitsPerHour: 1 };
  const { hub } = await hubScene(t, { rateLimits });
  const ask = (path: string, headers = {}): Promise<Response> => fetch(hub.url + path, { headers, redirect: 'manual' });
  const info = `/api/models/${repository}`;
  assert.match((await ask(info)).headers.get('ratelimit') ?? '', /^"api";r=1;t=1$/);
  assert.equal((await ask(info)).status, 200);
  const over = await ask(info);
  assert.equal(over.status, 429);
  assert.match(over.headers.get('ratelimit') ?? '', /^"api";r=0;t=\d+$/);
  assert.equal((await ask(info, bearer(readToken))).status, 200);
  const file = `/${repository}/resolve/main/.gitattributes`;
  assert.deepEqual([(await ask(file)).status, (await ask(file)).status], [307, 429]);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal((await ask(info)).status, 200);
  assert.equal((await commitLines(hub, [textFile('a', 'a')])).status, 200);
  assert.equal((await commitLines(hub, [textFile('b', 'b')])).status, 429);
});
