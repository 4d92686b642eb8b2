import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { createPublishScene, tokens } from '../release/publish-scene.ts';

const client = fileURLToPath(new URL('../../src/fetch-cli.ts', import.meta.url));
const [github, hub] = [tokens.github, tokens.hub];

test('white space around a token, as pasted secrets have it, is no part of it, and does not uncover it', async (t) => {
  const scene = await createPublishScene(t);
  await scene.configure();
  scene.github.faults.add({
    match: { origin: 'uploads' },
    times: 1,
    action: { kind: 'status', status: 400, body: JSON.stringify({ message: `bad ${github} and ${hub}` }) },
  });
  const env = { GITHUB_TOKEN: `${github}\n`, HF_TOKEN: ` ${hub}\r\n` };
  const refused = await scene.start(['release', '--verbose'], env);
  assert.notEqual(refused.exitCode, 0);
  assert.match(String(refused.stderr), /bad \*\*\* and \*\*\*/);
  assert.ok(![github, hub].some((token) => `${refused.stdout}${refused.stderr}`.includes(token)));
  assert.equal((await scene.start(['release'], env)).exitCode, 0);
});

test('a token that no header can carry is refused before any request, and no piece of it is printed', async (t) => {
  const scene = await createPublishScene(t);
  await scene.configure();
  for (const [name, value] of [
    ['HF_TOKEN', 'hf_canaryOne\nhf_canaryTwo'],
    ['GITHUB_TOKEN', 'ghp_canaryOne ghp_canaryTwo'],
    ['GITHUB_TOKEN', 'ghp_canaryOne…'],
  ] as const) {
    const run = await scene.start(['plan', '--verbose', '--json'], { [name]: value });
    assert.equal(run.exitCode, 2, String(run.stderr));
    assert.match(String(run.stderr), new RegExp(`^error: ${name} has a space, a line break or another character`));
    assert.doesNotMatch(`${run.stdout}${run.stderr}`, /canary/);
  }
  assert.deepEqual(scene.requests(), []);
});

test('a proxy that is no address is wrong usage, and its password is not printed', async (t) => {
  const scene = await createPublishScene(t);
  await scene.configure();
  const run = await scene.start(['plan', '--verbose'], { HTTP_PROXY: 'http://me:canaryOfTheProxy@127.0.0.1:none' });
  assert.equal(run.exitCode, 2, String(run.stderr));
  assert.match(String(run.stderr), /^error: HTTP_PROXY is not the address of an http proxy\nhint: /m);
  assert.doesNotMatch(`${run.stdout}${run.stderr}`, /canary/);
});

test('the client takes and refuses tokens likewise, and what is installed needs none', async (t) => {
  const cache = await mkdtemp(join(tmpdir(), 'aircher-token-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(404).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const run = (token: string, ...args: readonly string[]) =>
    execa(process.execPath, [client, 'model', ...args, '--cache-dir', cache], {
      env: { HF_TOKEN: token, HF_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
      reject: false,
    });
  const remote = ['list', '--remote', '--manifest', 'https://huggingface.co/acme/m/resolve/main/manifest.json'];
  const trimmed = await run('hf_canaryOne\n', ...remote);
  assert.equal(trimmed.exitCode, 5, trimmed.stderr);
  assert.deepEqual([...new Set(seen)], ['Bearer hf_canaryOne']);
  const refused = await run('hf_canaryOne\nhf_canaryTwo', ...remote, '--verbose');
  assert.equal(refused.exitCode, 2, refused.stderr);
  assert.match(refused.stderr, /HF_TOKEN has a space/);
  assert.doesNotMatch(`${trimmed.stderr}${refused.stdout}${refused.stderr}`, /canary/);
  assert.equal((await run('hf_canaryOne\nhf_canaryTwo', 'list')).exitCode, 0);
});
