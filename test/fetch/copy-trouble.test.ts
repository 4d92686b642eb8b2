import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa, execaSync } from 'execa';
import type { Manifest } from '../../src/contract/manifest.ts';
import { fileSize } from '../../src/core/read-files.ts';
import { parseSecretKey } from '../../src/trust/secret-key.ts';
import { plainPublicKey, plainSecretKey } from '../trust/keys.ts';
import { addClient, assertServable, contentOf, freshCache } from './copy-scene.ts';
import { clientProgram, createWorld, type World } from './world.ts';

const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 10);

/**
 * A copy that runs, and ends by a kill after so many milliseconds; false where it was done before.
 */
async function killAfter(world: World, args: readonly string[], milliseconds: number): Promise<boolean> {
  const env = { ...process.env, AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl };
  const child = spawn(process.execPath, [clientProgram, ...args], { env, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const [code] = await new Promise<[number | null]>((resolve) => child.once('exit', (code) => resolve([code])));
  clearTimeout(timer);
  return code === null;
}

test(`kill -9 at ${kills} moments of mirror: what is served is whole at each, and in the end all of it`, async (t) => {
  const world = await createWorld(t, { limits: { bytesPerSecond: 2_000_000 } });
  const to = world.path('copy');
  const releases: Manifest[] = [];
  const shape = { layers: 8, layerBytes: 400_000 };
  releases.push(await world.release('1.0.0', { alpha: { version: '1.0.0', ...shape, trained: 0 } }));
  await addClient(world, releases[0]!);
  let killed = 0;
  let round = 0;
  for (; killed < kills; round++) {
    assert.ok(round < 10 * kills, 'it is always done before the kill');
    // A second release appears half-way, so that kills hit the change from one to the other, too.
    if (killed === Math.floor(kills / 2) && releases.length === 1) {
      releases.push(await world.release('1.1.0', { alpha: { version: '1.1.0', ...shape, trained: 1 } }));
      await addClient(world, releases[1]!);
    }
    const moment = 500 + 2500 * ((round * 0.618) % 1);
    const wasKilled = await killAfter(world, ['mirror', '--to', to], moment);
    if (wasKilled) killed++;
    await assertServable(to, releases);
    // Begun anew, where all is there, so that kills go on to hit something.
    if (!wasKilled) await rm(to, { recursive: true });
  }
  const done = await world.run(['mirror', '--to', to, '--releases', '2', '--prune']);
  assert.equal(done.exitCode, 0, done.stderr);
  await assertServable(to, releases);
  const { 'copy.json': _, ...copied } = await contentOf(to);
  const { 'aircher.mjs': program, 'manifest.json.asc': gpg, ...rest } = copied;
  assert.equal(program, rest['models-v1.1.0/aircher.mjs']);
  const { 'aircher.mjs': _2, 'manifest.json.asc': _3, ...published } = await contentOf(world.mirrorDirectory);
  assert.deepEqual(rest, published);
  assert.equal(gpg, rest['models-v1.1.0/manifest.json.asc']);
});

test('a copy that is killed goes on where it was: what lay on the disk is not sent again', async (t) => {
  const world = await createWorld(t, { limits: { bytesPerSecond: 2_000_000 } });
  const shape = { version: '1.0.0', layers: 12, layerBytes: 400_000 };
  const manifest = await world.release('1.0.0', { alpha: shape });
  const { size_bytes: size, sha256 } = manifest.models.alpha!;
  const to = world.path('copy');
  const env = { ...process.env, AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl };
  const child = spawn(process.execPath, [clientProgram, 'mirror', '--to', to], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const partial = join(to, '.mirror', sha256, 'archive');
  let there = 0;
  while (there < 2_000_000) {
    assert.equal(child.exitCode, null, 'it is done before the kill');
    await delay(10);
    there = (await fileSize(partial)) ?? 0;
  }
  child.kill('SIGKILL');
  await ended;
  world.mirror.log.clear();
  assert.equal((await world.run(['mirror', '--to', to])).exitCode, 0);
  const sent = world.mirror.log.entries.filter(({ path }) => path.endsWith('alpha.tar.gz'));
  assert.ok(
    sent.length === 1 && sent[0]!.bytesOut <= size - there,
    `${sent[0]?.bytesOut} of ${size}, ${there} were there`,
  );
  await assertServable(to, [manifest]);
});

test('a hostile or broken source: exit 4 or 5, and the copy stays as it was', async (t) => {
  const world = await createWorld(t);
  const to = world.path('copy');
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  assert.equal((await world.run(['mirror', '--to', to])).exitCode, 0);
  const before = await contentOf(to);
  const next = await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  const fails = async (exitCode: number, told: RegExp): Promise<void> => {
    const result = await world.run(['mirror', '--to', to], { cache: await freshCache(t) });
    assert.equal(result.exitCode, exitCode, result.stderr);
    assert.match(result.stderr, told);
    const after = await contentOf(to);
    for (const [path, digest] of Object.entries(before)) assert.equal(after[path], digest, path);
    await assertServable(to, [first, next]);
  };
  const archive = /1\.1\.0\/alpha\.tar\.gz$/;
  const flip = world.mirror.faults.add({
    times: 'always',
    match: { path: archive },
    action: { kind: 'flip', atByte: 5000 },
  });
  await fails(4, /another sha256/);
  flip();
  const page = world.mirror.faults.add({ times: 'always', match: { path: archive }, action: { kind: 'html' } });
  await fails(5, /alpha\.tar\.gz|mirror/);
  page();
  const denied = world.mirror.faults.add({
    times: 'always',
    match: { path: archive },
    action: { kind: 'status', status: 404 },
  });
  await fails(5, /404/);
  denied();
  // What was right by then is kept, and the next run completes it.
  world.mirror.log.clear();
  const done = await world.run(['mirror', '--to', to]);
  assert.equal(done.exitCode, 0, done.stderr);
  await assertServable(to, [first, next]);
});

test('names that lead elsewhere, files under two digests, and sizes beyond the disk are refused before anything is written', async (t) => {
  const world = await createWorld(t);
  const to = world.path('deep/copy');
  const good = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const [entry, index] = [good.models.alpha!, good.models.alpha!.index!];
  const url = { mirror: `${world.mirror.url}/models-v1.0.0/alpha.tar.gz` };
  for (const [what, changes, exitCode] of [
    ['..', { release: '..' }, 3],
    ['.mirror', { release: '.mirror' }, 3],
    ['no release', { release: 'manifest.json' }, 3],
    ['huge', { size_bytes: 2 ** 50 }, 7],
  ] as const) {
    await world.release('1.0.0', { alpha: { version: '1.0.0', entry: { ...entry, ...changes } } });
    const result = await world.run(['mirror', '--to', to], { cache: await freshCache(t) });
    assert.equal(result.exitCode, exitCode, `${what}: ${result.stderr}`);
    assert.deepEqual(
      await contentOf(world.root).then((all) => Object.keys(all).filter((path) => path.startsWith('deep'))),
      [],
    );
  }
  // An encoding may have any name that a file can have: one that isn't its own is nobody's.
  const encoding = { kind: 'planes', ...entry, download_urls: url, index };
  const encodings = ['manifest.json', 'beta.tar.gz', 'aircher.mjs'].map((name) => ({ ...encoding, name }));
  await world.release('1.0.0', { alpha: { version: '1.0.0', entry: { ...entry, encodings } } });
  assert.equal((await world.run(['mirror', '--to', to], { cache: await freshCache(t) })).exitCode, 0);
  assert.deepEqual(
    Object.keys(await contentOf(to))
      .filter((path) => path.includes('/'))
      .sort(),
    ['models-v1.0.0/alpha.tar.gz', 'models-v1.0.0/alpha.tar.gz.index.json', 'models-v1.0.0/manifest.json'],
  );
});

test('with a key, manifest and client count as signed only; what is wrong is exit 4 and moves nothing', async (t) => {
  const world = await createWorld(t);
  const key = await parseSecretKey(plainSecretKey);
  const to = world.path('copy');
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } }, { key });
  await addClient(world, manifest, key);
  const args = ['mirror', '--to', to, '--public-key', plainPublicKey];
  const client = join(world.mirrorDirectory, 'models-v1.0.0/aircher.mjs');
  const right = await readFile(client);
  await writeFile(client, 'another program\n');
  const wrong = await world.run(args);
  assert.equal(wrong.exitCode, 4, wrong.stderr);
  assert.match(wrong.stderr, /aircher\.mjs of models-v1\.0\.0 that its checksums\.sha256 names/);
  assert.deepEqual(
    Object.keys(await contentOf(to)).filter((path) => !path.includes('/')),
    [],
  );
  await writeFile(client, right);
  const sums = join(world.mirrorDirectory, 'models-v1.0.0/checksums.sha256');
  const signed = await readFile(sums, 'utf8');
  await writeFile(sums, signed.replace(/^[0-9a-f]{4}/, '0000'));
  assert.equal((await world.run(args)).exitCode, 4);
  await writeFile(sums, signed);
  assert.equal((await world.run(args)).exitCode, 0);
  const copied = await contentOf(to);
  for (const name of ['manifest.json.minisig', 'checksums.sha256.minisig']) assert.ok(copied[`models-v1.0.0/${name}`]);
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  const unsigned = await world.run(args);
  assert.equal(unsigned.exitCode, 4);
  assert.deepEqual(await contentOf(to), copied);
});

test('two runs at once share the work: one waits, and both are right', async (t) => {
  const world = await createWorld(t, { limits: { bytesPerSecond: 2_000_000 } });
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const to = world.path('copy');
  const results = await Promise.all([1, 2, 3].map(() => world.run(['mirror', '--to', to])));
  assert.deepEqual(
    results.map(({ exitCode }) => exitCode),
    [0, 0, 0],
    results.map(({ stderr }) => stderr).join(),
  );
  await assertServable(to, [manifest]);
  const archives = world.mirror.log.entries.filter(({ path }) => path.endsWith('.tar.gz'));
  assert.equal(archives.length, 1);
});

const cannotMount =
  execaSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { reject: false }).exitCode !== 0 &&
  'this machine lets nobody mount';

test('a read-only directory and a full disk: exit 7 with the place, and what is there stays', {
  skip: cannotMount,
}, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const to = world.path('copy');
  assert.equal((await world.run(['mirror', '--to', to])).exitCode, 0);
  const before = await contentOf(to);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  const mounted = async (mount: string, target: string) =>
    execa(
      'unshare',
      ['-m', 'sh', '-c', `${mount}; exec "$0" "${clientProgram}" mirror --to "${target}"`, process.execPath],
      {
        env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
        reject: false,
      },
    );
  const readOnly = await mounted(`mount --bind '${to}' '${to}' && mount -o remount,ro,bind '${to}'`, to);
  assert.equal(readOnly.exitCode, 7, readOnly.stderr);
  assert.match(readOnly.stderr, /read-only|EROFS/);
  await mkdir(world.path('small'));
  const full = await mounted(`mount -t tmpfs -o size=400k none '${world.path('small')}'`, world.path('small/copy'));
  assert.equal(full.exitCode, 7, full.stderr);
  assert.match(full.stderr, /are needed, .* are free[\s\S]*Free some disk space, or name fewer models/);
  assert.deepEqual(await contentOf(to), before);
  await chmod(to, 0o755);
});
