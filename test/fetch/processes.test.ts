import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { cacheLayout } from '../../src/fetch/cache/layout.ts';
import { tryModelLock, waitForModelLock } from '../../src/fetch/cache/model-lock.ts';
import { ownIdentity } from '../../src/fetch/cache/process-identity.ts';
import { checkModels, clientProgram, createWorld, type World } from './world.ts';

const root = process.getuid?.() === 0;
const nobody = 65534;

test('8 processes at once: one download, all succeed, none sees part of a model', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 6, layerBytes: 500_000 } });
  const runs = Array.from({ length: 8 }, () => world.run(['install', 'alpha', '--json', '--limit-rate', '3MB']));
  let bytes = 0;
  for (const run of await Promise.all(runs)) {
    assert.equal(run.exitCode, 0, run.stderr);
    bytes += JSON.parse(run.stdout).models[0].bytes_fetched;
  }
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  const { size_bytes: size } = manifest.models.alpha!;
  assert.ok(bytes < 1.1 * size, `${bytes} of ${size}`);
  assert.deepEqual(await readdir(join(world.cache, 'locks')), []);
});

test('without locks (an unwritable directory) processes still install right, each by itself', {
  skip: !root,
}, async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  // A file in the place of the directory: no lock can be made, by root neither.
  await mkdir(world.cache);
  await writeFile(join(world.cache, 'locks'), '');
  const runs = Array.from({ length: 4 }, () => world.run(['install', 'alpha']));
  for (const run of await Promise.all(runs)) assert.equal(run.exitCode, 0, run.stderr);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
});

test('a lock whose owner was killed is taken over at once', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 6, layerBytes: 500_000 } });
  const child = spawn(process.execPath, [clientProgram, 'model', 'install', 'alpha', '--limit-rate', '500k'], {
    env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdio: 'ignore',
  });
  const lock = join(world.cache, 'locks/alpha.lock');
  while (!(await stat(lock).catch(() => undefined))) await delay(20);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('exit', resolve));
  await stat(lock);
  const startedAt = performance.now();
  const next = await world.run(['install', 'alpha']);
  assert.equal(next.exitCode, 0, next.stderr);
  assert.ok(performance.now() - startedAt < 10_000);
});

test('a lock of a process number that another process has now is dead; one of another host is judged by its heartbeat', async (t) => {
  const world = await createWorld(t);
  const layout = cacheLayout(world.cache);
  await mkdir(layout.locks, { recursive: true });
  const self = await ownIdentity();
  await writeFile(layout.lock('alpha'), JSON.stringify({ ...self, started: '1', token: 'reused number' }));
  const lock = await tryModelLock(layout, 'alpha');
  assert.equal(lock?.held, true);
  await lock.release();
  await writeFile(layout.lock('beta'), JSON.stringify({ ...self, host: 'elsewhere', token: 'other host' }));
  assert.equal(await tryModelLock(layout, 'beta'), undefined);
  const timing = { heartbeatMs: 50, staleMs: 300, pollMs: 20 };
  const beating = setInterval(() => utimes(layout.lock('beta'), new Date(), new Date()).catch(() => {}), 50);
  t.after(() => clearInterval(beating));
  const waiting = waitForModelLock(layout, 'beta', async () => false, { timing });
  assert.equal(await Promise.race([waiting, delay(700).then(() => 'still waiting')]), 'still waiting');
  clearInterval(beating);
  assert.equal((await waiting)?.held, true);
});

test('waiting ends when the other process has done what is wanted, and on abort', async (t) => {
  const world = await createWorld(t);
  const layout = cacheLayout(world.cache);
  const held = await tryModelLock(layout, 'alpha');
  let done = false;
  const waiting = waitForModelLock(layout, 'alpha', async () => done, {});
  await delay(50);
  done = true;
  assert.equal(await waiting, undefined);
  const controller = new AbortController();
  const aborted = waitForModelLock(layout, 'alpha', async () => false, { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  await held?.release();
});

test('a complete cache that belongs to somebody else works; a missing model there is exit 7 with the remedy', {
  skip: root ? false : 'needs root to become another user',
}, async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const shared = await world.run(['install', 'alpha']);
  assert.equal(shared.exitCode, 0, shared.stderr);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  await chmod(world.root, 0o755);
  const asNobody = (...args: string[]) => world.run(args, { uid: nobody });
  for (const args of [
    ['path', 'alpha'],
    ['install', 'alpha'],
    ['verify'],
    ['list'],
    ['check-updates'],
    ['check-license'],
    ['bill'],
  ]) {
    const result = await asNobody(...args);
    assert.equal(result.exitCode, 0, `${args}: ${result.stderr}`);
  }
  for (const args of [
    ['install', 'beta'],
    ['update', '--all'],
    ['pin', 'alpha@1.0.0'],
  ]) {
    const result = await asNobody(...args);
    assert.equal(result.exitCode, 7, `${args}: ${result.stderr}`);
    assert.match(result.stderr, /hint: /);
  }
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
});

test('another user’s lock file that nobody minds any more does not stop the work', {
  skip: root ? false : 'needs root to become another user',
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await chmod(world.root, 0o755);
  await mkdir(join(world.cache, 'locks'), { recursive: true });
  await execa('chown', ['-R', `${nobody}`, world.cache]);
  await execa('chown', ['0', join(world.cache, 'locks')]);
  await chmod(join(world.cache, 'locks'), 0o755);
  await writeFile(join(world.cache, 'locks/alpha.lock'), JSON.stringify({ pid: 999_999_999, host: 'x', token: 'y' }), {
    mode: 0o600,
  });
  await rm(join(world.cache, 'locks/alpha.lock'));
  const result = await world.run(['install', 'alpha'], { uid: nobody });
  assert.equal(result.exitCode, 0, result.stderr);
});

test('a full disk is exit 7 that says so, and the version before stays whole', { skip: !root }, async (t) => {
  const world = await createWorld(t);
  const small = world.path('small');
  await mkdir(small);
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=26m', 'tmpfs', small], { reject: false });
  if (mounted.failed) return t.skip('no tmpfs can be mounted here');
  try {
    await fillDisk(world, join(small, 'cache'));
  } finally {
    await execa('umount', ['-l', small], { reject: false });
  }
});

test('a read-only file system works for what is there; what is missing is exit 7 that says why', {
  skip: !root,
}, async (t) => {
  const world = await createWorld(t);
  const { cache } = world;
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  await world.run(['install', 'alpha']);
  const mounted = await execa('mount', ['--bind', cache, cache], { reject: false });
  if (mounted.failed) return t.skip('nothing can be mounted here');
  try {
    await execa('mount', ['-o', 'remount,ro,bind', cache]);
    for (const args of [['path', 'alpha'], ['install', 'alpha'], ['verify']]) {
      const { exitCode, stderr } = await world.run(args);
      assert.equal(exitCode, 0, `${args}: ${stderr}`);
    }
    for (const args of [
      ['install', 'beta'],
      ['pin', 'alpha@1.0.0'],
      ['remove', 'alpha'],
    ]) {
      const { exitCode, stderr } = await world.run(args);
      assert.equal(exitCode, 7, `${args}: ${stderr}`);
      assert.match(stderr, /read-only/);
    }
  } finally {
    await execa('umount', ['-l', cache], { reject: false });
  }
});

async function fillDisk(world: World, cache: string): Promise<void> {
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 2, layerBytes: 1_000_000 } });
  const installed = await world.run(['install', 'alpha'], { cache });
  assert.equal(installed.exitCode, 0, installed.stderr);
  await world.release('1.1.0', { alpha: { version: '1.1.0', layers: 30, layerBytes: 1_000_000, retrained: [0, 1] } });
  const full = await world.run(['update', '--all'], { cache });
  assert.equal(full.exitCode, 7, full.stderr);
  assert.match(full.stderr, /needed|space/);
  assert.deepEqual(await checkModels(cache, [first]), { alpha: '1.0.0' });
  // Not a byte left: what only reads goes on working, healing included.
  await writeFile(join(cache, 'ballast'), Buffer.alloc(26_000_000)).catch(() => {});
  for (const args of [['verify'], ['list'], ['path', 'alpha'], ['check-updates']]) {
    const result = await world.run(args, { cache });
    assert.equal(result.exitCode, 0, `${args}: ${result.stderr}`);
  }
  const none = await world.run(['update', '--all'], { cache });
  assert.equal(none.exitCode, 7, none.stderr);
  assert.deepEqual(await checkModels(cache, [first]), { alpha: '1.0.0' });
}

test('without a home directory the error names AIRCHER_CACHE_DIR', async () => {
  const result = await execa(process.execPath, [clientProgram, 'model', 'list'], {
    extendEnv: false,
    env: { HOME: '/nonexistent' },
    reject: false,
  });
  assert.equal(result.exitCode, 2);
  assert.match(result.stderr, /AIRCHER_CACHE_DIR/);
  assert.ok(!result.stderr.includes('    at '), 'no stack trace');
});

test('SIGINT ends with 130 and keeps what was downloaded', {
  skip: process.platform === 'win32' && 'a signal from another process ends a process there without asking it',
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 8, layerBytes: 500_000 } });
  const child = spawn(process.execPath, [clientProgram, 'model', 'install', 'alpha', '--limit-rate', '1MB'], {
    env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  while (archiveBytes(world) === 0) await delay(20);
  await delay(300);
  child.kill('SIGINT');
  const code = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(code, 130, said);
  assert.match(said, /Interrupted/);
  assert.equal((await readdir(join(world.cache, 'downloads/alpha'))).length, 1);
  assert.deepEqual(await readdir(join(world.cache, 'locks')), []);
});

function archiveBytes(world: World): number {
  return world.mirror.log.entries
    .filter((entry) => entry.path.endsWith('.tar.gz'))
    .reduce((sum, entry) => sum + entry.bytesOut, 0);
}
