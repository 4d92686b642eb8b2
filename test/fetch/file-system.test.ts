import assert from 'node:assert/strict';
import type { PathLike } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa, execaSync } from 'execa';
import { AircherError } from '../../src/core/errors.ts';
import { exists } from '../../src/core/read-files.ts';
import { makeDirectory, moveTree } from '../../src/core/write-files.ts';
import { checkModels, createWorld, type World } from './world.ts';

const skip = process.platform === 'win32' && 'Windows has no such files';

/** A mirror with one release of one model. */
async function worldWithAlpha(
  t: TestContext,
): Promise<World & { readonly manifest: Awaited<ReturnType<World['release']>> }> {
  const world = await createWorld(t);
  return { ...world, manifest: await world.release('1.0.0', { alpha: { version: '1.0.0' } }) };
}

const source = (world: World, ...path: readonly string[]): string => world.path('sources/alpha/1.0.0', ...path);

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof AircherError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

test('adopting a directory moves nothing through its links: what they lead to stays', { skip }, async (t) => {
  const world = await worldWithAlpha(t);
  const mine = join(world.cache, 'models/alpha');
  await mkdir(mine, { recursive: true });
  for (const name of ['config.json', 'LICENSE']) await rename(source(world, name), join(mine, name));
  for (const name of ['1_Pooling', 'model.safetensors']) await symlink(source(world, name), join(mine, name));
  const report = await world.manager().install('alpha');
  assert.equal(report.outcome, 'adopted');
  await checkModels(world.cache, [world.manifest]);
  assert.ok(await exists(source(world, '1_Pooling/config.json')), 'a file of a foreign directory');
  assert.ok(await exists(source(world, 'model.safetensors')), 'a foreign file');
  const installed = await readdir(join(world.cache, 'versions/alpha/1.0.0'), { recursive: true, withFileTypes: true });
  assert.deepEqual(
    installed.filter((entry) => entry.isSymbolicLink()),
    [],
  );
});

test('a link among the interrupted downloads is not taken over', { skip }, async (t) => {
  const world = await worldWithAlpha(t);
  const foreign = world.path('foreign');
  const downloads = join(world.cache, 'downloads/alpha');
  await mkdir(join(foreign, 'files'), { recursive: true });
  await writeFile(join(foreign, 'files/mine'), 'mine');
  await mkdir(downloads, { recursive: true });
  await symlink(foreign, join(downloads, `1.0.0-${world.manifest.models.alpha!.sha256.slice(0, 16)}.1-0`));
  await world.manager().install('alpha');
  await checkModels(world.cache, [world.manifest]);
  assert.deepEqual(await readdir(join(foreign, 'files')), ['mine']);
});

test('what can’t be renamed is copied with its links as links, and is whole or not there', { skip }, async (t) => {
  const world = await createWorld(t);
  const [from, to] = [world.path('from'), world.path('to/place')];
  await mkdir(join(from, 'in'), { recursive: true });
  await mkdir(dirname(to));
  await writeFile(join(from, 'in/file'), 'content', { mode: 0o640 });
  await symlink('../elsewhere', join(from, 'link'));
  execaSync('mkfifo', [join(from, 'pipe')]);
  const onAnotherDisk =
    (last: typeof rename) =>
    async (old: PathLike, place: PathLike): Promise<void> => {
      if (old === from) throw Object.assign(new Error('EXDEV: injected'), { code: 'EXDEV' });
      await last(old, place);
    };
  const full = onAnotherDisk(async () => {
    throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
  });
  await assert.rejects(moveTree(from, to, { rename: full }), { code: 'ENOSPC' });
  assert.deepEqual(await readdir(dirname(to)), []);
  assert.equal(await readFile(join(from, 'in/file'), 'utf8'), 'content');
  await moveTree(from, to, { rename: onAnotherDisk(rename) });
  assert.equal(await readFile(join(to, 'in/file'), 'utf8'), 'content');
  assert.equal(await readlink(join(to, 'link')), '../elsewhere');
  assert.deepEqual(await readdir(dirname(to)), ['place']);
  assert.ok(!(await exists(from)));
});

test('a pipe, a link or a directory in a lock’s place holds nobody up', { skip }, async (t) => {
  const world = await worldWithAlpha(t);
  const lock = join(world.cache, 'locks/alpha.lock');
  await mkdir(dirname(lock), { recursive: true });
  const stand: Record<string, () => unknown> = {
    pipe: () => execaSync('mkfifo', [lock]),
    link: () => symlink(world.path('nowhere'), lock),
    directory: () => mkdir(join(lock, 'in'), { recursive: true }),
  };
  for (const [what, make] of Object.entries(stand)) {
    await make();
    const waits: unknown[] = [];
    const report = await world
      .manager()
      .install('alpha', { onEvent: (event) => event.type === 'waiting' && waits.push(event) });
    assert.ok(['installed', 'present'].includes(report.outcome), what);
    await world.manager().remove('alpha', { onEvent: (event) => event.type === 'waiting' && waits.push(event) });
    assert.deepEqual(waits, [], what);
    assert.ok(!(await exists(lock)), what);
  }
});

test('pipes in the place of the client’s own files hold nobody up, and are replaced', { skip }, async (t) => {
  const world = await worldWithAlpha(t);
  await world.manager().install('alpha');
  for (const name of ['models/checksums.json', 'versions/alpha/1.0.0/.version', 'state/current/alpha']) {
    const path = join(world.cache, name);
    await rm(path);
    execaSync('mkfifo', [path]);
  }
  const { exitCode, stderr } = await world.run(['list']);
  assert.equal(exitCode, 0, stderr);
  const updated = await world.run(['update', 'alpha']);
  assert.equal(updated.exitCode, 0, updated.stderr);
  await checkModels(world.cache, [world.manifest]);
});

test('what can’t be the archive by its kind or size is refused without being read', { skip }, async (t) => {
  const world = await worldWithAlpha(t);
  const archive = world.path('carried/alpha.tar.gz');
  await mkdir(dirname(archive));
  const stand: readonly (readonly [string, RegExp, () => unknown])[] = [
    [
      'integrity',
      /has 300000000000 bytes instead of/,
      async () => {
        await writeFile(archive, '');
        await truncate(archive, 300e9);
      },
    ],
    // The kernel shows it as an ordinary file of no size; reading it waits for the next message of
    // the kernel.
    ['integrity', /has 0 bytes instead of/, () => symlink('/proc/kmsg', archive)],
    ['invalid', /neither a folder nor a file|nor a folder/, () => execaSync('mkfifo', [archive])],
  ];
  for (const [code, message, make] of stand) {
    await execa('rm', ['-f', archive]);
    await make();
    await writeFile(world.path('carried/manifest.json'), await readFile(join(world.mirrorDirectory, 'manifest.json')));
    for (const from of [archive, dirname(archive)]) {
      const read: unknown[] = [];
      const onEvent = (event: { readonly type: string }): unknown => event.type === 'progress' && read.push(event);
      await assert.rejects(world.manager().installFrom('alpha', from, { onEvent }), failure(code, message));
      assert.deepEqual(read, []);
    }
  }
});

test('a manifest or a file of a model that is a pipe is refused, not waited for', {
  skip,
}, async (t) => {
  const world = await worldWithAlpha(t);
  const pipe = world.path('pipe.json');
  execaSync('mkfifo', [pipe]);
  const { exitCode, stderr } = await world.run(['install', 'alpha', '--manifest', pipe]);
  assert.notEqual(exitCode, 1, stderr);
  assert.notEqual(exitCode, 0);
  const folder = world.path('alpha');
  await execa('cp', ['-r', source(world), folder]);
  await execa('rm', [join(folder, 'config.json')]);
  execaSync('mkfifo', [join(folder, 'config.json')]);
  await writeFile(join(folder, 'manifest.json'), await readFile(join(world.mirrorDirectory, 'manifest.json')));
  await assert.rejects(world.manager().installFrom('alpha', folder), failure('integrity', /config\.json is missing/));
});

test('every directory that an install makes is flushed where it is named', {
  skip: process.platform !== 'linux' && 'only Linux tells which file a handle is of',
}, async (t) => {
  const world = await worldWithAlpha(t);
  const handle = await open(world.root);
  const kind = Object.getPrototypeOf(handle) as { sync: FileHandle['sync'] };
  await handle.close();
  const flushed = new Set<string>();
  const { sync } = kind;
  t.mock.method(kind, 'sync', async function (this: FileHandle) {
    flushed.add(await readlink(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  });
  await world.manager().install('alpha');
  const made = await readdir(world.cache, { recursive: true, withFileTypes: true });
  const parents = made.filter((entry) => entry.isDirectory()).map((entry) => entry.parentPath);
  const passing = /\/(downloads|locks)(\/|$)/;
  // A version's directories are flushed under the name that they had while it was put together.
  const missing = [world.root, ...parents].filter(
    (path) => !flushed.has(path) && !passing.test(path) && !path.startsWith(join(world.cache, 'versions/alpha/1.0.0')),
  );
  assert.deepEqual(missing, []);
  const deep = world.path('one/two/three');
  await makeDirectory(deep);
  for (const path of [world.root, world.path('one'), world.path('one/two')]) assert.ok(flushed.has(path), path);
});

test('a directory that can’t be made is an error, also below /proc, where Node’s recursive mkdir never ends', {
  skip: process.platform !== 'linux' && 'There is no /proc.',
}, async (t) => {
  const world = await worldWithAlpha(t);
  for (const place of ['/proc/export', '/proc/export/deeper']) {
    await assert.rejects(world.manager().export('alpha', place), { code: 'ENOENT' });
  }
  await assert.rejects(makeDirectory(source(world, 'config.json')), { code: 'EEXIST' });
});
