import assert from 'node:assert/strict';
import { chmod, readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exists } from '../../src/core/read-files.ts';
import type { Finding } from '../../src/fetch/api.ts';
import { archiveBytes, assertFetched, assertPart, bytesOf, onnx, onnxData, plain, threeWeights } from './part-scene.ts';
import { createWorld, type ModelShape, type World } from './world.ts';

/** An admin fills the system cache, which users then read. */
async function fill(world: World, ...args: readonly string[]): Promise<string> {
  const shared = world.path('opt');
  const filled = await world.run(args, { cache: shared });
  assert.equal(filled.exitCode, 0, filled.stderr);
  return shared;
}

/** What lies in the system cache: paths, sizes and times of change. */
async function stateOf(world: World): Promise<string> {
  const entries = await readdir(world.path('opt'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map(async (file) => `${file} ${(await readFile(file)).length}`))).sort().join('\n');
}

interface UserRun {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  // biome-ignore lint/suspicious/noExplicitAny: documents are held to schemas.
  readonly json: any;
}

/** A user's command, with the system cache named by the variable. */
async function user(world: World, ...args: readonly string[]): Promise<UserRun> {
  const run = await world.run(args, { env: { AIRCHER_SYSTEM_CACHE: world.path('opt') } });
  return { ...run, json: args.includes('--json') && run.stdout ? JSON.parse(run.stdout) : undefined };
}

const small: ModelShape = { version: '1.0.0' };

test('what the system cache has is used from there: nothing is fetched, and nothing written by the user', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  const shared = await fill(world, 'install', 'alpha');
  const before = await stateOf(world);
  world.mirror.log.clear();
  const installed = await user(world, 'install', 'alpha');
  assert.match(installed.stderr, /alpha 1\.0\.0 is installed in the system cache\. Licence/);
  const place = join(shared, 'versions/alpha/1.0.0');
  assert.equal((await user(world, 'path', 'alpha')).stdout, place);
  const { path, cache, files } = (await user(world, 'path', 'alpha', '--json')).json;
  assert.deepEqual([path, cache, files.length], [place, 'system', 4]);
  assert.equal((await user(world, 'list', '--json')).json.models[0].cache, 'system');
  assert.match((await user(world, 'list')).stdout, /CACHE\nalpha .* system$/);
  assert.match((await user(world, 'verify')).stdout, /alpha 1\.0\.0: ok/);
  assert.match((await user(world, 'info', 'alpha', '--offline')).stdout, /here +1\.0\.0 \(in use, system cache\): /);
  const library = world.manager({ env: { AIRCHER_SYSTEM_CACHE: shared }, offline: true });
  assert.equal((await library.ensureModel('alpha')).path, place);
  assert.deepEqual(world.mirror.log.entries, []);
  assert.equal(await exists(world.cache), false);
  assert.equal(await stateOf(world), before);
});

test('another user than the one who fills it needs no rights but to read', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can be two users');
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  await fill(world, 'install', 'alpha');
  const before = await stateOf(world);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  await chmod(world.root, 0o777);
  const as = { uid: 1234, env: { AIRCHER_SYSTEM_CACHE: world.path('opt'), NODE_COMPILE_CACHE: '' } };
  assert.match((await world.run(['path', 'alpha'], as)).stdout, /opt\/versions\/alpha\/1\.0\.0$/);
  const updated = await world.run(['update', '--all'], as);
  assert.equal(updated.exitCode, 0, updated.stderr);
  assert.match((await world.run(['path', 'alpha'], as)).stdout, /cache\/versions\/alpha\/1\.1\.0$/);
  assert.equal(await stateOf(world), before);
  // What may not be read isn't missing, and nothing is fetched in its place.
  const shut = world.path('opt/versions');
  await chmod(shut, 0o700);
  const refused = await world.run(['path', 'alpha@1.0.0'], as);
  assert.equal(refused.exitCode, 7, refused.stderr);
  assert.ok(refused.stderr.includes(shut), refused.stderr);
  const report = JSON.parse((await world.run(['doctor', '--offline', '--json'], as)).stdout);
  assert.ok(report.findings.some(({ what, status }: Finding) => what === 'cache' && status === 'failed'));
});

test('an update goes to the user’s own cache, by the chunks that the system cache’s version lacks', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  await fill(world, 'install', 'alpha');
  const before = await stateOf(world);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [2] } });
  world.mirror.log.clear();
  assert.match((await user(world, 'check-updates')).stdout, /alpha +1\.0\.0 +1\.1\.0/);
  const { models } = (await user(world, 'update', '--all', '--json')).json;
  assert.ok(models[0].bytes_copied > 600_000 && models[0].bytes_fetched < 210_000, JSON.stringify(models));
  assert.ok(archiveBytes(world) < 210_000, `${archiveBytes(world)} bytes sent`);
  const listed = (await user(world, 'list', '--json')).json.models;
  assert.deepEqual(
    listed.map(({ version, cache, current }: Record<string, unknown>) => [version, cache, current]),
    [
      ['1.1.0', 'user', true],
      ['1.0.0', 'system', false],
    ],
  );
  assert.equal(await readFile(join(world.cache, 'models/alpha/.version'), 'utf8'), '1.1.0\n');
  assert.equal(await stateOf(world), before);
  // Back to the system cache's: the user's link leads there, and the pin is the user's.
  assert.equal((await user(world, 'rollback', 'alpha')).exitCode, 0);
  assert.equal(await readlink(join(world.cache, 'models/alpha')), join(world.path('opt'), 'versions/alpha/1.0.0'));
  assert.equal(JSON.parse(await readFile(join(world.cache, 'models/checksums.json'), 'utf8')).alpha.version, '1.0.0');
  assert.match((await user(world, 'path', 'alpha')).stdout, /opt\/versions/);
  assert.match((await user(world, 'update', '--all')).stderr, /alpha 1\.0\.0 is pinned and stays/);
  assert.deepEqual(JSON.parse(await readFile(join(world.cache, 'config/model-preferences.json'), 'utf8')), {
    pins: { alpha: '1.0.0' },
  });
  assert.equal(await stateOf(world), before);
});

test('a version that the system cache gets later is what an update goes to, without a byte', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  assert.equal((await user(world, 'install', 'alpha')).exitCode, 0);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [2] } });
  await fill(world, 'install', 'alpha');
  assert.match(
    (await user(world, 'path', 'alpha')).stdout,
    /cache\/versions\/alpha\/1\.0\.0$/,
    'nothing updates itself',
  );
  const { models } = (await user(world, 'update', '--all', '--json')).json;
  assert.deepEqual([models[0].outcome, models[0].bytes_fetched, models[0].bytes_copied], ['updated', 0, 0]);
  assert.match((await user(world, 'path', 'alpha')).stdout, /opt\/versions\/alpha\/1\.1\.0$/);
  assert.match(await readlink(join(world.cache, 'models/alpha')), /opt\/versions\/alpha\/1\.1\.0$/);
  // The one in use counts, wherever it is: the user's older one goes.
  const pruned = (await user(world, 'prune', '--json')).json.items;
  assert.deepEqual(
    pruned.map(({ kind, version }: Record<string, unknown>) => [kind, version]),
    [['version', '1.0.0']],
  );
  // What the admin takes away is brought back, to the user's own.
  await rm(world.path('opt/versions/alpha'), { recursive: true });
  assert.equal((await user(world, 'install', 'alpha')).exitCode, 0);
  assert.match((await user(world, 'path', 'alpha')).stdout, /cache\/versions\/alpha\/1\.1\.0$/);
});

test('weights that the system cache lacks make a whole version of the user’s own, and they alone are fetched', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  await fill(world, 'install', 'alpha');
  world.mirror.log.clear();
  assert.match((await user(world, 'path', 'alpha', '--weights', 'onnx')).stderr, /is not installed \(default is\)/);
  const { models } = (await user(world, 'install', 'alpha', '--weights', 'onnx', '--json')).json;
  assert.equal(models[0].weights_path, join(world.cache, 'versions/alpha/1.0.0', onnx));
  assertFetched(world, await bytesOf(world, manifest, [onnx, onnxData]));
  // Else an update would lose the default.
  const expected = { wanted: ['default', onnx], files: [...plain, 'model.safetensors', onnx, onnxData] };
  await assertPart(world, manifest, expected);
  for (const weights of ['onnx', 'default']) {
    const { path, cache } = (await user(world, 'path', 'alpha', '--weights', weights, '--json')).json;
    assert.deepEqual([path, cache], [join(world.cache, 'versions/alpha/1.0.0'), 'user']);
  }
  // Removed, the system cache's is used again.
  const removed = await user(world, 'remove', 'alpha');
  assert.match(
    removed.stderr,
    /alpha removed \(1\.0\.0\).*\n.*alpha 1\.0\.0 is in the system cache, and used from now on/,
  );
  assert.match((await user(world, 'path', 'alpha')).stdout, /opt\/versions/);
  // One that has all that the user's has is looked at first.
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  assert.match((await user(world, 'path', 'alpha')).stdout, /opt\/versions/);
});

test('remove and verify --repair refuse what is the system cache’s, and say who can', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  const shared = await fill(world, 'install', 'alpha');
  const removed = await user(world, 'remove', 'alpha');
  assert.equal(removed.exitCode, 6, removed.stderr);
  assert.match(removed.stderr, /alpha 1\.0\.0 is in the system cache .*opt, which is only read/);
  assert.ok(removed.stderr.includes(`AIRCHER_CACHE_DIR=${shared} aircher remove alpha`), removed.stderr);
  await writeFile(join(shared, 'versions/alpha/1.0.0/LICENSE'), 'Do as I say.  \n\n');
  const damaged = await user(world, 'verify');
  assert.equal(damaged.exitCode, 4);
  const repaired = await user(world, 'verify', '--repair');
  assert.equal(repaired.exitCode, 6, repaired.stderr);
  // What the hint says works, with the variable set, as an admin has it.
  const admin = { cache: shared, env: { AIRCHER_SYSTEM_CACHE: shared } };
  assert.equal((await world.run(['verify', '--repair', 'alpha'], admin)).exitCode, 0);
  assert.equal((await user(world, 'verify')).exitCode, 0);
  assert.equal((await world.run(['remove', 'alpha'], admin)).exitCode, 0);
  assert.equal((await user(world, 'path', 'alpha')).exitCode, 3);
});

test('files that are cut in the system cache are an error with a remedy, and install brings the user a whole version', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  const shared = await fill(world, 'install', 'alpha');
  await truncate(join(shared, 'versions/alpha/1.0.0/model.safetensors'), 600_000);
  const path = await user(world, 'path', 'alpha');
  assert.equal(path.exitCode, 4);
  assert.match(path.stderr, /system cache\. Have a whole one of your own: install alpha@1\.0\.0/);
  world.mirror.log.clear();
  const installed = await user(world, 'install', 'alpha@1.0.0');
  assert.equal(installed.exitCode, 0, installed.stderr);
  assert.ok(archiveBytes(world) < 410_000, 'what is right there is copied');
  assert.match((await user(world, 'path', 'alpha')).stdout, /cache\/versions\/alpha\/1\.0\.0$/);
  assert.equal(await readFile(join(world.cache, 'models/alpha/.version'), 'utf8'), '1.0.0\n');
});

test('install --frozen and export go by what the system cache has, offline', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  assert.equal((await world.run(['lock', 'alpha'])).exitCode, 0);
  await fill(world, 'install', 'alpha');
  await rm(world.cache, { recursive: true });
  const frozen = await user(world, 'install', '--frozen', '--offline');
  assert.equal(frozen.exitCode, 0, frozen.stderr);
  assert.match((await user(world, 'path', 'alpha')).stdout, /opt\/versions/);
  const exported = await user(world, 'export', 'alpha', '--to', world.path('usb'), '--offline');
  assert.equal(exported.exitCode, 0, exported.stderr);
  const carried = await world.run(['install', '--from', world.path('usb')], { cache: world.path('other') });
  assert.equal(carried.exitCode, 0, carried.stderr);
});

test('a patch applies to the system cache’s version', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', trained: 0 } });
  await fill(world, 'install', 'alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0', trained: 1 } });
  world.mirror.log.clear();
  assert.equal((await user(world, 'update', 'alpha')).exitCode, 0);
  const asked = world.mirror.log.entries.map(({ path }) => path);
  assert.ok(
    asked.some((path) => path.endsWith('alpha.from-1.0.0.patch')),
    asked.join('\n'),
  );
  assert.ok(archiveBytes(world) < 1000, 'but for config.json');
});

test('models of another publisher, and a system cache that is not there, are passed over', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: small });
  const shared = await fill(world, 'install', 'alpha');
  const env = { AIRCHER_SYSTEM_CACHE: shared };
  const names = async (namespace: string): Promise<number> =>
    (await world.manager({ env, namespace }).list()).models.length;
  assert.deepEqual([await names('test'), await names('globex')], [1, 0]);
  const none = await world.run(['list', '--json'], { env: { AIRCHER_SYSTEM_CACHE: world.path('nowhere') } });
  assert.deepEqual(JSON.parse(none.stdout), { models: [] });
});
