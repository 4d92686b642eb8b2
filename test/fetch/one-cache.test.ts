import assert from 'node:assert/strict';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { ClientOptions } from '../../src/fetch/api.ts';
import { ensureModel, ModelManager } from '../../src/fetch/index.ts';
import { createWorld, type World } from './world.ts';

/** As a program has it: with the user's variables, and no cache named. */
function settings(world: World, options: ClientOptions = {}): ClientOptions {
  return { manifestSources: [world.manifestUrl], env: { XDG_CACHE_HOME: world.path('caches') }, ...options };
}

test('a program that names the source alone shares the cache of the released client, and needs no network then', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  // What a release bakes into its client.
  const released = new ModelManager(settings(world, { namespace: 'test' }));
  await released.install('alpha');
  const model = await ensureModel('alpha', settings(world, { offline: true }));
  assert.equal(model.path, join(world.path('caches'), 'test/versions/alpha/1.0.0'));
  const manager = new ModelManager(settings(world));
  assert.equal(await manager.cacheDir(), world.path('caches', 'test'));
  assert.equal((await manager.list()).models.length, 1);
  assert.deepEqual(await readdir(world.path('caches', 'aircher')), ['state']);
});

test('sources that are new here are asked once for their namespace', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const { path } = await ensureModel('alpha', settings(world));
  assert.equal(path, world.path('caches', 'test/versions/alpha/1.0.0'));
  await world.mirror.close();
  assert.equal((await ensureModel('alpha', settings(world))).path, path, 'noted');
  assert.equal((await new ModelManager(settings(world, { manifestSources: [] })).list()).models.length, 1);
  const noted = JSON.parse(await readFile(world.path('caches/aircher/state/namespaces.json'), 'utf8'));
  assert.deepEqual(noted.sources, { [world.manifestUrl]: 'test' });
});

test('where no source is named and those of two publishers were used, nobody guesses', async (t) => {
  const world = await createWorld(t);
  const other = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await other.release('1.0.0', { alpha: { version: '1.0.0' } }, { namespace: 'other' });
  await ensureModel('alpha', settings(world));
  const second = await ensureModel('alpha', settings(world, { manifestSources: [other.manifestUrl] }));
  assert.equal(second.path, world.path('caches', 'other/versions/alpha/1.0.0'));
  await assert.rejects(
    new ModelManager(settings(world, { manifestSources: [] })).list(),
    (error) => isAircherError(error, 'usage') && /test, other/.test(error.message),
  );
});

test('a namespace that may not name a directory leaves the default cache', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } }, { namespace: '../elsewhere' });
  const { path } = await ensureModel('alpha', settings(world));
  assert.equal(path, world.path('caches', 'aircher/versions/alpha/1.0.0'));
});

test('sources that don’t answer are asked again the next time', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const pointer = join(world.mirrorDirectory, 'manifest.json');
  await rename(pointer, `${pointer}.away`);
  const manager = new ModelManager(settings(world));
  await assert.rejects(manager.ensureModel('alpha'), (error) => isAircherError(error, 'remote'));
  await rename(`${pointer}.away`, pointer);
  const { path } = await manager.ensureModel('alpha');
  assert.equal(path, world.path('caches', 'test/versions/alpha/1.0.0'));
});
