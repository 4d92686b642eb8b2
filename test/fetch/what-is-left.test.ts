import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { sha256 } from '../../src/core/hashing.ts';
import { cacheLayout } from '../../src/fetch/cache/layout.ts';
import { tryModelLock } from '../../src/fetch/cache/model-lock.ts';
import { createWorld } from './world.ts';

test('remove takes away what a killed download left, though the model was never installed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const staging = join(world.cache, 'downloads/alpha/1.0.0-0123456789abcdef.1-abc/files');
  await mkdir(staging, { recursive: true });
  await writeFile(join(staging, 'model.safetensors'), Buffer.alloc(100_000));
  const { exitCode, stdout, stderr } = await world.run(['remove', 'alpha', '--json']);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).models, [{ name: 'alpha', versions: [], bytes: 100_000 }]);
  assert.deepEqual(await readdir(join(world.cache, 'downloads')), []);
  assert.equal((await world.run(['remove', 'alpha'])).exitCode, 3, 'nothing of it is here any more');
});

test('a user who may only read waits for root’s install, and is served', {
  skip: process.getuid?.() !== 0,
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  await chmod(world.root, 0o755);
  const { exitCode } = await world.run(['list'], { uid: 65534 });
  assert.equal(exitCode, 0);
  // As an install by this process has it, until its last rename.
  const versions = join(world.cache, 'versions/alpha');
  await rename(versions, `${versions}.away`);
  await rm(join(world.cache, 'state/current'), { recursive: true });
  const lock = await tryModelLock(cacheLayout(world.cache), 'alpha');
  const [node, client] = ['node', 'aircher.mjs'].map((file) => world.path('programs', file));
  const user = execa(node!, [client!, 'model', 'install', 'alpha', '--json'], {
    uid: 65534,
    gid: 65534,
    extendEnv: false,
    env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    reject: false,
  });
  user.stderr.on('data', async (data) => {
    if (!/waiting for process/.test(String(data))) return;
    await rename(`${versions}.away`, versions);
    await lock?.release();
  });
  const done = await user;
  assert.equal(done.exitCode, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).models[0].outcome, 'present');
});

test('an archive without weights in a manifest of required fields alone is exit 4, and nothing is installed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const directory = join(world.mirrorDirectory, 'models-v1.0.0');
  for (const files of [[], ['README.md']]) {
    await mkdir(world.path('empty', 'alpha'), { recursive: true });
    for (const file of files) await writeFile(world.path('empty/alpha', file), 'words\n');
    await execa('tar', ['czf', join(directory, 'alpha.tar.gz'), '-C', world.path('empty'), 'alpha']);
    const bytes = await readFile(join(directory, 'alpha.tar.gz'));
    const manifest = {
      manifest_version: '1.0.0',
      models: {
        alpha: {
          version: '1.0.0',
          size_bytes: bytes.length,
          sha256: sha256(bytes),
          download_urls: { mirror: `${world.mirror.url}/models-v1.0.0/alpha.tar.gz` },
        },
      },
    };
    await writeFile(join(world.mirrorDirectory, 'manifest.json'), JSON.stringify(manifest));
    const { exitCode, stderr } = await world.run(['install', 'alpha']);
    assert.equal(exitCode, 4, stderr);
    assert.match(stderr, /holds no weights/);
    assert.deepEqual(JSON.parse((await world.run(['list', '--json'])).stdout).models, []);
  }
});
