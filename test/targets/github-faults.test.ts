import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultAction, FaultRule } from '../../src/rehearsal/faults.ts';
import {
  bytesOf,
  failureOf,
  githubScene,
  githubTarget,
  head,
  makeRelease,
  publish,
  quick,
  recorder,
  repository,
  writesOf,
} from './scene.ts';
import { commonTroubles } from './troubles.ts';

const small = {
  'tiny.tar.gz': bytesOf('tiny', 200_000),
  'manifest.json': '{"manifest_version":"1.0.0","models":{}}\n',
};

/** Every request that a publication makes. */
const steps: Readonly<Record<string, NonNullable<FaultRule['match']>>> = {
  list: { method: 'GET', path: '/releases\\?' },
  create: { method: 'POST', path: '/releases$' },
  assets: { method: 'GET', path: '/assets\\?' },
  upload: { method: 'POST', origin: 'uploads' },
  publish: { method: 'PATCH' },
  poll: { method: 'HEAD' },
};

const troubles: Readonly<Record<string, FaultAction>> = {
  ...commonTroubles,
  '429 with a time': { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
  'secondary limit': {
    kind: 'status',
    status: 403,
    headers: { 'retry-after': '0' },
    body: '{"message":"You have exceeded a secondary rate limit."}',
  },
  'rate limit': {
    kind: 'status',
    status: 403,
    headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' },
    body: '{"message":"API rate limit exceeded"}',
  },
  'a stalled request': { kind: 'stall', of: 'request' },
  'a truncated answer': { kind: 'truncate', atByte: 10 },
  starter: { kind: 'starter' },
};

/** Those that come three times in a row too; all of them with AIRCHER_SOAK. */
const repeated = new Set(['502', 'a lost response', 'a cut in the body', 'flipped bytes', 'starter']);

for (const [step, match] of Object.entries(steps)) {
  test(`trouble at the step "${step}", once and three times in a row, ends in one whole release`, async (t) => {
    for (const [trouble, action] of Object.entries(troubles)) {
      if (action.kind === 'flip' && step !== 'upload') continue;
      if (action.kind === 'starter' && step !== 'upload') continue;
      for (const times of repeated.has(trouble) || process.env.AIRCHER_SOAK ? [1, 3] : [1]) {
        const github = await githubScene(t, {});
        const release = await makeRelease(t, { files: small, targetCommit: head });
        const rule = { match, times, action, name: 'trouble' };
        github.faults.add(rule);
        const what = `${trouble} ×${times}`;
        // Short only where silence is the trouble: a busy machine is silent, too.
        const stallMs = action.kind === 'stall' ? 300 : 5000;
        const tuning = { ...quick, deadlines: { ...quick.deadlines, stallMs } };
        await publish(githubTarget(github, { tuning }), release).catch((error: unknown) => {
          throw new Error(`${what}: ${error}`, { cause: error });
        });
        const releases = github.repository(repository).releases;
        assert.equal(releases.length, 1, what);
        assert.equal(releases[0]?.draft, false, what);
        const { files } = await githubTarget(github).inspect(release.tag, {});
        assert.deepEqual(
          files.map(({ name, digest, state }) => [name, digest?.hex, state]).sort(),
          release.files.map(({ name, sha256 }) => [name, sha256, 'whole']).sort(),
          what,
        );
        await github.close();
      }
    }
  });
}

test('permanent trouble ends in bounded time with a remedy, shows nobody a release, and the next good run completes it', async (t) => {
  const { poll: _, ...before } = steps;
  for (const [step, match] of Object.entries(before)) {
    for (const trouble of ['502', 'a lost response', 'a stall', 'a stalled request', 'secondary limit'] as const) {
      const action = troubles[trouble];
      // What was done, though nobody said so, is found by looking: that is no permanent trouble.
      if (action === undefined) continue;
      if (['a lost response', 'a stall'].includes(trouble) && match.method !== 'GET') continue;
      if (trouble === 'a stalled request' && match.method === 'GET') continue;
      const github = await githubScene(t);
      const release = await makeRelease(t, { files: small });
      const stop = github.faults.add({ match, times: 'always', action });
      const tuning = { ...quick, attempts: 3, deadlines: { ...quick.deadlines, stallMs: 60 } };
      const started = performance.now();
      const error = await failureOf(publish(githubTarget(github, { tuning }), release), `${trouble} at ${step}`);
      const what = `${trouble} at ${step}: ${error.message}`;
      assert.ok(performance.now() - started < 20_000, what);
      assert.ok(['remote', 'conflict'].includes(error.code), what);
      assert.ok(error.hint, what);
      assert.ok(!github.repository(repository).releases.some((one) => !one.draft), what);
      stop();
      await publish(githubTarget(github), release);
      assert.equal(github.repository(repository).releases.length, 1, what);
      await github.close();
    }
  }
});

test('a draft that the list does not show yet is not made twice', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  github.faults.add({ match: { path: '/releases\\?' }, times: 'always', action: { kind: 'lag', ms: 150 } });
  github.faults.add({ match: { path: '/assets\\?' }, times: 'always', action: { kind: 'lag', ms: 150 } });
  github.faults.add({ match: { method: 'POST', path: '/releases$' }, action: { kind: 'lost-response' } });
  github.faults.add({ match: { origin: 'uploads' }, times: 2, action: { kind: 'status', status: 404 } });
  github.faults.add({ match: { method: 'PATCH' }, action: { kind: 'status', status: 404 } });
  const tuning = { ...quick, lagMs: 200 };
  await publish(githubTarget(github, { tuning }), release);
  assert.equal(github.repository(repository).releases.length, 1);
});

test('a final refusal is not repeated', async (t) => {
  for (const status of [400, 401, 403, 422]) {
    const github = await githubScene(t);
    const release = await makeRelease(t, { files: small });
    github.faults.add({
      match: { origin: 'uploads' },
      times: 'always',
      action: { kind: 'status', status, body: '{}' },
    });
    const error = await failureOf(publish(githubTarget(github, { tuning: { ...quick, parallel: 1 } }), release));
    assert.equal(error.code, 'conflict');
    assert.equal(github.log.entries.filter((entry) => entry.origin === 'uploads').length, 1, String(status));
    await github.close();
  }
});

test('the wait that GitHub asks for is kept, and one that is too long is told instead', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  const stop = github.faults.add({
    match: { method: 'POST', path: '/releases$' },
    action: { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  });
  const context = recorder();
  await publish(githubTarget(github), release, context);
  assert.ok(context.events.some((event) => event.type === 'retry' && event.delayMs === 1000));
  stop();
  github.faults.add({
    match: { method: 'GET' },
    times: 'always',
    action: {
      kind: 'status',
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 3000) },
    },
  });
  const error = await failureOf(githubTarget(github).published({}));
  assert.equal(error.code, 'remote');
  assert.match(error.hint ?? '', /asks to wait \d+ min/);
});

test('an interrupted upload stops at once, says so, and the next run goes on from there', async (t) => {
  const github = await githubScene(t, { limits: { bytesPerSecond: 2_000_000 } });
  const files = { ...small, 'big.tar.gz': bytesOf('big', 8_000_000) };
  const release = await makeRelease(t, { files });
  const controller = new AbortController();
  let aborted = 0;
  const tuning = { ...quick, deadlines: { ...quick.deadlines, stallMs: 5000 } };
  const uploading = githubTarget(github, { tuning }).upload(release, {
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === 'progress' && event.subject === 'big.tar.gz' && event.done > 1_000_000) {
        aborted ||= performance.now();
        controller.abort();
      }
    },
  });
  const error = await failureOf(uploading);
  const stopped = performance.now();
  const { files: left } = await githubTarget(github).inspect(release.tag, {});
  assert.equal(error.code, 'interrupted');
  assert.ok(stopped - aborted < 500);
  github.log.clear();
  await publish(githubTarget(github, { tuning }), release);
  const sentAgain = writesOf(github.log.entries).flatMap((line) => /name=([\w.]+)/.exec(line)?.[1] ?? []);
  const whole = left.filter(({ state }) => state === 'whole').map(({ name }) => name);
  assert.ok(sentAgain.includes('big.tar.gz'));
  assert.deepEqual(
    sentAgain.filter((name) => whole.includes(name)),
    [],
  );
  const { files: now } = await githubTarget(github).inspect(release.tag, {});
  assert.deepEqual(
    now.map(({ name, state }) => [name, state]).sort(),
    Object.keys(files)
      .map((name) => [name, 'whole'])
      .sort(),
  );
});

test('an already interrupted run does nothing at all', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  const error = await failureOf(githubTarget(github).upload(release, { signal: AbortSignal.abort() }));
  assert.equal(error.code, 'interrupted');
  assert.equal(github.log.entries.length, 0);
});

test('the token reaches GitHub alone, and no message shows it', async (t) => {
  const github = await githubScene(t, { digests: false });
  const release = await makeRelease(t, { files: small });
  const context = recorder();
  await publish(githubTarget(github), release, context);
  await publish(githubTarget(github), release, context);
  await githubTarget(github).readDocument(release.tag, 'manifest.json', context);
  const foreign = github.log.entries.filter(({ origin }) => origin === 'assets' || origin === 'web');
  assert.ok(foreign.length > 0 && foreign.every(({ authorization }) => !authorization));
  assert.doesNotMatch(JSON.stringify(context.events), /ghp_/);
});

test('writes keep their distance', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: { a: 'a', b: 'b', c: 'c', d: 'd' } });
  await publish(githubTarget(github, { tuning: { ...quick, writeEveryMs: 60 } }), release);
  const times = github.log.entries.filter(({ method }) => !['GET', 'HEAD'].includes(method)).map(({ time }) => time);
  assert.equal(times.length, 6);
  assert.ok(times.at(-1)! - times[0]! >= 5 * 60 - 20, times.join(' '));
});

test("without a token, a proxy's page in place of the manifest is not taken for it: GitHub is asked again", async (t) => {
  const github = await githubScene(t);
  const manifest = '{"manifest_version":"1.0.0","models":{}}\n';
  const release = await makeRelease(t, { files: { 'manifest.json': manifest } });
  await publish(githubTarget(github), release);
  github.faults.add({ match: { method: 'GET', origin: 'web' }, times: 2, action: { kind: 'html' } });
  const anonymous = githubTarget(github, { token: undefined });
  assert.equal((await anonymous.readDocument(release.tag, 'manifest.json', {}))?.toString(), manifest);
});
