import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hubScene, hubTarget, makeRelease, writesOf } from './scene.ts';

const files = { 'tiny.tar.gz': 'tiny', 'manifest.json': '{}' };

test('each wrong token is told from the others, with a remedy', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  const expected = [
    [undefined, /no token is set/],
    ['hf_nobodyKnowsThis', /not valid or has expired/],
    ['hf_expired', /not valid or has expired/],
    ['hf_reader', /may only read$/],
    ['hf_memberWhoReads', /bob may only read in acme/],
  ] as const;
  for (const [token, message] of expected) {
    const problems = await hubTarget(hub, { token }).preflight(release, {});
    assert.equal(problems.length, 1, String(token));
    assert.match(problems[0]?.message ?? '', message);
    assert.equal(problems[0]?.level, 'error');
    assert.ok(problems[0]?.hint);
  }
  assert.deepEqual(await hubTarget(hub).preflight(release, {}), []);
  assert.deepEqual(writesOf(hub.log.entries), []);
});

test('a stranger is told before the first byte', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  const [problem] = await hubTarget(hub, { token: 'hf_stranger' }).preflight(release, {});
  assert.match(problem?.message ?? '', /may not write/);
});

test('a missing, private or gated repository is a problem', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  const [missing] = await hubTarget(hub, { repository: 'acme/nothing' }).preflight(release, {});
  assert.match(missing?.message ?? '', /does not exist, or the token may not see it/);
  await hub.createRepository('acme/secret', { private: true });
  const [secret] = await hubTarget(hub, { repository: 'acme/secret' }).preflight(release, {});
  assert.match(secret?.message ?? '', /private/);
  const [hidden] = await hubTarget(hub, { repository: 'acme/secret', token: undefined }).preflight(release, {});
  assert.equal(hidden?.level, 'error');
  await hub.createRepository('acme/gated', { gated: 'auto' });
  const [gated] = await hubTarget(hub, { repository: 'acme/gated', allowPrivate: true }).preflight(release, {});
  assert.match(gated?.message ?? '', /gated/);
  assert.equal(gated?.level, 'warning');
});

test('a model card that the Hub would refuse is found first', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files: { ...files, 'README.md': '---\nlicense: [\n---\n' } });
  const problems = await hubTarget(hub).preflight(release, {});
  assert.match(problems.map(({ message }) => message).join('\n'), /the Hub refuses the model card/);
});

test('sizes, folders and paths beyond the Hub are found at once', async (t) => {
  const hub = await hubScene(t);
  const release = await makeRelease(t, { files });
  const [first] = release.files;
  assert.ok(first);
  const problems = await hubTarget(hub).preflight(
    {
      ...release,
      files: [
        { ...first, name: 'huge.tar.gz', sizeBytes: 51e9 },
        { ...first, name: 'tiny/.git/config' },
      ],
      layout: Array.from({ length: 10_001 }, (_, i) => `tiny/${i}.json`),
    },
    {},
  );
  const text = problems.map(({ message }) => message).join('\n');
  assert.match(text, /huge\.tar\.gz has 51\.0 GB/);
  assert.match(text, /the part ".git"/);
  assert.match(text, /tiny has 10001 files/);
});

test('the token is sent to the endpoint alone, and need not look like a token of huggingface.co', async (t) => {
  const hub = await hubScene(t, { accounts: { 'an-enterprise-token': { user: 'acme', role: 'write' } } });
  const release = await makeRelease(t, { files });
  const target = hubTarget(hub, { token: 'an-enterprise-token' });
  await target.upload(release, {});
  const storage = hub.log.entries.filter(({ origin }) => origin === 'cdn');
  assert.ok(storage.length > 0 && storage.every(({ authorization }) => !authorization));
  const without = hubTarget(hub, { token: undefined });
  await assert.rejects(
    without.upload({ ...release, tag: 'models-v2.0.0', version: '2.0.0' }, {}),
    /no Hugging Face token/,
  );
});
