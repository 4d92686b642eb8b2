import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { FaultAction, FaultRule } from '../../src/rehearsal/faults.ts';
import type { Hub } from '../../src/rehearsal/hub/server.ts';
import type { TargetRelease } from '../../src/targets/target.ts';
import {
  bytesOf,
  failureOf,
  hubScene,
  hubTarget,
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
  'tiny/config.json': '{}\n',
  'manifest.json': '{"manifest_version":"1.0.0","release":"models-v1.0.0","models":{}}\n',
};

/** Every request that a publication makes. */
const steps: Readonly<Record<string, NonNullable<FaultRule['match']>>> = {
  refs: { method: 'GET', path: '/refs$' },
  branch: { method: 'POST', path: '/branch/' },
  tree: { method: 'GET', path: '/tree/' },
  preupload: { path: '/preupload/' },
  batch: { path: '/objects/batch' },
  put: { method: 'PUT', origin: 'cdn' },
  verify: { path: '/objects/verify' },
  commit: { path: '/commit/publish-' },
  tag: { path: '/tag/' },
  main: { path: '/commit/main' },
  'delete branch': { method: 'DELETE' },
  poll: { method: 'HEAD' },
};

const troubles: Readonly<Record<string, FaultAction>> = {
  ...commonTroubles,
  '504 after the work': { kind: 'status', status: 504, after: true },
  '429 with a window': { kind: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=0' } },
  '412': {
    kind: 'status',
    status: 412,
    body: '{"error":"A commit has happened since. Please refresh and try again."}',
  },
  'a truncated answer': { kind: 'truncate', atByte: 5 },
  'an expired URL': { kind: 'expired-url' },
};

const onlyAt: Readonly<Record<string, readonly string[]>> = {
  '412': ['commit', 'main'],
  'flipped bytes': ['put'],
  'an expired URL': ['put', 'batch'],
};

/** Those that come three times in a row too; all of them with AIRCHER_SOAK. */
const repeated = new Set(['502', 'a lost response', '412']);

async function assertPublished(hub: Hub, release: TargetRelease, what: string): Promise<void> {
  for (const revision of [release.tag, 'main']) {
    for (const file of release.files) {
      const response = await fetch(`${hub.url}/${repository}/resolve/${revision}/${file.name}`);
      const digest = createHash('sha256')
        .update(Buffer.from(await response.arrayBuffer()))
        .digest('hex');
      assert.equal(digest, file.sha256, `${what}: ${revision} ${file.name}`);
    }
  }
  const refs = (await (await fetch(`${hub.url}/api/models/${repository}/refs`)).json()) as {
    branches: { name: string }[];
  };
  assert.deepEqual(
    refs.branches.map(({ name }) => name),
    ['main'],
    what,
  );
}

for (const [step, match] of Object.entries(steps)) {
  test(`trouble at the step "${step}" ends in one whole release`, async (t) => {
    for (const [trouble, action] of Object.entries(troubles)) {
      if (!(onlyAt[trouble] ?? [step]).includes(step)) continue;
      for (const times of repeated.has(trouble) || process.env.AIRCHER_SOAK ? [1, 3] : [1]) {
        const hub = await hubScene(t);
        const release = await makeRelease(t, { files: small });
        hub.faults.add({ match, times, action });
        const what = `${trouble} ×${times}`;
        // Short only where silence is the trouble: a busy machine is silent, too.
        const stallMs = action.kind === 'stall' ? 300 : 5000;
        const tuning = { ...quick, deadlines: { ...quick.deadlines, stallMs } };
        await publish(hubTarget(hub, { tuning }), release).catch((error: unknown) => {
          throw new Error(`${what}: ${error}`, { cause: error });
        });
        hub.faults.clear();
        await assertPublished(hub, release, what);
        await hub.close();
      }
    }
  });
}

test('a commit that happened though it failed is not made again', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files: small });
  hub.faults.add({
    match: { path: '/commit/' },
    times: 'always',
    action: { kind: 'status', status: 500, after: true },
  });
  await publish(hubTarget(hub), release);
  hub.faults.clear();
  const count = async (revision: string): Promise<number> =>
    ((await (await fetch(`${hub.url}/api/models/${repository}/commits/${revision}`)).json()) as unknown[]).length;
  assert.equal(await count(release.tag), 2);
  assert.equal(await count('main'), 2);
  await assertPublished(hub, release, 'always 500');
});

test('permanent trouble ends in bounded time with a remedy, moves no pointer, and the next good run completes it', async (t) => {
  // Without an answer to `verify` the storage is asked again, and has the object.
  const { poll: _, 'delete branch': __, verify: ___, ...before } = steps;
  for (const [step, match] of Object.entries(before)) {
    for (const trouble of ['502', 'a cut before'] as const) {
      const hub = await hubScene(t);
      const release = await makeRelease(t, { files: small });
      const stop = hub.faults.add({ match, times: 'always', action: troubles[trouble]! });
      const started = performance.now();
      const what = `${trouble} at ${step}`;
      const error = await failureOf(publish(hubTarget(hub, { tuning: { ...quick, attempts: 3 } }), release), what);
      assert.ok(performance.now() - started < 20_000, what);
      assert.equal(error.code, 'remote', what);
      assert.ok(error.hint, what);
      stop();
      assert.equal((await fetch(`${hub.url}/${repository}/resolve/main/manifest.json`)).status, 404, what);
      await publish(hubTarget(hub), release);
      await assertPublished(hub, release, what);
      await hub.close();
    }
  }
});

test('what lists do not show yet is waited for', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files: small });
  hub.faults.add({ match: { method: 'GET', path: '/refs$' }, times: 'always', action: { kind: 'lag', ms: 120 } });
  hub.faults.add({ match: { method: 'GET', path: '/tree/' }, times: 'always', action: { kind: 'lag', ms: 60 } });
  hub.faults.add({ match: { method: 'HEAD' }, times: 3, action: { kind: 'status', status: 404 } });
  await publish(hubTarget(hub), release);
  hub.faults.clear();
  await assertPublished(hub, release, 'lag');
});

test('an interrupted upload stops at once, and the next run sends no object again that had arrived', async (t) => {
  const hub = await hubScene(t, { limits: { bytesPerSecond: 3_000_000 } });
  const release = await makeRelease(t, { files: { ...small, 'big.tar.gz': bytesOf('big', 9_000_000) } });
  const controller = new AbortController();
  let aborted = 0;
  const tuning = { ...quick, deadlines: { ...quick.deadlines, stallMs: 8000 } };
  const arrived = new Set<string>();
  const error = await failureOf(
    hubTarget(hub, { tuning }).upload(release, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'done') arrived.add(event.subject);
        const moving = event.type === 'progress' && event.subject === 'big.tar.gz' && event.done > 1_000_000;
        if (!moving || aborted > 0 || !arrived.has('tiny.tar.gz')) return;
        aborted = performance.now();
        controller.abort();
      },
    }),
  );
  assert.equal(error.code, 'interrupted');
  assert.ok(aborted > 0 && performance.now() - aborted < 5000);
  hub.log.clear();
  await publish(hubTarget(hub, { tuning }), release);
  const puts = hub.log.entries.filter(({ origin, method }) => origin === 'cdn' && method === 'PUT');
  assert.deepEqual(
    puts.map(({ bytesIn }) => bytesIn),
    [9_000_000],
  );
});

test('a missing right at the first write is final, and no message shows the token', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files: small });
  const context = recorder();
  const error = await failureOf(hubTarget(hub, { token: 'hf_stranger' }).upload(release, context));
  assert.equal(error.code, 'conflict');
  assert.equal(writesOf(hub.log.entries).length, 1);
  assert.doesNotMatch(JSON.stringify([context.events, error.message, error.hint, error.details]), /hf_stranger/);
});

test("a proxy's page in place of the manifest is not taken for it: the Hub is asked again", async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files: small });
  await publish(hubTarget(hub), release);
  hub.faults.add({ match: { method: 'GET', path: /manifest\.json/ }, times: 2, action: { kind: 'html' } });
  const manifest = await hubTarget(hub).readDocument(release.tag, 'manifest.json', {});
  assert.equal(manifest?.toString(), small['manifest.json']);
});
