import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultAction } from '../../src/rehearsal/faults.ts';
import { createPatience, persist } from '../../src/targets/remote.ts';
import { RequestFailure } from '../../src/targets/request-failure.ts';
import { bytesOf, failureOf, githubScene, githubTarget, makeRelease, publish, quick, recorder } from './scene.ts';

const files = { 'a.tar.gz': bytesOf('a', 90_000), 'b.tar.gz': bytesOf('b', 90_000), 'manifest.json': '{}' };

const message = '{"message":"You have exceeded a secondary rate limit."}';
const limit = (headers: Readonly<Record<string, string>> = { 'retry-after': '1' }): FaultAction => ({
  kind: 'status',
  status: 403,
  headers,
  body: message,
});
const mayWrite = { method: 'POST', path: /\/generate-notes$/ };

test('a secondary limit in answer to the question for rights says nothing of rights: waited for, asked again', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  github.faults.add({ name: 'limit', match: mayWrite, action: limit() });
  assert.deepEqual(await githubTarget(github).preflight(release, {}), []);
  assert.equal(github.faults.hits('limit'), 1);
});

test('where it lasts, the limit is the failure, with the wait that was asked for, and no right is doubted', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  github.faults.add({ match: mayWrite, times: 'always', action: limit({ 'retry-after': '3600' }) });
  const failure = await failureOf(githubTarget(github).preflight(release, {}));
  assert.equal(failure.code, 'remote');
  assert.match(failure.message, /secondary rate limit/);
  assert.match(failure.hint ?? '', /asks to wait/);
  github.faults.clear();
  github.faults.add({
    match: { path: /\/repos\/acme\/models$/ },
    times: 'always',
    action: limit({ 'retry-after': '3600' }),
  });
  assert.match((await failureOf(githubTarget(github).preflight(release, {}))).message, /secondary rate limit/);
});

test('each write that meets the limit first is sent again after the wait, once', async (t) => {
  for (const match of [
    { method: 'POST', path: /\/releases$/ },
    { method: 'POST', origin: 'uploads' },
    { method: 'PATCH' },
  ]) {
    const github = await githubScene(t);
    const release = await makeRelease(t, { files });
    github.faults.add({ name: 'limit', match, action: limit() });
    await publish(githubTarget(github), release);
    assert.equal(github.faults.hits('limit'), 1);
    assert.equal(github.log.entries.filter(({ origin, status }) => origin === 'uploads' && status === 201).length, 3);
  }
});

test('a limit that names no time is waited for longer each time', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  github.faults.add({ match: mayWrite, times: 4, action: limit({}) });
  const context = recorder();
  assert.deepEqual(await githubTarget(github).preflight(release, context), []);
  assert.deepEqual(
    context.events.flatMap((event) => (event.type === 'retry' ? [event.delayMs] : [])),
    [20, 40, 80, 160],
  );
});

test('while a limit is on, nothing else is asked', async () => {
  const patience = createPatience(quick);
  const asked: number[] = [];
  let met = (): void => {};
  const limited = new Promise<void>((resolve) => {
    met = resolve;
  });
  const first = persist('the first', patience, { onEvent: met }, async (number) => {
    asked.push(performance.now());
    if (number > 1) return;
    throw new RequestFailure('limited', { status: 403, retryable: true, limited: true, waitMs: 100 });
  });
  await limited;
  await Promise.all([first, persist('another', patience, {}, async () => asked.push(performance.now()))]);
  const [start = 0, ...later] = asked;
  assert.equal(later.length, 2);
  // Timers may fire a little early.
  for (const at of later) assert.ok(at - start >= 98, String(at - start));
});

test("GitHub's own secondary limits, met by a release of many files, end in one whole release", async (t) => {
  const github = await githubScene(t, {
    rateLimits: { contentCreationsPerMinute: 5, minuteMs: 300, secondaryRetryAfter: false },
  });
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`m${i}.tar.gz`, bytesOf(`m${i}`, 3000)]));
  const release = await makeRelease(t, { files: { ...many, 'manifest.json': '{}' } });
  await publish(githubTarget(github, { tuning: { ...quick, attempts: 12, unnamedWaitMs: 300 } }), release);
  assert.equal((await githubTarget(github).inspect(release.tag, {})).files.length, 13);
});
