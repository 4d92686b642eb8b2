import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Octokit } from '@octokit/rest';
import { sha256 } from '../../src/core/hashing.ts';
import type { GitHub } from '../../src/rehearsal/github/server.ts';
import { failure, octokitFor, place, startAcme, upload } from './github-setup.ts';

const bytes = randomBytes(400_000);
let github: GitHub;
let octokit: Octokit;
let draft: { id: number; upload_url: string };

beforeEach(async () => {
  github = await startAcme();
  octokit = octokitFor(github, 'push-token');
  ({ data: draft } = await octokit.repos.createRelease({ ...place, tag_name: 'v1.0.0', draft: true }));
});
afterEach(() => github.close());

const states = async (): Promise<string[]> => {
  const { data } = await octokit.repos.listReleaseAssets({ ...place, release_id: draft.id });
  return data.map(({ name, state, size }) => `${name} ${state} ${size}`);
};

test('an upload that breaks off leaves a starter, which blocks its name and can be deleted', async () => {
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'reset', of: 'request', atByte: 100_000 } });
  await assert.rejects(upload(octokit, draft, 'a', bytes));
  assert.deepEqual(await states(), ['a starter 0']);
  assert.equal((await failure(upload(octokit, draft, 'a', bytes))).status, 422);
  const { data } = await octokit.repos.listReleaseAssets({ ...place, release_id: draft.id });
  assert.equal((data[0] as { digest: string | null }).digest, null);
  await octokit.repos.deleteReleaseAsset({ ...place, asset_id: data[0]!.id });
  await upload(octokit, draft, 'a', bytes);
  assert.deepEqual(await states(), ['a uploaded 400000']);
});

test('a client that goes away midway leaves a starter too', async () => {
  const controller = new AbortController();
  const body = new ReadableStream({
    start(stream) {
      stream.enqueue(bytes.subarray(0, 100_000));
      void setTimeout(100).then(() => controller.abort());
    },
  });
  await assert.rejects(
    fetch(draft.upload_url.replace('{?name,label}', '?name=a'), {
      method: 'POST',
      headers: { authorization: 'Bearer push-token', 'content-length': '400000' },
      body,
      duplex: 'half',
      signal: controller.signal,
    }),
  );
  assert.deepEqual(await states(), ['a starter 0']);
});

test('a lost response has done its work; a 502 may have left a starter', async () => {
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'lost-response' } });
  await assert.rejects(upload(octokit, draft, 'a', bytes));
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'starter' } });
  assert.equal((await failure(upload(octokit, draft, 'b', bytes))).status, 502);
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'status', status: 500, after: true } });
  assert.equal((await failure(upload(octokit, draft, 'c', bytes))).status, 500);
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'status', status: 500 } });
  assert.equal((await failure(upload(octokit, draft, 'd', bytes))).status, 500);
  assert.deepEqual(await states(), ['a uploaded 400000', 'b starter 0', 'c uploaded 400000']);
});

test('a byte flipped on the way in shows in the digest', async () => {
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'flip', of: 'request', atByte: 399_999 } });
  const { digest } = await upload(octokit, draft, 'a', bytes);
  const spoiled = Buffer.from(bytes);
  spoiled[399_999] = spoiled[399_999]! ^ 0xff;
  assert.equal(digest, `sha256:${sha256(spoiled)}`);
});

test('read-after-write lag hides what is new from lists, for a time or a number of requests', async () => {
  await upload(octokit, draft, 'old', bytes);
  await setTimeout(5);
  github.faults.add({ match: { path: '/assets', method: 'GET' }, times: 2, action: { kind: 'lag' } });
  await upload(octokit, draft, 'new', bytes);
  assert.equal((await states()).length, 1);
  assert.equal((await states()).length, 1);
  assert.equal((await states()).length, 2);
  await setTimeout(320);
  github.faults.add({ match: { path: '/releases' }, times: 'always', action: { kind: 'lag', ms: 300 } });
  await octokit.repos.createRelease({ ...place, tag_name: 'v2.0.0', draft: true });
  const count = async () => (await octokit.repos.listReleases(place)).data.length;
  assert.equal(await count(), 1);
  await setTimeout(320);
  assert.equal(await count(), 2);
});

test('with a state directory everything survives a restart, signed URLs included', async (t) => {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'state-'));
  const first = await startAcme({ stateDirectory });
  const client = octokitFor(first, 'push-token');
  const { data: release } = await client.repos.createRelease({ ...place, tag_name: 'v1.0.0' });
  const asset = await upload(client, release, 'a', bytes);
  const location = (await fetch(asset.browser_download_url, { redirect: 'manual' })).headers.get('location')!;
  await first.close();
  const second = await startAcme({ stateDirectory });
  t.after(async () => {
    await second.close();
    await rm(stateDirectory, { recursive: true });
  });
  const { data } = await octokitFor(second).repos.getReleaseByTag({ ...place, tag: 'v1.0.0' });
  assert.equal(data.assets[0]?.digest, `sha256:${sha256(bytes)}`);
  const { pathname, search } = new URL(location);
  const again = await fetch(`${second.assetsUrl}${pathname}${search}`);
  assert.deepEqual(Buffer.from(await again.arrayBuffer()), bytes);
});

test('the log counts the bytes of uploads and never holds a token', async () => {
  github.log.clear();
  await upload(octokit, draft, 'a', bytes);
  await failure(upload(octokit, draft, 'b', Buffer.alloc(0)));
  assert.deepEqual(
    github.log.entries.map(({ status, bytesIn }) => [status, bytesIn]),
    [
      [201, 400_000],
      [422, 0],
    ],
  );
  assert.ok(github.log.entries.every(({ authorization }) => authorization));
  assert.ok(!JSON.stringify(github.log.entries).includes('push-token'));
});
