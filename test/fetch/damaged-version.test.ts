import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { checkModels, createWorld, type World } from './world.ts';

const file = (world: World, path: string, version = '1.1.0') => join(world.cache, 'versions/alpha', version, path);

/**
 * alpha 1.0.0 and 1.1.0 are installed, 1.1.0 is in use, 1.2.0 is offered; each has a space of its
 * own.
 */
async function twoVersions(world: World) {
  const manager = world.manager();
  const manifests = [await world.release('1.0.0', { alpha: { version: '1.0.0' } })];
  await manager.install('alpha');
  manifests.push(await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } }));
  await manager.update();
  manifests.push(await world.release('1.2.0', { alpha: { version: '1.2.0', retrained: [1, 2] } }));
  return manifests;
}

const damages: Readonly<Record<string, (world: World) => Promise<void>>> = {
  'a small file is lost': (world) => rm(file(world, 'config.json')),
  'a small file is edited': (world) => writeFile(file(world, '1_Pooling/config.json'), '{}'),
  'all of it is lost': (world) => rm(file(world, '.'), { recursive: true }),
  'its record is damaged': (world) => writeFile(join(world.cache, 'state/installed/alpha/1.1.0.json'), '{'),
};

for (const [what, damage] of Object.entries(damages)) {
  for (const isPinned of [true, false]) {
    const title = `${isPinned ? 'a pinned version' : 'the version in use'}, of which ${what},`;
    test(`${title} is repaired by install and ensureModel, never replaced by another`, async (t) => {
      const world = await createWorld(t);
      const manifests = await twoVersions(world);
      const manager = world.manager();
      if (isPinned) await manager.pin('alpha', '1.1.0');
      await damage(world);
      const { version, space } = await manager.ensureModel('alpha', isPinned ? {} : { version: '^1.0.0' });
      assert.deepEqual([version, space], ['1.1.0', manifests[1]?.models.alpha?.embedding?.space]);
      assert.deepEqual(await checkModels(world.cache, manifests), { alpha: '1.1.0' });
      await damage(world);
      const { exitCode, stderr, stdout } = await world.run(['install', 'alpha', '--json']);
      assert.equal(exitCode, 0, stderr);
      const [report] = JSON.parse(stdout).models;
      assert.deepEqual([report.version, report.current_version], ['1.1.0', '1.1.0']);
      assert.deepEqual(await checkModels(world.cache, manifests), { alpha: '1.1.0' });
      assert.deepEqual(
        (await manager.list()).models.map((model) => [model.version, model.current, model.pinned]),
        [
          ['1.1.0', true, isPinned],
          ['1.0.0', false, false],
        ],
      );
    });
  }
}

test('a damaged version that can’t be repaired is an error, for path too, and no other is served', async (t) => {
  const world = await createWorld(t);
  await twoVersions(world);
  await damages['a small file is lost']?.(world);
  await assert.rejects(world.manager({ offline: true }).ensureModel('alpha'), (error) =>
    isAircherError(error, 'remote'),
  );
  const path = await world.run(['path', 'alpha']);
  assert.deepEqual([path.exitCode, path.stdout], [4, '']);
  assert.match(path.stderr, /alpha 1\.1\.0 is damaged: config\.json.*\n.*verify --repair alpha/);
  assert.equal((await world.run(['path', 'alpha@1.0.0'])).exitCode, 0, 'the whole one by its name');
  assert.equal((await world.run(['verify', '--repair', 'alpha'])).exitCode, 0, 'the remedy works');
  assert.equal((await world.run(['path', 'alpha'])).exitCode, 0);
});

test('ensureModel fetches of a damaged version what is wrong, and warns', async (t) => {
  const world = await createWorld(t);
  await twoVersions(world);
  await damages['a small file is lost']?.(world);
  const { exitCode, stdout, stderr } = await world.run(['install', 'alpha', '--json']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /warning: alpha@1\.1\.0: is damaged: config\.json missing or cut\. Repairing it\./);
  const [report] = JSON.parse(stdout).models;
  assert.equal(report.outcome, 'repaired');
  assert.ok(report.bytes_fetched < 1000, `${report.bytes_fetched} bytes`);
});

test('a mistake in model-preferences.json is a warning where an installed model is asked for, in the library too', async (t) => {
  const world = await createWorld(t);
  await twoVersions(world);
  const manager = world.manager();
  await manager.pin('alpha', '1.0.0');
  await mkdir(join(world.cache, 'config'), { recursive: true });
  const preferences = join(world.cache, 'config/model-preferences.json');
  await writeFile(preferences, '{ "pins": { "alpha": "1.0.0" }, "theme": "dark" }');
  const warnings: string[] = [];
  const onEvent = (event: { readonly type: string; readonly problem?: { readonly message: string } }) =>
    event.type === 'warning' && event.problem && warnings.push(event.problem.message);
  assert.equal((await manager.ensureModel('alpha', { onEvent })).version, '1.0.0');
  assert.deepEqual(warnings, ['unknown key "theme"']);
  assert.equal((await manager.list({ onEvent })).models[1]?.pinned, true);
  await assert.rejects(manager.update(), (error) => isAircherError(error, 'invalid'));
  await assert.rejects(manager.ensureModel('alpha', { version: '1.2.0' }), (error) => isAircherError(error, 'invalid'));
});
