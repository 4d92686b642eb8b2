import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { formatBytes } from '../../src/core/format.ts';
import { sha256 } from '../../src/core/hashing.ts';
import {
  archiveBytes,
  assertFetched,
  assertPart,
  bytesOf,
  fp16,
  onnx,
  onnxData,
  plain,
  readRecord,
  threeWeights,
  wholeFilesOf,
} from './part-scene.ts';
import { createWorld } from './world.ts';

const whole = [...plain, 'model.safetensors', fp16, onnx, onnxData];
const onnxPart = [...plain, onnx, onnxData];

test('install --weights fetches these weights, tokenizer and configs, nothing else; the default later only the rest', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const first = await world.run(['install', 'alpha', '--weights', 'onnx', '--json']);
  assert.equal(first.exitCode, 0, first.stderr);
  await assertPart(world, manifest, { wanted: [onnx], files: onnxPart });
  assertFetched(world, await bytesOf(world, manifest, onnxPart));
  const { weights } = manifest.models.alpha!;
  const directory = join(world.cache, 'versions/alpha/1.0.0');
  const [report] = JSON.parse(first.stdout).models;
  assert.deepEqual([report.outcome, report.weights_path], ['installed', join(directory, onnx)]);
  assert.equal(report.space, weights?.find(({ path }) => path === onnx)?.space);

  const before = await stat(join(directory, onnx));
  world.mirror.log.clear();
  const second = await world.run(['install', 'alpha', '--json']);
  assert.equal(second.exitCode, 0, second.stderr);
  await assertPart(world, manifest, { wanted: [onnx, 'default'], files: [...onnxPart, 'model.safetensors'] });
  assertFetched(world, await bytesOf(world, manifest, ['model.safetensors']));
  assert.ok(!world.mirror.log.entries.some(({ path }) => path.endsWith('.index.json')), 'the index is here');
  const after = await stat(join(directory, onnx));
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs], 'what was there is as it was');

  world.mirror.log.clear();
  const all = await world.run(['install', 'alpha', '--weights', 'all', '--json']);
  assert.equal(all.exitCode, 0, all.stderr);
  await assertPart(world, manifest, { wanted: [onnx, 'default', 'all'], files: whole });
  assertFetched(world, await bytesOf(world, manifest, [fp16]));
  assert.equal(JSON.parse(all.stdout).models[0].space, weights?.find((one) => one.default)?.space);

  world.mirror.log.clear();
  assert.equal((await world.run(['install', 'alpha', '--weights', fp16])).exitCode, 0);
  assert.deepEqual(world.mirror.log.entries, [], 'nobody is asked for what is here');
  assert.equal((await world.run(['verify'])).exitCode, 0);
});

test('without --weights the default comes alone', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { ...threeWeights, defaultWeights: onnx } });
  const model = await world.manager().ensureModel('alpha');
  await assertPart(world, manifest, { wanted: ['default'], files: onnxPart });
  assert.deepEqual([model.weights_path, model.files.length], [join(model.path, onnx), onnxPart.length]);
});

test('a format that several weights have is exit 2, a path that the version lacks exit 3, both with the list', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  const several = await world.run(['install', 'alpha', '--weights', 'safetensors']);
  assert.equal(several.exitCode, 2, several.stderr);
  assert.match(several.stderr, /hint: .*--weights model\.safetensors, --weights fp16\/model\.safetensors/);
  assert.equal((await world.run(['install', 'alpha', '--weights', ''])).exitCode, 2);
  for (const weights of ['onnx/other.onnx', 'gguf']) {
    const missing = await world.run(['install', 'alpha', '--weights', weights]);
    assert.equal(missing.exitCode, 3, missing.stderr);
    assert.match(
      missing.stderr,
      /has no weights [^\n]*\n.*model\.safetensors \(safetensors\).*onnx\/model\.onnx \(onnx\)/,
    );
  }
  assert.ok(!(await readdir(world.cache)).includes('versions'), 'nothing was made');
});

test('path, list and ensureModel tell space and file of the weights that are asked for', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  assert.equal((await world.run(['install', 'alpha', '--weights', 'onnx'])).exitCode, 0);
  const spaceOf = (path: string) => manifest.models.alpha?.weights?.find((one) => one.path === path)?.space;
  const directory = join(world.cache, 'versions/alpha/1.0.0');

  const path = await world.run(['path', 'alpha', '--weights', 'onnx', '--json']);
  const { space, weights_path } = JSON.parse(path.stdout);
  assert.deepEqual([space, weights_path], [spaceOf(onnx), join(directory, onnx)]);
  const none = await world.run(['path', 'alpha']);
  assert.deepEqual([none.exitCode, none.stdout], [3, ''], 'the default isn’t here');
  assert.match(
    none.stderr,
    /model\.safetensors of alpha 1\.0\.0 is not installed.*\n.*install alpha@1\.0\.0\..*--weights onnx\//,
  );

  const { models: listed } = await world.manager().list();
  assert.deepEqual([listed[0]?.wanted, listed[0]?.space], [[onnx], spaceOf(onnx)]);
  assert.deepEqual((await world.manager().list({ weights: 'default' })).models, []);
  const { models: offered } = await world.manager().listRemote({ weights: fp16 });
  assert.equal(offered[0]?.space, spaceOf(fp16));
  assert.deepEqual(
    offered[0]?.weights.map((one) => [one.path, one.format, one.default]),
    [
      ['model.safetensors', 'safetensors', true],
      [fp16, 'safetensors', false],
      [onnx, 'onnx', false],
    ],
  );
  assert.deepEqual((await world.manager().listRemote({ weights: 'gguf' })).models, []);

  const manager = world.manager({ offline: true });
  assert.equal((await manager.ensureModel('alpha', { weights: 'onnx' })).space, spaceOf(onnx));
  await assert.rejects(manager.ensureModel('alpha'), (error) => isAircherError(error, 'remote'));
  assert.equal((await world.manager().ensureModel('alpha')).space, spaceOf('model.safetensors'));
  await assertPart(world, manifest, { wanted: [onnx, 'default'], files: [...onnxPart, 'model.safetensors'] });
});

test('an update brings what is wanted, and says for which weights indices stay valid', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  const manager = world.manager();
  await manager.install('alpha', { weights: 'onnx' });
  await manager.install('alpha');
  const weights = { ...threeWeights.weights, [onnx]: { data: onnxData, seed: 99 } };
  const second = await world.release('1.1.0', { alpha: { version: '1.1.0', weights } });
  const told = [
    { path: onnx, space_change: 'changes' },
    { path: 'model.safetensors', space_change: 'same' },
  ];
  const check = await world.run(['check-updates', '--json']);
  const [status] = JSON.parse(check.stdout).models;
  assert.deepEqual([status.space_change, status.weights], ['changes', told]);
  const here = [...plain, 'model.safetensors', onnx, onnxData];
  const { files = [] } = second.models.alpha!;
  const size = files.filter(({ path }) => here.includes(path)).reduce((sum, file) => sum + file.size_bytes, 0);
  assert.deepEqual([status.size_bytes, status.plan.total_bytes], [size, size]);
  world.mirror.log.clear();
  const update = await world.run(['update', '--all']);
  assert.equal(update.exitCode, 0, update.stderr);
  assert.match(update.stderr, /alpha, onnx\/model\.onnx: vectors of 1\.1\.0 can’t be compared/);
  assert.match(update.stderr, /alpha, model\.safetensors: indices made with 1\.0\.0 stay valid\./);
  await assertPart(world, second, { wanted: [onnx, 'default'], files: here });
  assertFetched(world, status.bytes_to_fetch);
  assertFetched(world, await bytesOf(world, second, [onnxData, 'config.json']));
});

test('the old default’s space is compared with the new default’s, wherever they lie', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha');
  const second = await world.release('1.1.0', {
    alpha: { ...threeWeights, version: '1.1.0', defaultWeights: fp16 },
  });
  const { models } = await world.manager().checkUpdates();
  assert.deepEqual(models[0]?.weights, [{ path: fp16, space_change: 'changes' }]);
  assert.ok((models[0]?.bytes_to_fetch ?? 0) >= 400_000, 'the version that is here has these weights, but not here');
  assert.deepEqual((await world.manager().update({ sameSpace: true })).models[0]?.outcome, 'other-space');
  // Who asks for the file by its path goes on with it.
  const [by] = (await world.manager().checkUpdates({ weights: 'model.safetensors' })).models;
  assert.deepEqual(by?.weights, [{ path: 'model.safetensors', space_change: 'same' }]);
  await world.manager().update({ weights: 'model.safetensors', sameSpace: true });
  await assertPart(world, second, { wanted: ['model.safetensors'], files: [...plain, 'model.safetensors'] });
});

test('weights that take the place of others are compared with those, not with the default before', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha', { weights: 'onnx' });
  await world.release('1.1.0', { alpha: { ...threeWeights, version: '1.1.0' } });
  const told = async (weights?: string): Promise<unknown> =>
    (await world.manager().checkUpdates({ weights })).models[0]?.weights;
  assert.deepEqual(await told(), [{ path: onnx, space_change: 'same' }]);
  world.mirror.log.clear();
  const [planned] = (await world.manager().checkUpdates({ nameChangedTensors: true })).models;
  const { changed_files, changed_tensors } = planned?.plan ?? {};
  assert.deepEqual([changed_files, changed_tensors], [['config.json'], []], 'what is not wanted is not here either');
  assertFetched(world, 0);
  assert.deepEqual(await told('default'), [{ path: 'model.safetensors', space_change: 'changes' }]);
  assert.deepEqual(await told('all'), [{ path: onnx, space_change: 'same' }], 'nobody has an index of what is added');
  const { models } = await world.manager().update({ weights: 'default', sameSpace: true });
  assert.equal(models[0]?.outcome, 'other-space');
  const update = await world.run(['update', 'alpha', '--weights', 'default']);
  assert.match(update.stderr, /vectors of 1\.1\.0 can’t be compared with those of 1\.0\.0/);
  const back = await world.run(['rollback', 'alpha', '--weights', 'onnx']);
  assert.match(back.stderr, /vectors of 1\.0\.0 can’t be compared with those of 1\.1\.0/);
});

test('an index of weights whose path is gone goes on with others of their space, or must be rebuilt', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha', { weights: 'all' });
  const moved = 'moved/model.onnx';
  await world.release('1.1.0', { alpha: { version: '1.1.0', weights: { [moved]: { spaceOf: onnx } } } });
  const { models } = await world.manager().checkUpdates();
  assert.deepEqual(Object.fromEntries((models[0]?.weights ?? []).map((one) => [one.path, one.space_change])), {
    'model.safetensors': 'same',
    [onnx]: 'same',
    [fp16]: 'changes',
  });
});

test('update --weights brings weights of the newest version that aren’t here; such as it lacks are exit 3', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha', { weights: 'onnx' });
  const wrong = await world.run(['update', 'alpha', '--weights', 'gguf']);
  assert.deepEqual([wrong.exitCode, /has no weights gguf/.test(wrong.stderr)], [3, true], wrong.stderr);
  const update = await world.run(['update', 'alpha', '--weights', 'default']);
  assert.equal(update.exitCode, 0, update.stderr);
  assert.match(update.stderr, /indices made with 1\.0\.0 stay valid/);
  await assertPart(world, manifest, { wanted: [onnx, 'default'], files: [...onnxPart, 'model.safetensors'] });
  assert.equal((await world.manager().update({ weights: 'default' })).models[0]?.outcome, 'up-to-date');
});

test('--weights given twice is exit 2: the first is not dropped in silence', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  const twice = await world.run(['install', 'alpha', '--weights', onnx, '--weights', fp16]);
  assert.deepEqual([twice.exitCode, world.mirror.log.entries.length], [2, 0], twice.stderr);
});

test('an update to a version that lacks wanted weights leaves the model as it is, exit 3 with the list; others go on', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: threeWeights, beta: { version: '1.0.0' } });
  assert.equal((await world.run(['install', 'alpha', '--weights', 'onnx'])).exitCode, 0);
  assert.equal((await world.run(['install', 'beta'])).exitCode, 0);
  const second = await world.release('1.1.0', {
    alpha: { version: '1.1.0', weights: { [fp16]: {} } },
    beta: { version: '1.1.0' },
  });
  const update = await world.run(['update', '--all', '--json']);
  assert.equal(update.exitCode, 3, update.stderr);
  assert.match(update.stderr, /alpha 1\.1\.0 has no weights onnx\/.*\n.*model\.safetensors \(safetensors\), fp16\//);
  const { models, failed } = JSON.parse(update.stdout).error.details;
  assert.deepEqual([models[0].name, models[0].outcome, failed[0].code], ['beta', 'updated', 'invalid']);
  await assertPart(world, first, { wanted: [onnx], files: onnxPart });
  const remedy = await world.run(['update', 'alpha', '--weights', 'default']);
  assert.equal(remedy.exitCode, 0, remedy.stderr);
  await assertPart(world, second, { wanted: ['default'], files: [...plain, 'model.safetensors'] });
});

test('rollback and pin fetch what is wanted and missing of the older version', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: threeWeights });
  const manager = world.manager();
  await manager.install('alpha');
  await world.release('1.1.0', { alpha: { ...threeWeights, version: '1.1.0' } });
  await manager.update();
  await manager.install('alpha', { weights: 'onnx' });
  world.mirror.log.clear();
  const back = await world.run(['rollback', 'alpha', '--json']);
  assert.equal(back.exitCode, 0, back.stderr);
  assert.deepEqual(JSON.parse(back.stdout).weights, [
    { path: 'model.safetensors', space_change: 'same' },
    { path: onnx, space_change: 'same' },
  ]);
  await assertPart(world, first, { wanted: ['default', onnx], files: [...onnxPart, 'model.safetensors'] });
  assert.equal(archiveBytes(world), 0, 'the newer version has the same bytes');

  await rm(join(world.cache, 'versions/alpha/1.1.0', onnxData));
  await manager.pin('alpha', '1.1.0');
  assert.equal((await manager.verify()).ok, true);
});

test('verify goes by what is wanted, and --repair brings what is missing of it', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha', { weights: 'onnx' });
  const directory = join(world.cache, 'versions/alpha/1.0.0');
  // As an interrupted addition leaves it, whose first file is there already.
  const record = await readRecord(world);
  const state = join(world.cache, 'state/installed/alpha/1.0.0.json');
  await writeFile(state, JSON.stringify({ ...record, wanted: [onnx, fp16, 'default'] }));
  await mkdir(join(directory, 'fp16'));
  await cp(join(world.path('sources/alpha/1.0.0'), fp16), join(directory, fp16));
  const damaged = await world.run(['verify', '--json']);
  assert.equal(damaged.exitCode, 4, damaged.stderr);
  assert.deepEqual(JSON.parse(damaged.stdout).models[0].bad, [{ path: 'model.safetensors', fault: 'missing' }]);
  assert.doesNotMatch(damaged.stderr, /is no file of this model/);
  world.mirror.log.clear();
  const before = await stat(join(directory, fp16));
  const repaired = await world.run(['verify', '--repair']);
  assert.equal(repaired.exitCode, 0, repaired.stderr);
  assertFetched(world, await bytesOf(world, manifest, ['model.safetensors']));
  assert.equal((await stat(join(directory, fp16))).ino, before.ino);
  await world.run(['install', 'alpha', '--weights', fp16]);
  await assertPart(world, manifest, { wanted: [onnx, fp16, 'default'], files: whole });
});

test('repair writes a new file and renames it: a program that has the wrong one open keeps it', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const { path, weights_path } = await world.manager().ensureModel('alpha', { weights: fp16 });
  await truncate(weights_path!, 1000);
  const before = await stat(weights_path!);
  assert.equal((await world.run(['install', 'alpha', '--weights', fp16])).exitCode, 0);
  assert.notEqual((await stat(weights_path!)).ino, before.ino);
  assert.deepEqual(await wholeFilesOf(path, manifest), [...plain, fp16].sort());
});

test('where models/<name> is a copy, for want of links, it gains the weights too', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const { path } = await world.manager().ensureModel('alpha');
  const current = join(world.cache, 'models/alpha');
  await rm(current);
  await cp(path, current, { recursive: true });
  await writeFile(join(current, '.aircher-copy'), '');
  await world.manager().ensureModel('alpha', { weights: 'onnx' });
  assert.ok(await stat(join(current, onnx)));
  await assertPart(world, manifest, { wanted: ['default', onnx], files: [...onnxPart, 'model.safetensors'] });
});

test('weights that somebody put there are taken where their bytes are right, else replaced', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const { path } = await world.manager().ensureModel('alpha', { weights: 'onnx' });
  await mkdir(join(path, 'fp16'));
  const right = await readFile(join(world.path('sources/alpha/1.0.0'), fp16));
  await writeFile(join(path, fp16), Buffer.from(right).fill(1, 5000, 5001));
  const told = await world.run(['verify']);
  assert.match(told.stderr, /fp16\/model\.safetensors: is no file of this model/);
  assert.equal((await world.run(['install', 'alpha', '--weights', fp16])).exitCode, 0);
  assert.equal(sha256(await readFile(join(path, fp16))), sha256(right));
  await assertPart(world, manifest, { wanted: [onnx, fp16], files: [...onnxPart, fp16] });
});

test('export goes by what is wanted: files of a part, by chunks; they install without a network', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const usb = world.path('usb');
  const exported = await world.run(['export', 'alpha', '--weights', 'onnx', '--to', usb, '--json']);
  assert.equal(exported.exitCode, 0, exported.stderr);
  assert.equal(JSON.parse(exported.stdout).models[0].form, 'files');
  assertFetched(world, await bytesOf(world, manifest, onnxPart));
  assert.deepEqual(await wholeFilesOf(join(usb, 'alpha'), manifest), [...onnxPart].sort());
  const offline = ['--offline', '--manifest', join(usb, 'manifest.json')];
  const installed = await world.run(['install', '--from', usb, ...offline]);
  assert.equal(installed.exitCode, 0, installed.stderr);
  await assertPart(world, manifest, { wanted: [onnx], files: onnxPart });

  const again = await world.run(['export', 'alpha', '--to', world.path('usb2'), '--offline', '--json']);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.deepEqual(await wholeFilesOf(world.path('usb2/alpha'), manifest), [...onnxPart].sort());
  const missing = await world.run(['export', 'alpha', '--to', world.path('usb3'), '--offline', '--weights', fp16]);
  assert.equal(missing.exitCode, 3, missing.stderr);

  const archive = await world.run(['export', 'alpha', '--weights', 'all', '--to', world.path('usb4'), '--json']);
  assert.equal(JSON.parse(archive.stdout).models[0].form, 'archive');
  const fromArchive = await world.run(['install', '--from', world.path('usb4'), '--weights', fp16, ...offline]);
  assert.equal(fromArchive.exitCode, 0, fromArchive.stderr);
  await assertPart(world, manifest, { wanted: [onnx, fp16], files: [...onnxPart, fp16] });
});

test('of an archive without an index only what is wanted is kept', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { ...threeWeights, entry: { index: undefined } } });
  await world.manager().install('alpha', { weights: 'onnx' });
  await assertPart(world, manifest, { wanted: [onnx], files: onnxPart });
  await world.manager().install('alpha');
  await assertPart(world, manifest, { wanted: [onnx, 'default'], files: [...onnxPart, 'model.safetensors'] });
});

test('what an interrupted install of other weights left doesn’t get into the version', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { ...threeWeights, layers: 10 } });
  const abort = new AbortController();
  const onEvent = (event: { readonly type: string; readonly done?: unknown }): void => {
    if (event.type === 'progress' && Number(event.done) > 500_000) abort.abort();
  };
  const manager = world.manager({ limitRate: '2MB' });
  await assert.rejects(manager.install('alpha', { weights: 'all', signal: abort.signal, onEvent }));
  const [left = ''] = await readdir(join(world.cache, 'downloads/alpha'));
  const partial = join(world.cache, 'downloads/alpha', left, 'files/model.safetensors');
  assert.ok(await stat(partial).catch(() => undefined), 'a piece of the others is there');
  await world.manager().install('alpha', { weights: 'onnx' });
  await assertPart(world, manifest, { wanted: [onnx], files: onnxPart });
});

test('a directory at models/<name> that holds a part is adopted where that part is wanted', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const place = join(world.cache, 'models/alpha');
  for (const path of [...onnxPart, fp16]) {
    await cp(join(world.path('sources/alpha/1.0.0'), path), join(place, path), { recursive: true });
  }
  const report = await world.manager().install('alpha', { weights: 'onnx' });
  assert.equal(report.outcome, 'adopted');
  assert.equal(archiveBytes(world), 0);
  await assertPart(world, manifest, { wanted: [onnx], files: [...onnxPart, fp16] });
  await rm(join(world.cache, 'state'), { recursive: true });
  assert.equal((await world.manager().install('alpha', { weights: fp16 })).outcome, 'adopted');
  await assertPart(world, manifest, { wanted: [fp16], files: [...onnxPart, fp16] });
});

test('the Hugging Face cache gives the weights that are wanted', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const blobs = world.path('hub/models--acme--alpha/blobs');
  await mkdir(blobs, { recursive: true });
  for (const path of [onnx, onnxData]) {
    const bytes = await readFile(join(world.path('sources/alpha/1.0.0'), path));
    await writeFile(join(blobs, sha256(bytes)), bytes);
  }
  const env = { HF_HUB_CACHE: world.path('hub') };
  assert.equal((await world.run(['install', 'alpha', '--weights', 'onnx'], { env })).exitCode, 0);
  assertFetched(world, await bytesOf(world, manifest, plain));
  await assertPart(world, manifest, { wanted: [onnx], files: onnxPart });
});

test('lists tell what each of the weights takes on disk, not the size of the archive that has them all', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const { files = [], size_bytes: archive } = manifest.models.alpha!;
  const sizeOf = (paths: readonly string[]): number =>
    files.filter(({ path }) => paths.includes(path)).reduce((sum, file) => sum + file.size_bytes, 0);
  const sizes = {
    'model.safetensors': sizeOf([...plain, 'model.safetensors']),
    [fp16]: sizeOf([...plain, fp16]),
    [onnx]: sizeOf(onnxPart),
  };
  const offer = async (weights?: string) => (await world.manager().listRemote({ weights })).models[0]!;
  const offered = await offer();
  assert.equal(offered.size_bytes, sizes['model.safetensors']);
  assert.deepEqual(Object.fromEntries(offered.weights.map(({ path, size_bytes }) => [path, size_bytes])), sizes);
  assert.deepEqual([(await offer('onnx')).size_bytes, (await offer('all')).size_bytes], [sizes[onnx], sizeOf(whole)]);
  assert.ok(sizes[onnx] < archive);

  const { stdout } = await world.run(['list', '--remote']);
  const [heading, ...rows] = stdout.split('\n');
  assert.match(heading!, /WEIGHTS +ON DISK/);
  assert.deepEqual(
    rows.map((row) => row.split(/ {2,}/).slice(0, 5).join(' ')),
    [
      `alpha 1.0.0 - model.safetensors (default) ${formatBytes(sizes['model.safetensors'])}`,
      `alpha 1.0.0 - ${fp16} ${formatBytes(sizes[fp16]!)}`,
      `alpha 1.0.0 - ${onnx} ${formatBytes(sizes[onnx]!)}`,
    ],
  );
  const one = await world.run(['list', '--remote', '--weights', 'onnx']);
  assert.deepEqual(one.stdout.split('\n').slice(1).length, 1);
  for (const [asked, size] of [
    ['all', sizeOf(whole)],
    ['default', sizes['model.safetensors']],
  ] as const) {
    const [, row, ...more] = (await world.run(['list', '--remote', '--weights', asked])).stdout.split('\n');
    assert.ok(row?.includes(`  ${formatBytes(size)}  `), row);
    assert.deepEqual(more, []);
  }

  await world.manager().install('alpha', { weights: 'all' });
  await world.release('1.1.0', { alpha: { ...threeWeights, version: '1.1.0' } });
  const [update] = (await world.manager().checkUpdates()).models;
  assert.equal(update?.size_bytes, sizeOf(whole), 'the same measure, also where all is wanted');
});

test('list --weights with a name that no model knows is exit 2, with the list; a format that none has is no mistake', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha', { weights: 'onnx' });
  for (const where of [[], ['--remote']]) {
    const unknown = await world.run(['list', ...where, '--weights', 'nonsense']);
    assert.deepEqual([unknown.exitCode, unknown.stdout], [2, ''], unknown.stderr);
    assert.match(
      unknown.stderr,
      /has weights "nonsense".*\n.*There are: default, all, .*fp16\/model\.safetensors.*onnx\/model\.onnx/,
    );
    const none = await world.run(['list', ...where, '--weights', 'gguf']);
    assert.deepEqual([none.exitCode, none.stdout], [0, '']);
    assert.match(none.stderr, /no model with the weights gguf/i);
    assert.doesNotMatch(none.stderr, /No model is installed/);
  }
  const notHere = await world.run(['list', '--weights', 'default']);
  assert.deepEqual([notHere.exitCode, notHere.stdout], [0, '']);
  assert.match(notHere.stderr, /No model with the weights default is installed/);
});

test('what check-updates and --plan advise brings the update, when it is copied', async (t) => {
  const world = await createWorld(t);
  const spaced = 'onnx/two words.onnx';
  const shape = { weights: { ...threeWeights.weights, [spaced]: {} } };
  await world.release('1.0.0', { alpha: { ...shape, version: '1.0.0' }, beta: { version: '1.0.0' } });
  await world.manager().install('alpha', { weights: onnx });
  await world.manager().install('beta');
  await world.release('1.1.0', { alpha: { ...shape, version: '1.1.0' }, beta: { version: '1.1.0' } });
  const again = ['--manifest', world.manifestUrl];
  for (const [args, advice] of [
    [['check-updates'], 'update --all'],
    [['check-updates', 'alpha', '--quiet', '--exit-code'], undefined],
    [['update', '--all', '--plan'], 'update --all'],
    [['update', 'alpha', '--plan', '--same-space', ...again], `update alpha --same-space ${again.join(' ')}`],
    [
      ['check-updates', 'alpha', '--verbose', '--progress', 'text', '--weights', spaced],
      `update alpha --weights '${spaced}'`,
    ],
  ] as const) {
    const { stderr } = await world.run(args);
    assert.equal(/To install: (.*)$/m.exec(stderr)?.[1], advice, stderr);
  }
  const update = await world.run(['update', 'alpha', '--weights', spaced]);
  assert.equal(update.exitCode, 0, update.stderr);
  const { models } = await world.manager().checkUpdates();
  assert.deepEqual(
    models.map(({ name, status }) => `${name} ${status}`),
    ['alpha up-to-date', 'beta update'],
  );
  assert.deepEqual((await readRecord(world, '1.1.0')).wanted, [spaced]);
});

test('check-updates names the weights whose indices must be rebuilt, and what changed in weights that are no default', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha');
  await world.manager().install('alpha', { weights: onnx });
  const weights = { ...threeWeights.weights, [onnx]: { data: onnxData, seed: 99 } };
  await world.release('1.1.0', { alpha: { version: '1.1.0', weights } });
  for (const args of [['check-updates'], ['update', '--all', '--plan']]) {
    const { stdout } = await world.run(args);
    assert.match(stdout, /onnx\/model\.onnx +must be rebuilt for onnx\/model\.onnx$/m, stdout);
  }
  const [status] = (await world.manager().checkUpdates()).models;
  assert.deepEqual(status?.differences, [onnx]);
});
