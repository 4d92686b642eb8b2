import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event, OnEvent } from '../../src/core/events.ts';
import { checkModels, checksummedVersions, createWorld } from './world.ts';

test('--same-space leaves a model alone whose vectors change, and takes the others', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  await manager.install('beta');
  await world.release('1.1.0', {
    alpha: { version: '1.1.0', retrained: [1] },
    beta: { version: '1.0.1', space: 'beta ' },
  });
  const { models: reports } = await manager.update({ sameSpace: true });
  assert.deepEqual(
    reports.map(({ name, outcome, to }) => [name, outcome, to]),
    [
      ['alpha', 'other-space', '1.0.0'],
      ['beta', 'updated', '1.0.1'],
    ],
  );
});

test('old versions come by published_versions; ranges choose among them', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  await world.release('2.0.0', { alpha: { version: '2.0.0', retrained: [1, 2] } });
  const manager = world.manager();
  assert.equal((await manager.ensureModel('alpha', { version: '^1.0.0' })).version, '1.1.0');
  assert.equal((await manager.ensureModel('alpha', { version: '1.0.0' })).version, '1.0.0');
  assert.equal((await manager.ensureModel('alpha')).version, '1.1.0', 'the current one, never updated by itself');
  await assert.rejects(manager.ensureModel('alpha', { version: '^3.0.0' }), (error) =>
    isAircherError(error, 'invalid'),
  );
  await assert.rejects(manager.ensureModel('alpha', { version: 'newest' }), (error) => isAircherError(error, 'usage'));
});

test('an old manifest whose bytes are not those of the newest one’s digest is refused', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  const path = join(world.mirrorDirectory, 'models-v1.0.0/manifest.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('Apache-2.0', 'Apache-2.1'));
  await assert.rejects(world.manager().ensureModel('alpha', { version: '1.0.0' }), (error) =>
    isAircherError(error, 'integrity'),
  );
  assert.deepEqual(await checkModels(world.cache, []), {});
});

test('a withdrawn version is never installed anew unless asked by version, with a warning', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const yanked = [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }];
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } }, { yanked });
  const manager = world.manager();
  assert.equal((await manager.ensureModel('alpha')).version, '1.0.0');
  const events: Event[] = [];
  const asked = await manager.ensureModel('alpha', { version: '1.1.0', onEvent: (event) => events.push(event) });
  assert.equal(asked.version, '1.1.0');
  assert.ok(events.some((event) => event.type === 'warning' && /wrong pooling/.test(event.problem.message)));
});

test('rollback and pin warn of a withdrawn version, and offers name it as such', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  const yanked = [{ model: 'alpha', version: '1.0.0', reason: 'wrong pooling' }];
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } }, { yanked });
  await manager.update();
  for (const go of [
    (onEvent: OnEvent) => manager.rollback('alpha', { onEvent }),
    (onEvent: OnEvent) => manager.pin('alpha', '1.0.0', { onEvent }),
  ]) {
    const warnings: string[] = [];
    await go((event) => event.type === 'warning' && warnings.push(event.problem.message));
    assert.deepEqual(warnings, ['was withdrawn: wrong pooling']);
  }
  await assert.rejects(
    manager.ensureModel('alpha', { version: '^2.0.0' }),
    (error) => isAircherError(error, 'invalid') && error.hint === 'Offered: 1.1.0, 1.0.0 (withdrawn).',
  );
});

test('an update leaves a withdrawn version, even for an older one', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  const manager = world.manager();
  await manager.install('alpha');
  const yanked = [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }];
  await world.release('1.1.1', {}, { yanked });
  const {
    models: [status],
  } = await manager.checkUpdates();
  assert.equal(status?.yanked, 'wrong pooling');
  assert.deepEqual([status?.status, status?.available], ['update', '1.0.0']);
  const {
    models: [report],
  } = await manager.update();
  assert.deepEqual([report?.outcome, report?.to], ['updated', '1.0.0']);
});

test('rollback pins, update passes it over, unpin lets it go; prune and remove give space back', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  const second = await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  await manager.update();
  assert.deepEqual(await manager.rollback('alpha'), {
    name: 'alpha',
    from: '1.1.0',
    to: '1.0.0',
    pinned: true,
    space_change: 'changes',
    weights: [{ path: 'model.safetensors', space_change: 'changes' }],
  });
  assert.deepEqual(await checkModels(world.cache, [first, second]), { alpha: '1.0.0' });
  assert.equal((await manager.update()).models[0]?.outcome, 'pinned');
  assert.equal((await manager.checkUpdates()).models[0]?.status, 'pinned');
  assert.deepEqual(await manager.unpin('alpha'), { name: 'alpha', unpinned: '1.0.0' });
  assert.equal((await manager.update()).models[0]?.outcome, 'updated');
  await manager.pin('alpha', '1.0.0');
  assert.deepEqual(
    (await manager.prune({ dryRun: true })).items.map((item) => item.version),
    ['1.1.0'],
  );
  await manager.unpin('alpha');
  await manager.prune({ keep: 2 });
  assert.equal((await manager.list()).models.length, 2);
  await manager.prune();
  assert.deepEqual(
    (await manager.list()).models.map((version) => version.version),
    ['1.0.0'],
  );
  await manager.remove('alpha');
  assert.deepEqual(await manager.list(), { models: [] });
  assert.deepEqual(await readdir(join(world.cache, 'versions')), ['CACHEDIR.TAG']);
  assert.deepEqual(await checksummedVersions(world.cache), {});
});

test('a withdrawn version comes by its release too, with the newest manifest’s warning', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  const yanked = [{ model: 'alpha', version: '1.0.0', reason: 'wrong tokenizer' }];
  await world.release('1.1.1', {}, { yanked });
  const events: Event[] = [];
  const report = await world.manager({ release: '1.0.0' }).install('alpha', { onEvent: (event) => events.push(event) });
  assert.equal(report.version, '1.0.0');
  assert.ok(events.some((event) => event.type === 'warning' && /wrong tokenizer/.test(event.problem.message)));
});

test('a first release that is a prerelease is installed by --release: nothing newest is needed for that', async (t) => {
  const world = await createWorld(t);
  const options = { unannounced: true };
  const first = await world.release('1.0.0-rc.1', { alpha: { version: '1.0.0-rc.1' } }, options);
  await assert.rejects(world.manager().install('alpha'), { code: 'remote' });
  for (const sources of [[world.manifestUrl], [world.manifestUrl, join(world.mirrorDirectory, 'manifest.json')]]) {
    const manager = world.manager({ release: 'models-v1.0.0-rc.1', manifestSources: sources });
    assert.equal((await manager.install('alpha')).version, '1.0.0-rc.1');
    assert.deepEqual(await checkModels(world.cache, [first]), { alpha: '1.0.0-rc.1' });
    await manager.remove('alpha');
  }
  const byVersion = world.manager({ release: '1.0.0-rc.1' }).install('alpha');
  await assert.rejects(byVersion, { code: 'usage', hint: 'Give the whole tag to --release.' });
  const unknown = world.manager({ release: 'models-v2.0.0' }).install('alpha');
  await assert.rejects(unknown, { code: 'invalid', message: /models-v2\.0\.0/ });
});
