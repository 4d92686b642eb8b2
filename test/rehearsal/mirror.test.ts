import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';

const run = promisify(execFile);
const bytes = randomBytes(300_000);
let directory: string;
let mirror: StaticMirror;
let file: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mirror-'));
  await writeFile(join(directory, 'a b.bin'), bytes);
  mirror = await startStaticMirror({ directory, prefix: '/base' });
  file = `${mirror.url}/a%20b.bin`;
});
beforeEach(() => {
  mirror.faults.clear();
  mirror.log.clear();
});
after(async () => {
  await mirror.close();
  await rm(directory, { recursive: true });
});

const bodyOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const sliced = (): Promise<Response> => fetch(file, { headers: { range: 'bytes=100-199' } });

test('whole files, single ranges, suffix ranges and HEAD come as RFC 9110 has them', async () => {
  const whole = await fetch(file);
  assert.equal(whole.headers.get('content-length'), '300000');
  assert.deepEqual(await bodyOf(whole), bytes);
  const part = await sliced();
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 100-199/300000');
  assert.deepEqual(await bodyOf(part), bytes.subarray(100, 200));
  const suffix = await fetch(file, { headers: { range: 'bytes=-5' } });
  assert.deepEqual(await bodyOf(suffix), bytes.subarray(-5));
  const beyond = await fetch(file, { headers: { range: 'bytes=300000-' } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get('content-range'), 'bytes */300000');
  const head = await fetch(file, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '300000');
});

test('conditional requests answer 304, and a stale If-Range gets the whole file', async () => {
  const { headers } = await fetch(file, { method: 'HEAD' });
  const etag = headers.get('etag')!;
  const modified = headers.get('last-modified')!;
  assert.equal((await fetch(file, { headers: { 'if-none-match': etag } })).status, 304);
  assert.equal((await fetch(file, { headers: { 'if-modified-since': modified } })).status, 304);
  const stale = await fetch(file, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
  assert.equal(stale.status, 200);
  await stale.body?.cancel();
});

test('nothing outside the directory is served, no listing, no write', async () => {
  for (const path of ['/base/..%2f..%2fetc%2fpasswd', '/base/', '/a%20b.bin', '/base/x', '/base/%zz']) {
    const { status } = await fetch(mirror.url.replace('/base', '') + path);
    assert.ok(status === 404 || status === 400, path);
  }
  assert.equal((await fetch(file, { method: 'PUT', body: 'x' })).status, 405);
});

test('the log counts bytes and says whether there was an Authorization header, never its value', async () => {
  await bodyOf(await fetch(`${file}?token=secret-value`, { headers: { authorization: 'Bearer secret-value' } }));
  const [entry] = mirror.log.entries;
  assert.equal(entry?.authorization, true);
  assert.equal(entry?.bytesOut, 300_000);
  assert.ok(!JSON.stringify(mirror.log.entries).includes('secret-value'));
});

test('a rule hits from its nth match on, as many times as it says, and can be taken back', async () => {
  const rule = {
    match: { path: /bin/, method: 'GET' },
    nth: 2,
    times: 2,
    action: { kind: 'status', status: 503 },
  } as const;
  const remove = mirror.faults.add(rule);
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await fetch(file)).status);
  assert.deepEqual(statuses, [200, 503, 503, 200]);
  assert.equal(mirror.faults.hits(rule), 2);
  remove();
  mirror.faults.add({ times: 'always', action: { kind: 'status', status: 429, headers: { 'retry-after': '7' } } });
  for (let i = 0; i < 3; i++) assert.equal((await fetch(file)).headers.get('retry-after'), '7');
});

test('faults of form: slice as 200, wrong Content-Range, Range ignored, gzip, HTML, redirect, flipped byte', async () => {
  mirror.faults.add({ action: { kind: 'slice-as-200' } });
  const slice = await sliced();
  assert.deepEqual([slice.status, (await bodyOf(slice)).length], [200, 100]);
  mirror.faults.add({ action: { kind: 'wrong-content-range', by: 10 } });
  const shifted = await sliced();
  assert.equal(shifted.headers.get('content-range'), 'bytes 110-209/300000');
  assert.deepEqual(await bodyOf(shifted), bytes.subarray(100, 200));
  mirror.faults.add({ action: { kind: 'ignore-range' } });
  const ignored = await sliced();
  assert.deepEqual([ignored.status, (await bodyOf(ignored)).length], [200, 300_000]);
  mirror.faults.add({ action: { kind: 'gzip' } });
  const zipped = await run('curl', ['-s', file], { encoding: 'buffer', maxBuffer: 1e6 });
  assert.deepEqual(gunzipSync(zipped.stdout), bytes);
  mirror.faults.add({ action: { kind: 'html' } });
  assert.match(await (await fetch(file)).text(), /<html>/);
  mirror.faults.add({ action: { kind: 'redirect', to: 'ftp://example.org/x' } });
  assert.equal((await fetch(file, { redirect: 'manual' })).headers.get('location'), 'ftp://example.org/x');
  mirror.faults.add({ action: { kind: 'flip', atByte: 299_999 } });
  const flipped = await bodyOf(await fetch(file));
  assert.equal(flipped[299_999], bytes[299_999]! ^ 0xff);
  assert.deepEqual(flipped.subarray(0, -1), bytes.subarray(0, -1));
});

test('faults of transport: reset, close, clean truncation, wrong length, lost response', async () => {
  const curl = async (...more: string[]): Promise<number> => {
    const to = join(directory, 'out');
    const { code } = await run('curl', ['-s', '-S', '-o', to, ...more, file]).then(
      () => ({ code: 0 }),
      (error: { code: number }) => error,
    );
    return code;
  };
  const size = async (): Promise<number> => (await readFile(join(directory, 'out'))).length;
  mirror.faults.add({ action: { kind: 'reset', atByte: 1000 } });
  assert.equal(await curl(), 56);
  assert.equal(await size(), 1000);
  mirror.faults.add({ action: { kind: 'reset', atByte: 1000, how: 'fin' } });
  assert.equal(await curl(), 18);
  mirror.faults.add({ action: { kind: 'truncate', atByte: 1234 } });
  assert.equal(await curl(), 0);
  assert.equal(await size(), 1234);
  mirror.faults.add({ action: { kind: 'wrong-length', by: 10 } });
  assert.equal(await curl(), 18);
  mirror.faults.add({ action: { kind: 'lost-response' } });
  assert.ok([52, 56].includes(await curl()));
  mirror.faults.add({ action: { kind: 'reset', of: 'request' } });
  assert.ok([52, 56].includes(await curl()));
  assert.equal(await curl(), 0);
});

test('a stall lasts as long as it says, or until the client gives up', async () => {
  mirror.faults.add({ action: { kind: 'stall', atByte: 500, ms: 150 } });
  const began = Date.now();
  assert.deepEqual(await bodyOf(await fetch(file)), bytes);
  assert.ok(Date.now() - began >= 140);
  mirror.faults.add({ action: { kind: 'stall' } });
  await assert.rejects(fetch(file, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
});

test('limits hold a connection to its rate and add latency', async () => {
  const slow = await startStaticMirror({ directory, limits: { bytesPerSecond: 1_000_000, latencyMs: 50 } });
  const began = Date.now();
  await bodyOf(await fetch(`${slow.url}/a%20b.bin`));
  const took = Date.now() - began;
  await slow.close();
  assert.ok(took > 250 && took < 1500, `${took} ms`);
});
