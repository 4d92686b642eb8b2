import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTrustScene, readPair } from './trust-scene.ts';

const at = (version: string) => ({ alpha: { version, layers: 1, layerBytes: 1000 } });

/** Two signed releases, of which a client has installed the newer; the older pair is at hand. */
async function twoReleases(t: Parameters<typeof createTrustScene>[0]) {
  const scene = await createTrustScene(t);
  const { world, key } = scene;
  await world.release('1.0.0', at('1.0.0'), { key });
  const old = await readPair(world.mirrorDirectory);
  await world.release('1.1.0', at('1.1.0'), { key });
  const installed = await scene.run(['install', 'alpha']);
  assert.equal(installed.exitCode, 0, installed.stderr);
  return { ...scene, old, oldUrl: `${world.mirror.url}/models-v1.0.0/manifest.json` };
}

test('rollback: a host that shows an older, well-signed release is passed over, and named', async (t) => {
  const { world, run, old } = await twoReleases(t);
  await writeFile(join(world.mirrorDirectory, 'manifest.json'), old.manifest);
  await writeFile(join(world.mirrorDirectory, 'manifest.json.minisig'), old.signature);
  const updated = await run(['update', '--all', '--json']);
  assert.equal(updated.exitCode, 0, updated.stderr);
  assert.match(updated.stdout, /"up-to-date"/);
  assert.match(updated.stderr, /lags behind: it has models-v1\.0\.0, and models-v1\.1\.0 is known/);
  const another = await run(['install', 'alpha@1.0.0']);
  assert.equal(another.exitCode, 0, 'an old version that was asked for by name');
});

test('rollback: an older release named by --manifest is exit 4; --allow-downgrade goes back to it, and the next run needs no leave', async (t) => {
  const { run, oldUrl } = await twoReleases(t);
  const refused = await run(['list', '--remote', '--manifest', oldUrl]);
  assert.equal(refused.exitCode, 4);
  assert.match(refused.stderr, /older than models-v1\.1\.0/);
  assert.match(refused.stderr, /hint: .*--allow-downgrade/);
  const allowed = await run(['list', '--remote', '--json', '--manifest', oldUrl, '--allow-downgrade']);
  assert.equal(allowed.exitCode, 0, allowed.stderr);
  assert.equal(JSON.parse(allowed.stdout).tag, 'models-v1.0.0');
  assert.equal(
    (await run(['list', '--remote', '--manifest', oldUrl])).exitCode,
    0,
    'it is the newest accepted one now',
  );
});

test('rollback: --allow-downgrade is no leave to be unsigned', async (t) => {
  const { world, run, old } = await twoReleases(t);
  await writeFile(world.path('manifest.json'), old.manifest);
  const unsigned = await run(['list', '--remote', '--manifest', world.path('manifest.json'), '--allow-downgrade']);
  assert.equal(unsigned.exitCode, 4, unsigned.stderr);
  assert.match(unsigned.stderr, /no signature/);
});

test('an old release asked for by --release is installed by its digest in the newest one, and the next update knows the newest', async (t) => {
  const { run } = await twoReleases(t);
  const old = await run(['install', 'alpha', '--release', 'models-v1.0.0', '--json']);
  assert.equal(old.exitCode, 0, old.stderr);
  assert.equal(JSON.parse(old.stdout).models[0].version, '1.0.0');
  const listed = await run(['list', '--remote', '--json']);
  assert.equal(JSON.parse(listed.stdout).tag, 'models-v1.1.0');
});

test('an old release with another manifest than the newest one says is exit 4', async (t) => {
  const { world, run, old } = await twoReleases(t);
  const place = join(world.mirrorDirectory, 'models-v1.0.0');
  await writeFile(join(place, 'manifest.json'), old.manifest.toString().replace('Apache-2.0', 'Apache-2.1'));
  for (const args of [
    ['install', 'alpha@1.0.0'],
    ['install', 'alpha', '--release', '1.0.0'],
  ]) {
    const refused = await run(args);
    assert.equal(refused.exitCode, 4, refused.stderr);
    assert.match(refused.stderr, /not the manifest of models-v1\.0\.0/);
  }
});

test('another release passed off as the one that --release names is exit 4', async (t) => {
  const { world, run, key } = await twoReleases(t);
  await world.release('2.0.0-rc.1', at('2.0.0-rc.1'), { key, unannounced: true });
  await world.release('2.0.0-rc.2', at('2.0.0-rc.2'), { key, unannounced: true });
  const { manifest, signature } = await readPair(join(world.mirrorDirectory, 'models-v2.0.0-rc.1'));
  await writeFile(join(world.mirrorDirectory, 'models-v2.0.0-rc.2/manifest.json'), manifest);
  await writeFile(join(world.mirrorDirectory, 'models-v2.0.0-rc.2/manifest.json.minisig'), signature);
  const refused = await run(['install', 'alpha', '--release', '2.0.0-rc.2']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /is of models-v2\.0\.0-rc\.1, not of 2\.0\.0-rc\.2/);
  assert.equal((await run(['install', 'alpha', '--release', '2.0.0-rc.1'])).exitCode, 0);
});

test('of the same release the later signed manifest counts, and the earlier is a rollback', async (t) => {
  const { world, run, serve, key } = await twoReleases(t);
  const again = await world.release('1.1.1', {}, { key, generated_at: '2026-02-01T00:00:00Z' });
  assert.equal((await run(['list', '--remote'])).exitCode, 0);
  await serve(world.mirrorDirectory, { ...again, generated_at: '2026-01-15T00:00:00Z' }, key);
  assert.equal((await run(['list', '--remote', '--manifest', world.manifestUrl])).exitCode, 4);
});
