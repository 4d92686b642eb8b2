import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesOf,
  failureOf,
  githubScene,
  githubTarget,
  hubScene,
  hubTarget,
  makeRelease,
  publish,
  recorder,
  repository,
  writesOf,
} from './scene.ts';

const files = {
  'README.md': '---\nlicense: mit\n---\n# Models\n',
  'tiny.tar.gz': bytesOf('tiny', 100_000),
  'manifest.json': '{}',
};

test('a Hub repository that was renamed gets the release under its new name, and the old address serves it', async (t) => {
  const hub = await hubScene(t);
  await hub.renameRepository(repository, 'acme/embeddings');
  const release = await makeRelease(t, { files });
  const target = hubTarget(hub);
  const [problem, ...others] = await target.preflight(release, {});
  assert.deepEqual(others, []);
  assert.equal(problem?.level, 'warning');
  assert.match(problem.message, /is called acme\/embeddings now/);
  hub.log.clear();
  const context = recorder();
  await publish(target, release, context);
  assert.deepEqual(
    context.events.filter(({ type }) => type === 'retry'),
    [],
  );
  for (const write of writesOf(hub.log.entries)) assert.doesNotMatch(write, /acme\/models/);
  for (const revision of [release.tag, 'main']) {
    const answer = await fetch(`${hub.url}/${repository}/resolve/${revision}/tiny.tar.gz`);
    assert.equal(Number(answer.headers.get('content-length')), 100_000, revision);
    await answer.body?.cancel();
  }
  assert.equal((await target.inspect(release.tag, {})).state, 'public');
});

test('renamed during a release, the Hub stops it with the reason, and the next run completes it', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  hub.faults.add({ match: { origin: 'hub', path: /\/commit\// }, action: { kind: 'rename' } });
  const failure = await failureOf(publish(hubTarget(hub), release));
  assert.equal(failure.code, 'remote');
  assert.match(failure.message, /is redirected/);
  assert.match(failure.hint ?? '', /renamed.*run the same command again/i);
  const puts = (): number =>
    hub.log.entries.filter(({ origin, method }) => origin === 'cdn' && method === 'PUT').length;
  const before = puts();
  await publish(hubTarget(hub), release);
  assert.equal(puts(), before, 'what had arrived is not sent again');
});

test('a GitHub repository that was renamed gets the release, and the old address serves it', async (t) => {
  const github = await githubScene(t);
  github.repository(repository).rename('embeddings');
  const release = await makeRelease(t, { files });
  const target = githubTarget(github);
  const [problem, ...others] = await target.preflight(release, {});
  assert.deepEqual(others, []);
  assert.match(problem?.message ?? '', /is called acme\/embeddings now/);
  const context = recorder();
  await publish(target, release, context);
  assert.deepEqual(
    context.events.filter(({ type }) => type === 'retry'),
    [],
  );
  const answer = await fetch(`${github.url}/${repository}/releases/download/${release.tag}/tiny.tar.gz`);
  assert.equal((await answer.arrayBuffer()).byteLength, 100_000);
});

test('a public address that redirects within its host counts only where the file is in the end', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  const target = hubTarget(hub, { tuning: { lookEveryMs: 5, publicMs: 50, deadlines: { stallMs: 500 } } });
  await target.upload(release, {});
  hub.faults.add({
    match: { method: 'HEAD' },
    times: 'always',
    action: { kind: 'redirect', to: `/acme/nothing/resolve/${release.tag}/manifest.json` },
  });
  assert.match((await failureOf(target.makePublic(release, {}))).message, /does not answer/);
});
