import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { UpdateReport, UpdateStatus } from '../../src/fetch/api.ts';
import { checkModels, clientProgram, createWorld, type World } from './world.ts';

const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `model-${letter}`);

/**
 * Five installed models, and a release that has a newer version of each; the third one's bytes
 * can't be had.
 */
async function fiveModels(world: World, third: 'fails' | 'works' = 'fails') {
  const shapes = (version: string, retrained: readonly number[] = []) =>
    Object.fromEntries(names.map((name) => [name, { version, retrained }]));
  const first = await world.release('1.0.0', shapes('1.0.0'));
  for (const name of names) await world.manager().install(name);
  const second = await world.release('1.1.0', shapes('1.1.0', [1]));
  if (third === 'fails') await rm(join(world.mirrorDirectory, 'models-v1.1.0', 'model-c.tar.gz'));
  return [first, second] as const;
}

const outcomes = (models: readonly UpdateReport[]) => models.map(({ name, outcome, to }) => `${name} ${outcome} ${to}`);

/** No line of what was said stands there twice. */
function assertToldOnce(stderr: string): void {
  const facts = stderr.split('\n').map((line) => line.replace(/^(warning|error|hint): /, ''));
  assert.deepEqual([...new Set(facts)], facts, stderr);
}

const allButThird = ['a', 'b', 'd', 'e'].map((letter) => `model-${letter} updated 1.1.0`);
const versions = { 'model-a': '1.1.0', 'model-b': '1.1.0', 'model-c': '1.0.0', 'model-d': '1.1.0', 'model-e': '1.1.0' };

test('update: where one of five models fails, the rest goes on, and the error has the reports of all', async (t) => {
  const world = await createWorld(t);
  const manifests = await fiveModels(world);
  const told: string[] = [];
  await assert.rejects(
    world.manager().update({
      onEvent: (event) => {
        if (event.type === 'done' && event.task === 'update') told.push(event.subject);
        if (event.type === 'warning') told.push(`failed ${event.problem.file}`);
      },
    }),
    (error) => {
      assert.ok(isAircherError(error, 'remote'));
      assert.deepEqual(outcomes(error.details.models as UpdateReport[]), allButThird);
      const [failed, ...more] = error.details.failed as { name: string; code: string; message: string }[];
      assert.deepEqual([failed?.name, failed?.code, more.length], ['model-c', 'remote', 0]);
      assert.equal(error.message, '1 of 5 models failed: model-c.');
      assert.equal((error.cause as Error).message, (failed as { message: string }).message);
      return true;
    },
  );
  assert.deepEqual(told, ['model-a', 'model-b', 'failed model-c', 'model-d', 'model-e']);
  assert.deepEqual(await checkModels(world.cache, manifests), versions);
});

test('update --all tells each model as it happens, indices included; --json has the reports beside the error', async (t) => {
  const world = await createWorld(t);
  const manifests = await fiveModels(world);
  const text = await world.run(['update', '--all']);
  assert.equal(text.exitCode, 5, text.stderr);
  const places = [
    /model-a 1\.1\.0 installed/,
    /vectors of 1\.1\.0 can’t be compared with those of 1\.0\.0/,
    /model-b 1\.1\.0 installed/,
    /warning: model-c: /,
    /model-d 1\.1\.0 installed/,
    /model-e 1\.1\.0 installed/,
    /^error: 1 of 5 models failed: model-c\.$/m,
  ].map((part) => text.stderr.search(part));
  assert.deepEqual(
    [...places].sort((x, y) => x - y),
    places,
    text.stderr,
  );
  assert.ok(!places.includes(-1), text.stderr);
  assert.deepEqual(await checkModels(world.cache, manifests), versions);
  const json = await world.run(['update', '--all', '--json']);
  assert.equal(json.exitCode, 5);
  const { error } = JSON.parse(json.stdout);
  assert.deepEqual(
    outcomes(error.details.models),
    allButThird.map((line) => line.replace('updated', 'up-to-date')),
  );
  assert.deepEqual(
    error.details.failed.map((failed: { name: string }) => failed.name),
    ['model-c'],
  );
});

test('update: two of five fail: each is told once, as it happens, and the exit code is that of the first', async (t) => {
  const world = await createWorld(t);
  await fiveModels(world);
  await writeFile(join(world.mirrorDirectory, 'models-v1.1.0', 'model-d.tar.gz.index.json'), '{}');
  const { exitCode, stderr } = await world.run(['update', '--all']);
  assert.equal(exitCode, 5, stderr);
  assert.match(
    stderr,
    /warning: model-c: .*\n(.*\n)*warning: model-d: .*\n(.*\n)*error: 2 of 5 models failed: model-c, model-d\.$/,
  );
  assertToldOnce(stderr);
});

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const) {
  test(`update --all, ${signal} at the third of five models: what was done was told, and the next run does the rest`, async (t) => {
    const world = await createWorld(t);
    const manifests = await fiveModels(world, 'works');
    const { env } = process;
    const child = spawn(
      process.execPath,
      [clientProgram, 'model', 'update', '--all', '--json', '--limit-rate', '200k'],
      {
        env: { PATH: env.PATH, AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
      },
    );
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => {
      stderr += data;
      if (!child.killed && /model-b: vectors/.test(stderr)) child.kill(signal);
    });
    assert.deepEqual((await once(child, 'close'))[0], exitCode, stderr);
    assert.match(stderr, /model-a 1\.1\.0 installed.*\n.*\nmodel-b 1\.1\.0 installed/);
    const done = await checkModels(world.cache, manifests);
    assert.deepEqual([done['model-a'], done['model-b'], done['model-e']], ['1.1.0', '1.1.0', '1.0.0']);
    if (signal === 'SIGINT') {
      const { error } = JSON.parse(stdout);
      assert.equal(error.code, 'interrupted');
      assert.deepEqual(outcomes(error.details.models), ['model-a updated 1.1.0', 'model-b updated 1.1.0']);
    } else assert.equal(stdout, '');
    const next = JSON.parse((await world.run(['update', '--all', '--json'])).stdout);
    assert.deepEqual(outcomes(next.models), [
      'model-a up-to-date 1.1.0',
      'model-b up-to-date 1.1.0',
      'model-c updated 1.1.0',
      'model-d updated 1.1.0',
      'model-e updated 1.1.0',
    ]);
  });
}

test('a cancelled update throws `interrupted` with the reports of what was done', async (t) => {
  const world = await createWorld(t);
  await fiveModels(world, 'works');
  const stop = new AbortController();
  const update = world.manager().update({
    signal: stop.signal,
    onEvent: (event) => event.type === 'done' && event.task === 'update' && stop.abort(),
  });
  await assert.rejects(
    update,
    (error) =>
      isAircherError(error, 'interrupted') &&
      outcomes(error.details.models as UpdateReport[]).join() === allButThird[0],
  );
});

test('what check-updates, update --plan and update say of a model is one decision, a withdrawn one without successor too', async (t) => {
  const world = await createWorld(t);
  const shapes = (version: string) =>
    Object.fromEntries(['same', 'pinned', 'newer', 'other'].map((name) => [name, { version, space: name }]));
  await world.release('1.0.0', { ...shapes('1.0.0'), withdrawn: { version: '1.0.0' } });
  const manager = world.manager();
  for (const name of ['withdrawn', 'same', 'pinned', 'newer', 'other']) await manager.install(name);
  await manager.pin('pinned', '1.0.0');
  await manager.pin('same', '1.0.0');
  const { same, other, ...changed } = shapes('1.1.0');
  const yanked = [{ model: 'withdrawn', version: '1.0.0', reason: 'wrong pooling' }];
  await world.release('1.1.0', { ...changed, other: { version: '1.1.0', space: 'another' } }, { yanked });
  const expected = {
    newer: 'update',
    other: 'other-space',
    pinned: 'pinned',
    same: 'up-to-date',
    withdrawn: 'withdrawn',
  };
  const statusOf = ({ models }: { readonly models: readonly UpdateStatus[] }) =>
    Object.fromEntries(models.map(({ name, status }) => [name, status]));
  assert.deepEqual(statusOf(await manager.checkUpdates({ sameSpace: true })), expected);
  const plan = await world.run(['update', '--all', '--same-space', '--plan', '--json']);
  assert.deepEqual(statusOf(JSON.parse(plan.stdout)), expected);
  const said = await world.run(['update', '--all', '--same-space', '--plan']);
  const { exitCode, stderr } = await world.run(['update', '--all', '--same-space']);
  assert.equal(exitCode, 0, stderr);
  for (const told of [said.stderr, stderr]) {
    assert.match(told, /withdrawn 1\.0\.0 was withdrawn, and stays, since no other version is offered: wrong pooling/);
    assert.match(told, /pinned 1\.0\.0 is pinned and stays/);
    assert.match(told, /other 1\.0\.0 stays: the new version makes other vectors/);
  }
  const { models } = await manager.update({ sameSpace: true });
  const done = Object.fromEntries(models.map(({ name, outcome }) => [name, outcome]));
  assert.deepEqual(done, { ...expected, newer: 'up-to-date' });
});

test('install, remove and export: one name that fails doesn’t keep the others from it, and none is forgotten', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const run = async (...args: string[]) => {
    const { exitCode, stdout } = await world.run([...args, '--json']);
    const { error } = JSON.parse(stdout);
    const done = (error.details.models as { name: string }[]).map(({ name }) => name);
    return [exitCode, done, (error.details.failed as { name: string }[]).map(({ name }) => name)];
  };
  const expected = [3, ['alpha', 'beta'], ['omega']];
  assert.deepEqual(await run('install', 'alpha', 'omega', 'beta'), expected);
  assert.deepEqual(await run('export', 'alpha', 'omega', 'beta', '--to', world.path('out')), expected);
  assert.deepEqual(await run('remove', 'alpha', 'omega', 'beta'), expected);
});

test('verify --repair: what can’t be fetched for one model doesn’t keep the others from being repaired', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  for (const name of ['alpha', 'beta']) {
    await world.manager().install(name);
    await rm(join(world.cache, `versions/${name}/1.0.0/config.json`));
  }
  await rm(join(world.mirrorDirectory, 'models-v1.0.0/alpha.tar.gz'));
  const { exitCode, stdout, stderr } = await world.run(['verify', '--repair']);
  assert.equal(exitCode, 5, stderr);
  assert.match(stdout, /beta 1\.0\.0: repaired/);
  const { beta } = manifest.models;
  await checkModels(world.cache, [{ ...manifest, models: { beta: beta! } }]).then(
    () => assert.fail('alpha is still damaged'),
    (error: Error) => assert.match(error.message, /alpha/),
  );
});

test('where one of several names fails, its error is told once, by every command, and so is one that all have', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  for (const args of [
    ['install', 'nonsense', 'alpha', 'beta'],
    ['install', 'alpha@9.0.0', 'nonsense', 'beta'],
    ['export', 'nonsense', 'alpha', '--to', world.path('usb')],
    ['remove', 'nonsense', 'alpha'],
  ]) {
    const { exitCode, stderr } = await world.run(args);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, /^error: [12] of [23] models failed: .*nonsense\.$/m);
    assertToldOnce(stderr);
  }
  const nobody = await world.run(['install', 'one', 'two', '--manifest', `${world.mirror.url}/none.json`], {
    cache: world.path('new'),
  });
  assert.equal(nobody.exitCode, 5);
  assert.match(nobody.stderr, /warning: one: .*\n(.*\n)*warning: two: failed for the same reason\nerror: 2 of 2/);
  assertToldOnce(nobody.stderr);
  const broken = world.path('broken.json');
  await writeFile(broken, JSON.stringify({ manifest_version: '1.0.0', models: { a: {}, b: {} } }));
  const invalid = await world.run(['install', 'one', 'two', '--json', '--manifest', broken], {
    cache: world.path('new'),
  });
  assert.match(invalid.stderr, /\$\.models\.a\.version: is missing[\s\S]*\$\.models\.b\.version/, 'no problem is lost');
  assert.ok(JSON.parse(invalid.stdout).error.details.failed[0].problems.length > 1);
});
