import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readRecord } from './part-scene.ts';
import { createWorld, type World } from './world.ts';

const nc = { license: 'CC-BY-NC-4.0', commercial_use: false };

async function licensedWorld(t: TestContext, licenses: object): Promise<World> {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', entry: nc }, beta: { version: '1.0.0' } });
  await mkdir(join(world.cache, 'config'), { recursive: true });
  await writeFile(join(world.cache, 'config/model-preferences.json'), JSON.stringify({ licenses }));
  return world;
}

const artifacts = (world: World): number =>
  world.mirror.log.entries.filter(({ path }) => /\.tar\.gz/.test(path)).length;

test('a policy refuses a model before a byte of it is fetched; what is accepted is kept, and holds for updates', async (t) => {
  const world = await licensedWorld(t, { allow: ['Apache-2.0', 'MIT'] });
  const refused = await world.run(['install', 'alpha', 'beta']);
  assert.equal(refused.exitCode, 11);
  assert.match(
    refused.stderr,
    /The licence of alpha 1\.0\.0, CC-BY-NC-4\.0, is not allowed \(.*model-preferences\.json\)/,
  );
  assert.match(refused.stderr, /hint: Read it\. To accept it: --accept-license CC-BY-NC-4\.0/);
  const fetched = world.mirror.log.entries.filter(({ path }) => path.includes('alpha.tar'));
  assert.deepEqual(fetched, []);
  await assert.rejects(world.manager().ensureModel('alpha'), { code: 'license' });
  assert.equal((await world.run(['export', 'alpha', '--to', 'usb'])).exitCode, 11);
  // Another licence than it has is none.
  assert.equal((await world.run(['install', 'alpha', '--accept-license', 'GPL-3.0-only'])).exitCode, 11);
  const { exitCode, stderr } = await world.run(['install', 'alpha', '--accept-license', 'CC-BY-NC-4.0']);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual((await readRecord(world)).accepted_licenses, ['CC-BY-NC-4.0']);
  const { models } = JSON.parse((await world.run(['list', '--json'])).stdout);
  assert.deepEqual(
    models.map(({ name, accepted_licenses }: Record<string, unknown>) => [name, accepted_licenses]),
    [
      ['alpha', ['CC-BY-NC-4.0']],
      ['beta', []],
    ],
  );
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0], entry: nc } });
  assert.equal((await world.run(['update', 'alpha'])).exitCode, 0);
  assert.deepEqual((await readRecord(world, '1.1.0')).accepted_licenses, ['CC-BY-NC-4.0']);
  // The licence itself changes.
  await world.release('1.2.0', { alpha: { version: '1.2.0', entry: { license: 'AGPL-3.0-only' } } });
  const update = await world.run(['update', 'alpha']);
  assert.equal(update.exitCode, 11);
  assert.match(update.stderr, /AGPL-3\.0-only, is not allowed/);
  assert.equal(JSON.parse((await world.run(['path', 'alpha', '--json'])).stdout).version, '1.1.0');
});

test('what is denied is denied however its id is written, and with what follows it; a dry run is refused, too', async (t) => {
  const world = await licensedWorld(t, { deny: ['apache2', 'CC-BY-NC'] });
  for (const name of ['alpha', 'beta']) {
    for (const args of [
      ['install', name],
      ['install', name, '--dry-run'],
    ]) {
      const { exitCode, stderr } = await world.run(args);
      assert.equal(exitCode, 11, stderr);
    }
  }
  assert.equal(artifacts(world), 0);
});

test('what is installed works on under a policy, is not repaired against it, and check-license tells', async (t) => {
  const world = await licensedWorld(t, {});
  const preferences = join(world.cache, 'config/model-preferences.json');
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  assert.equal((await world.run(['check-license'])).exitCode, 0);
  assert.equal((await world.run(['check-license', '--commercial'])).exitCode, 11);
  await writeFile(preferences, '{"licenses":{"commercial_only":true}}');
  for (const args of ['install alpha', 'path alpha', 'list', 'verify']) {
    assert.equal((await world.run(args.split(' '))).exitCode, 0, args);
  }
  const { exitCode, stdout } = await world.run(['check-license', '--json']);
  assert.equal(exitCode, 11);
  assert.equal(JSON.parse(stdout).models[0].refused, 'forbids commercial use');
  await writeFile(join(world.cache, 'versions/alpha/1.0.0/config.json'), '{}');
  assert.equal((await world.run(['verify', '--repair'])).exitCode, 11);
  assert.equal((await world.run(['verify', '--repair', '--accept-license', 'CC-BY-NC-4.0'])).exitCode, 0);
  // A mistake elsewhere in the file is a warning, one in the policy is none.
  await writeFile(preferences, '{"licenses":{"commercial_only":true},"keep":1}');
  const lenient = await world.run(['check-license']);
  assert.match(lenient.stderr, /warning: .*unknown key "keep"/s);
  assert.equal(lenient.exitCode, 11);
  await writeFile(preferences, '{"licenses":{"comercial_only":true}}');
  const strict = await world.run(['check-license']);
  assert.match(strict.stderr, /Did you mean "commercial_only"\?/);
  assert.equal(strict.exitCode, 3);
});

test('a lock file has a policy of its own, and what was accepted when it was written', async (t) => {
  const world = await licensedWorld(t, {});
  const path = world.path('models.lock');
  assert.equal((await world.run(['lock', 'alpha'])).exitCode, 0);
  const lock = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...lock, licenses: { deny: ['CC-BY-NC-4.0'] } }));
  world.mirror.log.clear();
  const refused = await world.run(['install', '--frozen']);
  assert.equal(refused.exitCode, 11);
  assert.match(refused.stderr, /is not allowed \(models\.lock\)/);
  assert.equal(artifacts(world), 0);
  assert.equal((await world.run(['lock', '--update'])).exitCode, 11);
  assert.equal((await world.run(['lock', 'alpha', '--accept-license', 'CC-BY-NC-4.0'])).exitCode, 0);
  const written = JSON.parse(await readFile(path, 'utf8'));
  assert.deepEqual(written.licenses, { deny: ['CC-BY-NC-4.0'] });
  assert.deepEqual(written.models.alpha.accepted_licenses, ['CC-BY-NC-4.0']);
  assert.equal((await world.run(['install', '--frozen'])).exitCode, 0);
  assert.deepEqual((await readRecord(world)).accepted_licenses, ['CC-BY-NC-4.0']);
  assert.equal((await world.run(['lock', '--update'])).exitCode, 0);
});
