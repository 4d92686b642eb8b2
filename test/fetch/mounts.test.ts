import assert from 'node:assert/strict';
import { cp, mkdir, readdir, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { execa, execaSync } from 'execa';
import { exists } from '../../src/core/read-files.ts';
import { checkModels, clientProgram, createWorld, type RunResult, type World } from './world.ts';

/** Root on Linux may mount in a namespace of its own; many containers and all others may not. */
const skip =
  execaSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { reject: false }).exitCode !== 0 &&
  'this machine lets nobody mount';

/**
 * Runs shell lines that mount, and in that namespace `aircher model …` with each of the argument
 * lists, then more shell lines.
 */
async function runMounted(
  world: World,
  mounts: readonly string[],
  commands: readonly string[],
  cache: string,
  after: readonly string[] = [],
): Promise<RunResult> {
  const client = `'${process.execPath}' '${clientProgram}' model`;
  const script = ['set -e', ...mounts, ...commands.map((command) => `${client} ${command}`), ...after].join('\n');
  const env = { PATH: process.env.PATH ?? '', AIRCHER_CACHE_DIR: cache, AIRCHER_MANIFEST_URL: world.manifestUrl };
  const { exitCode, stdout, stderr } = await execa('unshare', ['-m', 'sh', '-c', script], {
    cwd: world.root,
    extendEnv: false,
    env,
    reject: false,
  });
  return { exitCode, stdout, stderr };
}

/**
 * The cache as the lower layer of an overlay, as an image of a container has it; what is written
 * lies in a tmpfs.
 */
function overlay(world: World): readonly string[] {
  return [
    'mkdir merged fresh',
    'mount -t tmpfs none fresh',
    'mkdir fresh/upper fresh/work',
    `mount -t overlay none -o lowerdir='${world.cache}',upperdir=fresh/upper,workdir=fresh/work merged`,
  ];
}

test('a cache in a lower layer of an overlay: remove, prune, adopt and repair work', { skip }, async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  await world.manager().install('alpha');
  const second = await world.release('1.1.0', { alpha: { version: '1.1.0' }, gamma: { version: '1.0.0' } });
  await world.manager().install('alpha');
  await world.manager().install('gamma');
  await cp(world.path('sources/beta/1.0.0'), join(world.cache, 'models/beta'), { recursive: true });
  await truncate(join(world.cache, 'versions/gamma/1.0.0/model.safetensors'), 10);
  const commands = ['prune --keep 1', 'install gamma', 'install beta', 'remove alpha'];
  const copy = world.path('copy');
  const after = [`cp -a merged '${copy}'`];
  const { exitCode, stderr } = await runMounted(world, overlay(world), commands, world.path('merged'), after);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(await checkModels(copy, [first, second]), { beta: '1.0.0', gamma: '1.0.0' });
  assert.deepEqual(await readdir(join(copy, 'versions')), ['CACHEDIR.TAG', 'beta', 'gamma']);
  assert.ok(!world.mirror.log.entries.some((entry) => entry.path.endsWith('/beta.tar.gz')), 'adopted, not downloaded');
});

for (const place of ['downloads', 'versions', 'set-aside']) {
  test(`${place}/ on another disk: install, adopt, prune and remove work`, { skip }, async (t) => {
    const world = await createWorld(t);
    const first = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
    const mine = join(world.cache, 'models/beta');
    await mkdir(dirname(mine), { recursive: true });
    await cp(world.path('sources/beta/1.0.0'), mine, { recursive: true });
    const copy = world.path('copy');
    const { exitCode, stderr } = await runMounted(
      world,
      [`mkdir -p '${world.cache}/${place}'`, `mount -t tmpfs none '${world.cache}/${place}'`],
      ['install alpha', 'install beta', 'prune --keep 1', `export alpha --to '${world.path('carried')}'`],
      world.cache,
      [`cp -a '${world.cache}' '${copy}'`],
    );
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(await checkModels(copy, [first]), { alpha: '1.0.0', beta: '1.0.0' });
    assert.deepEqual(await readdir(join(copy, 'versions/alpha')), ['1.0.0'], 'nothing half-copied is left');
  });
}

test('a full disk under versions/ is exit 7, nothing half is installed, and what was downloaded is kept', {
  skip,
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const versions = join(world.cache, 'versions');
  const full = await runMounted(
    world,
    [`mkdir -p '${versions}'`, `mount -t tmpfs -o size=100k none '${versions}'`],
    ['install alpha || code=$?'],
    world.cache,
    [`ls -A '${versions}/alpha'`, 'exit $code'],
  );
  assert.equal(full.exitCode, 7, full.stderr);
  assert.match(full.stderr, /Free some disk space/);
  assert.equal(full.stdout, '', 'nothing lies beside the place of the version');
  const archives = () => world.mirror.log.entries.filter((entry) => entry.path.endsWith('/alpha.tar.gz')).length;
  const requests = archives();
  await rm(versions, { recursive: true });
  const again = await world.run(['install', 'alpha']);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.equal(archives(), requests, 'no byte is fetched twice');
  assert.ok(await exists(join(versions, 'alpha/1.0.0/.version')));
  assert.ok((await stat(join(versions, 'alpha/1.0.0/model.safetensors'))).size > 0);
});
