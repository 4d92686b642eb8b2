import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { GitHub } from '../../src/rehearsal/github/server.ts';
import { missing, octokitFor, place, run, startAcme, upload } from './github-setup.ts';

const bytes = randomBytes(5_000_000);
let github: GitHub;
let directory: string;
let assetId: number;
let url: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'downloads-'));
  github = await startAcme({ signedUrlLifetimeMs: 60_000 });
  const octokit = octokitFor(github, 'push-token');
  const { data: draft } = await octokit.repos.createRelease({ ...place, tag_name: 'v1.0.0', draft: true });
  assetId = (await upload(octokit, draft, 'm.tar.gz', bytes)).id;
  await octokit.repos.updateRelease({ ...place, release_id: draft.id, draft: false });
  url = `${github.url}/acme/models/releases/download/v1.0.0/m.tar.gz`;
});
beforeEach(() => {
  github.faults.clear();
  github.log.clear();
});
after(async () => {
  await github.close();
  await rm(directory, { recursive: true });
});

const signed = async (): Promise<string> => (await fetch(url, { redirect: 'manual' })).headers.get('location')!;

test('a download goes by a signed URL to another host, which answers ranges, HEAD and conditions, uncompressed', async () => {
  const location = await signed();
  assert.notEqual(new URL(location).hostname, new URL(url).hostname);
  const head = await fetch(location, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '5000000');
  assert.match(head.headers.get('content-disposition') ?? '', /filename=m\.tar\.gz/);
  assert.equal(head.headers.get('content-encoding'), null);
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
  assert.equal(part.headers.get('content-range'), 'bytes 10-19/5000000');
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(10, 20));
  assert.equal((await fetch(location, { headers: { range: 'bytes=0-1,5-6' } })).status, 501);
  assert.equal((await fetch(location, { headers: { 'if-none-match': head.headers.get('etag')! } })).status, 304);
});

test('the asset host refuses foreign Authorization, and forged and expired signatures', async () => {
  const location = await signed();
  assert.equal((await fetch(location, { headers: { authorization: 'Bearer push-token' } })).status, 400);
  const forged = await fetch(location.replace(/se=\d+/, 'se=2999'));
  assert.equal(forged.status, 403);
  assert.match(await forged.text(), /<Code>AuthenticationFailed<\/Code>/);
  github.faults.add({ match: { origin: 'web' }, action: { kind: 'expired-url' } });
  assert.equal((await fetch(await signed())).status, 403);
  assert.equal((await fetch(await signed())).status, 200);
  assert.ok(!JSON.stringify(github.log.entries).includes(new URL(location).searchParams.get('sig')!));
});

test('latest/download leads to the asset; the API gives it by id as octet-stream; both are counted', async () => {
  const viaLatest = await fetch(`${github.url}/acme/models/releases/latest/download/m.tar.gz`);
  assert.deepEqual(Buffer.from(await viaLatest.arrayBuffer()), bytes);
  const octokit = octokitFor(github);
  const before = (await octokit.repos.getReleaseAsset({ ...place, asset_id: assetId })).data.download_count;
  const { data } = await octokit.repos.getReleaseAsset({
    ...place,
    asset_id: assetId,
    headers: { accept: 'application/octet-stream' },
  });
  assert.deepEqual(Buffer.from(data as unknown as ArrayBuffer), bytes);
  const now = (await octokit.repos.getReleaseAsset({ ...place, asset_id: assetId })).data.download_count;
  assert.equal(now, before + 1);
});

test('curl resumes a download that was reset midway, and fetches only the rest', async (t) => {
  const reason = await missing('curl');
  if (reason) return t.skip(reason);
  const to = join(directory, 'curl.out');
  github.faults.add({ match: { origin: 'assets' }, action: { kind: 'reset', atByte: 2_000_000 } });
  await assert.rejects(run('curl', ['-sfL', '-o', to, url]), { code: 56 });
  github.log.clear();
  await run('curl', ['-sfL', '-C', '-', '-o', to, url]);
  assert.deepEqual(await readFile(to), bytes);
  const { range, bytesOut } = github.log.entries.find(({ origin }) => origin === 'assets')!;
  const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1]);
  assert.ok(from > 0 && from <= 2_000_000);
  assert.equal(bytesOut, bytes.length - from);
});

test('aria2c fetches it over several connections', async (t) => {
  const reason = await missing('aria2c');
  if (reason) return t.skip(reason);
  // On a fast machine the first connection would have it all before a second one is opened.
  const fast = github.faults.add({
    match: { origin: 'assets' },
    times: 'always',
    action: { kind: 'slow', bytesPerSecond: 2_000_000 },
  });
  t.after(fast);
  await run('aria2c', ['-q', '-x4', '-s4', '-k1M', '--disable-ipv6', '-d', directory, '-o', 'aria.out', url]);
  assert.deepEqual(await readFile(join(directory, 'aria.out')), bytes);
  assert.ok(github.log.entries.filter(({ origin, range }) => origin === 'assets' && range).length > 1);
});

test('sha256sum agrees with the digest that the API reports', async (t) => {
  const reason = await missing('sha256sum');
  if (reason) return t.skip(reason);
  await writeFile(join(directory, 'sum.out'), Buffer.from(await (await fetch(url)).arrayBuffer()));
  const { stdout } = await run('sha256sum', [join(directory, 'sum.out')]);
  const { data } = await octokitFor(github).repos.getReleaseAsset({ ...place, asset_id: assetId });
  assert.equal(data.digest, `sha256:${stdout.slice(0, 64)}`);
});
