import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { parseSecretKey } from '../../src/trust/secret-key.ts';
import { plainPublicKey, plainSecretKey } from '../trust/keys.ts';
import { addClient, assertServable, contentOf, freshCache, modeOf, serve } from './copy-scene.ts';
import { clientProgram, createWorld, type RunResult, type World } from './world.ts';

/** What was asked of the publisher's host. */
function askedOutside(world: World): readonly string[] {
  return world.mirror.log.entries.map(({ path }) => path);
}

function succeeded(result: RunResult): RunResult {
  assert.equal(result.exitCode, 0, result.stderr);
  return result;
}

test('a copy has what the release has, byte for byte; again, no artifact is asked for', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', {
    alpha: { version: '1.0.0', trained: 0 },
    beta: { version: '1.0.0' },
  });
  await addClient(world, manifest);
  const to = world.path('copy');
  const first = JSON.parse(succeeded(await world.run(['mirror', '--to', to, '--dry-run', '--json'])).stdout);
  assert.deepEqual(
    await contentOf(world.root).then((all) => Object.keys(all).filter((path) => path.startsWith('copy'))),
    [],
  );
  const { stdout } = succeeded(await world.run(['mirror', '--to', to, '--json']));
  const report = JSON.parse(stdout);
  assert.deepEqual({ ...report, dry_run: true }, first);
  assert.equal(report.files.length, 6);
  const { 'copy.json': _, 'aircher.mjs': program, 'manifest.json.asc': gpg, ...copied } = await contentOf(to);
  assert.deepEqual(copied, await contentOf(world.mirrorDirectory).then(({ 'aircher.mjs': _, ...all }) => all));
  assert.equal(program, copied['models-v1.0.0/aircher.mjs']);
  assert.equal(gpg, copied['models-v1.0.0/manifest.json.asc']);
  await assertServable(to, [manifest]);
  world.mirror.log.clear();
  const again = JSON.parse(succeeded(await world.run(['mirror', '--to', to, '--json'])).stdout);
  assert.deepEqual([again.files, again.bytes], [[], 0]);
  assert.deepEqual(new Set(askedOutside(world)), new Set(['/manifest.json', '/manifest.json.minisig', '/copy.json']));
});

test('whatever the umask, a web server that is somebody else can read a copy', async (t) => {
  const world = await createWorld(t);
  await addClient(world, await world.release('1.0.0', { alpha: { version: '1.0.0' } }));
  const to = world.path('deep/copy');
  const env = { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl };
  await execa('sh', ['-c', `umask 077; exec "$0" "${clientProgram}" mirror --to "${to}"`, process.execPath], { env });
  for (const path of ['', 'models-v1.0.0']) assert.equal(await modeOf(join(to, path)), '755', path);
  for (const path of Object.keys(await contentOf(to))) assert.equal(await modeOf(join(to, path)), '644', path);
});

for (const place of ['a web server', 'a directory'] as const) {
  test(`from a copy in ${place}, models are installed, updated by a patch and repaired, and nobody else is asked`, async (t) => {
    const world = await createWorld(t);
    const to = world.path('copy');
    const key = await parseSecretKey(plainSecretKey);
    const first = await world.release('1.0.0', { alpha: { version: '1.0.0', trained: 0 } }, { key });
    await addClient(world, first, key);
    const args = ['mirror', '--to', to, '--public-key', plainPublicKey];
    succeeded(await world.run(args));
    const cache = await freshCache(t);
    const server = await serve(t, to);
    const source = place === 'a directory' ? join(to, 'manifest.json') : server.manifest;
    const options = { cache, env: { AIRCHER_MANIFEST_URL: source, AIRCHER_PUBLIC_KEY: plainPublicKey } };
    world.mirror.log.clear();
    const { stdout } = succeeded(await world.run(['install', 'alpha', '--json'], options));
    const [{ mirrors, path }] = JSON.parse(stdout).models;
    assert.deepEqual(
      mirrors.map((one: { mirror: string }) => one.mirror),
      ['mirror'],
    );
    assert.deepEqual(askedOutside(world), []);

    const next = await world.release('1.1.0', { alpha: { version: '1.1.0', trained: 1 } }, { key });
    await addClient(world, next, key);
    succeeded(await world.run(args));
    await assertServable(to, [first, next]);
    world.mirror.log.clear();
    server.log.clear();
    const updated = JSON.parse(succeeded(await world.run(['update', '--all', '--json'], options)).stdout);
    const patch = next.models.alpha!.encodings!.find(({ kind }) => kind === 'patch')!;
    assert.ok(updated.models[0].bytes_fetched <= patch.size_bytes * 1.1 + 5000, updated.models[0].bytes_fetched);
    if (place === 'a web server') assert.ok(server.log.entries.some((entry) => entry.path.endsWith('.patch')));
    else assert.deepEqual(server.log.entries, []);

    await writeFile(join(path, '../1.1.0/model.safetensors'), 'damaged');
    succeeded(await world.run(['verify', '--repair'], options));
    for (const command of [
      ['check-updates'],
      ['doctor'],
      ['list', '--remote'],
      ['export', 'alpha', '--to', world.path('usb')],
    ]) {
      succeeded(await world.run(command, options));
    }
    // What was kept here is known, but an old version needs the old release's manifest.
    succeeded(await world.run(['remove', 'alpha'], options));
    succeeded(await world.run(['install', 'alpha@1.0.0'], options));
    assert.deepEqual(askedOutside(world), []);
  });
}

test('models that weren’t copied: the error names the copy, and nobody outside is asked unless the preferences name hosts', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const to = world.path('copy');
  succeeded(await world.run(['mirror', 'alpha', '--to', to]));
  assert.equal((await world.run(['mirror', 'alphb', '--to', to])).exitCode, 3);
  const server = await serve(t, to);
  const cache = await freshCache(t);
  const options = { cache, env: { AIRCHER_MANIFEST_URL: server.manifest } };
  world.mirror.log.clear();
  succeeded(await world.run(['install', 'alpha'], options));
  const refused = await world.run(['install', 'beta'], options);
  assert.equal(refused.exitCode, 3);
  assert.match(refused.stderr, new RegExp(`beta 1.0.0 is not in the copy ${server.url}/, which has no version of it`));
  assert.match(refused.stderr, /aircher model mirror beta --to DIR/);
  assert.deepEqual(askedOutside(world), []);

  await writeFile(join(cache, 'config/model-preferences.json'), '{ "mirrors": ["mirror"] }').catch(async () => {
    await execa('mkdir', ['-p', join(cache, 'config')]);
    await writeFile(join(cache, 'config/model-preferences.json'), '{ "mirrors": ["mirror"] }');
  });
  succeeded(await world.run(['install', 'beta'], options));
  assert.ok(askedOutside(world).length > 0);

  // Another source that is no copy opens the way likewise.
  const both = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: `${server.manifest} ${world.manifestUrl}` } };
  succeeded(await world.run(['install', 'beta'], both));
});

test('a copy grows by models, keeps what it had, and `--prune` leaves exactly what is asked for', async (t) => {
  const world = await createWorld(t);
  const to = world.path('copy');
  const releases = [await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } })];
  succeeded(await world.run(['mirror', 'alpha', '--to', to]));
  succeeded(await world.run(['mirror', 'beta', '--to', to]));
  const listed = async () => JSON.parse(await readFile(join(to, 'copy.json'), 'utf8')).models;
  assert.deepEqual(await listed(), { alpha: ['1.0.0'], beta: ['1.0.0'] });
  // beta is carried forward: its archive stays in the first release's directory.
  releases.push(await world.release('1.1.0', { alpha: { version: '1.1.0' } }));
  releases.push(await world.release('1.2.0', { alpha: { version: '1.2.0' } }));
  succeeded(await world.run(['mirror', '--to', to]));
  await assertServable(to, releases);
  assert.deepEqual(await listed(), { alpha: ['1.2.0', '1.0.0'], beta: ['1.0.0'] });
  const all = JSON.parse(
    succeeded(await world.run(['mirror', '--to', to, '--releases', '2', '--prune', '--json'])).stdout,
  );
  assert.deepEqual(all.tags, ['models-v1.2.0', 'models-v1.1.0']);
  assert.ok(all.removed.includes('models-v1.0.0/alpha.tar.gz'));
  await assertServable(to, releases);
  assert.deepEqual(await listed(), { alpha: ['1.2.0', '1.1.0'], beta: ['1.0.0'] });
  const { stdout } = await world.run(['mirror', 'beta', '--to', to, '--prune', '--dry-run', '--json']);
  assert.ok(JSON.parse(stdout).removed.includes('models-v1.2.0/alpha.tar.gz'));
  succeeded(await world.run(['mirror', 'beta', '--to', to, '--prune']));
  assert.deepEqual(
    Object.keys(await contentOf(to)).sort(),
    [
      'copy.json',
      'manifest.json',
      'models-v1.0.0/beta.tar.gz',
      'models-v1.0.0/beta.tar.gz.index.json',
      'models-v1.2.0/manifest.json',
    ].sort(),
  );
  const named = await world.run(['mirror', '--to', to, '--prune', '--release', '1.1.0']);
  assert.equal(named.exitCode, 2, named.stderr);
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: (await serve(t, to)).manifest } };
  succeeded(await world.run(['install', 'beta'], options));
  const found = succeeded(await world.run(['doctor'], options)).stdout;
  assert.match(found, /ok +mirror mirror +127\.0\.0\.1:\d+, status 206/);
  assert.match(found, /ok +copy +http:\/\/127\.0\.0\.1:\d+\/ has beta \(1\.0\.0\)\n/);
  const gone = await world.run(['install', 'alpha@1.1.0'], options);
  assert.equal(gone.exitCode, 3);
  assert.match(gone.stderr, /alpha 1\.1\.0 is not in the copy/);
});

test('a version that is withdrawn is withdrawn in the copy too, from its next run on', async (t) => {
  const world = await createWorld(t);
  const to = world.path('copy');
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  succeeded(await world.run(['mirror', '--to', to, '--releases', '2']));
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: (await serve(t, to)).manifest } };
  succeeded(await world.run(['install', 'alpha'], options));
  await world.release('1.1.1', {}, { yanked: [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }] });
  succeeded(await world.run(['mirror', '--to', to]));
  world.mirror.log.clear();
  const { stdout } = succeeded(await world.run(['update', '--all', '--json'], options));
  assert.equal(JSON.parse(stdout).models[0].to, '1.0.0');
  assert.deepEqual(askedOutside(world), []);
});

test('a release that is asked for by name is copied beside the newest, which the root goes on naming', async (t) => {
  const world = await createWorld(t);
  const to = world.path('copy');
  await world.release('1.0.0', { constructor: { version: '1.0.0' } });
  succeeded(await world.run(['mirror', '--to', to]));
  const root = await readFile(join(to, 'manifest.json'));
  await world.release('1.1.0-rc.1', { constructor: { version: '1.1.0-rc.1' } }, { unannounced: true });
  succeeded(await world.run(['mirror', '--to', to, '--release', '1.1.0-rc.1']));
  assert.deepEqual(await readFile(join(to, 'manifest.json')), root);
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: (await serve(t, to)).manifest } };
  world.mirror.log.clear();
  succeeded(await world.run(['install', 'constructor', '--release', '1.1.0-rc.1'], options));
  assert.deepEqual(askedOutside(world), []);
});

test('a copy is copied on, as it is carried into a network that has no other', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  await addClient(world, manifest);
  const [usb, inside] = [world.path('usb'), world.path('inside')];
  succeeded(await world.run(['mirror', 'alpha', '--to', usb]));
  world.mirror.log.clear();
  const args = ['mirror', '--to', inside, '--manifest', join(usb, 'manifest.json')];
  succeeded(await world.run(args, { cache: await freshCache(t) }));
  assert.deepEqual(await contentOf(inside), await contentOf(usb));
  assert.deepEqual(askedOutside(world), []);
});

test('install --frozen takes what is locked from the copy that AIRCHER_MANIFEST_URL names, whatever sources the lock has', async (t) => {
  const world = await createWorld(t);
  await addClient(world, await world.release('1.0.0', { alpha: { version: '1.0.0' } }));
  const to = world.path('copy');
  succeeded(await world.run(['mirror', '--to', to]));
  succeeded(await world.run(['lock', 'alpha']));
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  succeeded(await world.run(['mirror', '--to', to]));
  world.mirror.log.clear();
  const { manifest } = await serve(t, to);
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: manifest } };
  succeeded(await world.run(['install', '--frozen'], options));
  assert.deepEqual(askedOutside(world), []);
});

test('what is no copy of these releases is not written into, and a copy never goes back', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const own = await world.run(['mirror', '--to', world.mirrorDirectory]);
  assert.equal(own.exitCode, 6);
  assert.match(own.stderr, /is no copy that this command made/);
  const to = world.path('copy');
  succeeded(await world.run(['mirror', '--to', to]));
  const old = await readFile(join(to, 'manifest.json'));
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  succeeded(await world.run(['mirror', '--to', to]));
  await writeFile(join(world.mirrorDirectory, 'manifest.json'), old);
  const cache = await freshCache(t);
  const back = await world.run(['mirror', '--to', to], { cache });
  assert.equal(back.exitCode, 6);
  assert.match(back.stderr, /has models-v1\.1\.0, newer than models-v1\.0\.0/);
  succeeded(await world.run(['mirror', '--to', to, '--allow-downgrade'], { cache }));
  await world.release('1.2.0', {}, { namespace: 'other' });
  const other = await world.run(['mirror', '--to', to], { cache: await freshCache(t) });
  assert.equal(other.exitCode, 6);
  assert.match(other.stderr, /is a copy of the namespace "test", not of "other"/);
  await rm(to, { recursive: true });
});

test('a password that the copy takes no more is told, and nobody outside is asked instead', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const to = world.path('copy');
  succeeded(await world.run(['mirror', '--to', to]));
  const server = await serve(t, to);
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: server.manifest } };
  succeeded(await world.run(['install', 'alpha'], options));
  server.faults.add({ times: 'always', match: { path: /./ }, action: { kind: 'status', status: 401 } });
  world.mirror.log.clear();
  const refused = await world.run(['install', 'beta'], options);
  assert.equal(refused.exitCode, 6);
  assert.match(refused.stderr, /access denied \(status 401\)/);
  assert.deepEqual(askedOutside(world), []);
});

test('a copy that can’t be reached is an error at once, and nobody outside is asked instead', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const to = world.path('copy');
  succeeded(await world.run(['mirror', '--to', to]));
  const server = await serve(t, to);
  const options = { cache: await freshCache(t), env: { AIRCHER_MANIFEST_URL: server.manifest } };
  succeeded(await world.run(['install', 'alpha'], options));
  await server.close();
  world.mirror.log.clear();
  const refused = await world.run(['install', 'beta'], options);
  assert.equal(refused.exitCode, 5, refused.stderr);
  assert.deepEqual(askedOutside(world), []);
});
