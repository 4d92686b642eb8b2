import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Manifest } from '../../src/contract/manifest.ts';
import {
  archiveBytes,
  assertFetched,
  assertPart,
  bytesOf,
  fp16,
  onnx,
  onnxData,
  plain,
  threeWeights,
  wholeFilesOf,
} from './part-scene.ts';
import { clientProgram, createWorld, type World } from './world.ts';

const root = process.getuid?.() === 0;
const withDefault = [...plain, 'model.safetensors'];
const added = [...withDefault, onnx, onnxData];

test('kill -9 in the place of each rename of weights that are added: every file is whole, what is loaded comes last, nothing is fetched twice', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  await world.manager().install('alpha');
  const base = world.path('base');
  await cp(world.cache, base, { recursive: true, verbatimSymlinks: true });
  const bytes = await bytesOf(world, manifest, [onnx, onnxData]);
  const seen = new Set<string>();
  for (let at = 1; ; at++) {
    await rm(world.cache, { recursive: true });
    await cp(base, world.cache, { recursive: true, verbatimSymlinks: true });
    world.mirror.log.clear();
    const signal = await killedAtRename(world, at, ['install', 'alpha', '--weights', 'onnx']);
    const files = await wholeFilesOf(join(world.cache, 'versions/alpha/1.0.0'), manifest);
    assert.ok(!files.includes(onnx) || files.includes(onnxData), `${at}: what is loaded is there before what it needs`);
    seen.add(files.filter((path) => path.startsWith('onnx/')).join());
    const path = await world.run(['path', 'alpha']);
    assert.equal(path.exitCode, 0, `${at}: ${path.stderr}`);
    if (signal === null) break;
    const verified = await world.run(['verify', 'alpha']);
    assert.deepEqual([verified.exitCode, /is no file/.test(verified.stderr)], [0, false], verified.stderr);
    const again = await world.run(['install', 'alpha', '--weights', 'onnx']);
    assert.equal(again.exitCode, 0, `${at}: ${again.stderr}`);
    await assertPart(world, manifest, { wanted: ['default', onnx], files: added });
    assertFetched(world, bytes);
    assert.deepEqual(await readdir(join(world.cache, 'downloads/alpha')), [], `${at}: nothing is left`);
  }
  assert.deepEqual([...seen].sort(), ['', onnxData, [onnx, onnxData].sort().join()].sort(), 'it was killed in between');
});

test('kill -9 in the place of each rename of a version that is installed in part: nothing is visible until all is whole', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights });
  const part = [...plain, onnx, onnxData];
  const bytes = await bytesOf(world, manifest, part);
  let killed = 0;
  for (; ; killed++) {
    await rm(world.cache, { recursive: true, force: true });
    world.mirror.log.clear();
    const signal = await killedAtRename(world, killed + 1, ['install', 'alpha', '--weights', 'onnx']);
    const visible = join(world.cache, 'models/alpha');
    if (await stat(visible).catch(() => undefined))
      assert.deepEqual(await wholeFilesOf(visible, manifest), part.sort());
    if (signal === null) break;
    const again = await world.run(['install', 'alpha', '--weights', 'onnx']);
    assert.equal(again.exitCode, 0, `${killed}: ${again.stderr}`);
    await assertPart(world, manifest, { wanted: [onnx], files: part });
    assertFetched(world, bytes);
  }
  assert.ok(killed > 3);
});

test('8 processes at once that want 8 different weights: each has its own, whole, and nothing is fetched twice', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: eightWeights });
  await eightAtOnce(world, manifest);
  await assertPart(world, manifest, { wanted: eight, files: [...plain, ...eight] });
  assert.ok(archiveBytes(world) <= 1.02 * (await bytesOf(world, manifest, [...plain, ...eight])) + 8 * 1500);
  assert.deepEqual(await readdir(join(world.cache, 'locks')), []);
  assert.deepEqual(await readdir(join(world.cache, 'downloads/alpha')), []);
});

test('without locks, too, each of 8 processes gets the weights that it wants', { skip: !root }, async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: eightWeights });
  // A file in the place of the directory: no lock can be made, by root neither.
  await mkdir(world.cache);
  await writeFile(join(world.cache, 'locks'), '');
  await eightAtOnce(world, manifest);
  assert.deepEqual(
    await wholeFilesOf(join(world.cache, 'versions/alpha/1.0.0'), manifest),
    [...plain, ...eight].sort(),
  );
  // Of two who write the record at the same moment one may be forgotten: its files are found when
  // they are asked for again.
  world.mirror.log.clear();
  for (const weights of eight) {
    const { exitCode, stderr } = await world.run(['install', 'alpha', '--weights', weights]);
    assert.equal(exitCode, 0, stderr);
  }
  await assertPart(world, manifest, { wanted: eight, files: [...plain, ...eight] });
  assert.equal(archiveBytes(world), 0);
});

test('a cache on a read-only file system serves what it has all of; what it lacks is exit 7', {
  skip: !root,
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: threeWeights });
  assert.equal((await world.run(['install', 'alpha', '--weights', 'onnx'])).exitCode, 0);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  await readOnly(t, world.cache, async () => {
    // The default by its path wasn't asked for yet: that can't be noted, and needn't be.
    for (const weights of ['onnx', 'default', 'model.safetensors', onnx]) {
      for (const command of ['install', 'path']) {
        const { exitCode, stderr } = await world.run([command, 'alpha', '--weights', weights]);
        assert.equal(exitCode, 0, `${command} ${weights}: ${stderr}`);
      }
    }
    const { weights_path } = await world.manager({ offline: true }).ensureModel('alpha', { weights: onnx });
    assert.ok(await stat(weights_path!));
    for (const weights of [fp16, 'all']) {
      const { exitCode, stderr } = await world.run(['install', 'alpha', '--weights', weights]);
      assert.equal(exitCode, 7, `${weights}: ${stderr}`);
      assert.match(stderr, /read-only/);
    }
  });
});

const eight = Array.from({ length: 8 }, (_, number) => `w${number}/model.safetensors`);
const eightWeights = {
  version: '1.0.0',
  weights: Object.fromEntries(eight.map((path, seed) => [path, { bytes: 200_000, seed }])),
};

async function eightAtOnce(world: World, manifest: Manifest): Promise<void> {
  const runs = eight.map((weights) => world.run(['install', 'alpha', '--weights', weights, '--json']));
  for (const [number, { exitCode, stdout, stderr }] of (await Promise.all(runs)).entries()) {
    assert.equal(exitCode, 0, stderr);
    const [report] = JSON.parse(stdout).models;
    assert.equal(report.weights_path, join(world.cache, 'versions/alpha/1.0.0', eight[number]!));
    assert.equal(report.space, manifest.models.alpha?.weights?.find(({ path }) => path === eight[number])?.space);
  }
}

/** Runs the client; how it ended: null where it had fewer renames. */
async function killedAtRename(world: World, at: number, args: readonly string[]): Promise<NodeJS.Signals | null> {
  const hook = fileURLToPath(new URL('./kill-at-rename.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', hook, clientProgram, 'model', ...args], {
    env: {
      PATH: process.env.PATH,
      AIRCHER_CACHE_DIR: world.cache,
      AIRCHER_MANIFEST_URL: world.manifestUrl,
      KILL_AT_RENAME: String(at),
    },
    stdio: 'ignore',
  });
  return new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
}

async function readOnly(t: TestContext, cache: string, work: () => Promise<void>): Promise<void> {
  const mounted = await execa('mount', ['--bind', cache, cache], { reject: false });
  if (mounted.failed) return t.skip('nothing can be mounted here');
  try {
    await execa('mount', ['-o', 'remount,ro,bind', cache]);
    await work();
  } finally {
    await execa('umount', ['-l', cache], { reject: false });
  }
}
