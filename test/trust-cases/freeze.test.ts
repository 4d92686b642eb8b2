import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTrustScene } from './trust-scene.ts';

const at = (version: string) => ({ alpha: { version, layers: 1, layerBytes: 1000 } });
const longAgo = { expires_at: '2020-01-01T00:00:00Z' };

test('freeze: past expires_at installs and updates are exit 4, loudly; what is installed works on', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'), { key });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  await world.release(
    '1.1.0',
    { ...at('1.1.0'), beta: { version: '1.0.0', layers: 1, layerBytes: 1000 } },
    { key, ...longAgo },
  );
  for (const args of [
    ['update', '--all'],
    ['install', 'beta'],
    ['install', 'alpha@1.1.0'],
    ['update', '--all', '--allow-downgrade'],
  ]) {
    const refused = await run(args);
    assert.equal(refused.exitCode, 4, `${args}: ${refused.stderr}`);
    assert.match(refused.stderr, /error: The manifest of models-v1\.1\.0 expired at 2020/);
  }
  for (const args of [
    ['install', 'alpha'],
    ['path', 'alpha'],
    ['verify'],
    ['list'],
    ['check-license'],
    ['update', '--all', '--offline'],
  ]) {
    const works = await run(args);
    const expected = args.includes('--offline') ? 4 : 0;
    assert.equal(works.exitCode, expected, `${args}: ${works.stderr}`);
  }
  const checked = await run(['check-updates']);
  assert.equal(checked.exitCode, 0);
  assert.match(checked.stderr, /warning: .*expired at 2020/);
});

test('freeze: one honest host is enough, whatever the others hold back', async (t) => {
  const { world, key, run, copyHost } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'), { key, ...longAgo });
  const frozen = await copyHost();
  await world.release('1.1.0', at('1.1.0'), { key });
  const installed = await run(['install', 'alpha', '--json'], { sources: [frozen.manifestUrl, world.manifestUrl] });
  assert.equal(installed.exitCode, 0, installed.stderr);
  assert.equal(JSON.parse(installed.stdout).models[0].version, '1.1.0');
  assert.match(installed.stderr, /lags behind/);
});

test('freeze: an expiry taken out of a signed manifest is a bad signature', async (t) => {
  const { world, key, run, serve } = await createTrustScene(t);
  const signed = await world.release('1.0.0', at('1.0.0'), { key, ...longAgo });
  const { expires_at: _, ...without } = signed;
  await serve(world.mirrorDirectory, without);
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4);
  assert.match(refused.stderr, /signature/);
});

test('a renewed expiry alone is a release, and updates go on', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'), { key, ...longAgo });
  assert.equal((await run(['install', 'alpha'])).exitCode, 4);
  await world.release('1.0.1', {}, { key, expires_at: '2999-01-01T00:00:00Z' });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
});

test('an expired release that somebody carried here is installed, with a warning', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'), { key, ...longAgo });
  const brought = await run(['install', '--from', join(world.mirrorDirectory, 'models-v1.0.0')], { sources: [] });
  assert.equal(brought.exitCode, 0, brought.stderr);
  assert.match(brought.stderr, /warning: .*expired at 2020/);
});
