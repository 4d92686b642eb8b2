import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTrustScene, readPair } from './trust-scene.ts';

const model = (version: string, retrained: readonly number[] = []) => ({
  version,
  layers: 2,
  layerBytes: 70_000,
  retrained,
});

async function release(t: TestContext) {
  const scene = await createTrustScene(t);
  const { world, key } = scene;
  await world.release('1.0.0', { alpha: model('1.0.0'), beta: model('1.0.0', [1]) }, { key });
  const manifest = await world.release('1.1.0', { alpha: model('1.1.0', [0]) }, { key });
  const place = (tag: string, name: string): string => join(world.mirrorDirectory, tag, name);
  return { ...scene, manifest, place };
}

test('an old index under a new manifest is refused by its digest (4)', async (t) => {
  const { run, place } = await release(t);
  await cp(place('models-v1.0.0', 'alpha.tar.gz.index.json'), place('models-v1.1.0', 'alpha.tar.gz.index.json'));
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /index/);
});

test('an old archive under a new index is refused chunk by chunk (4)', async (t) => {
  const { run, place } = await release(t);
  await cp(place('models-v1.0.0', 'alpha.tar.gz'), place('models-v1.1.0', 'alpha.tar.gz'));
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
});

test('old index and old archive together under a new manifest are refused (4)', async (t) => {
  const { run, place } = await release(t);
  for (const name of ['alpha.tar.gz', 'alpha.tar.gz.index.json'])
    await cp(place('models-v1.0.0', name), place('models-v1.1.0', name));
  assert.equal((await run(['install', 'alpha'])).exitCode, 4);
});

test('another model’s archive and index in the place of one’s own are refused (4)', async (t) => {
  const { run, place } = await release(t);
  for (const ending of ['tar.gz', 'tar.gz.index.json'])
    await cp(place('models-v1.0.0', `beta.${ending}`), place('models-v1.1.0', `alpha.${ending}`));
  assert.equal((await run(['install', 'alpha'])).exitCode, 4);
});

test('one model’s entry in another’s place in a signed manifest is a bad signature (4)', async (t) => {
  const { run, manifest, serve, world } = await release(t);
  const { alpha, beta } = manifest.models;
  await serve(world.mirrorDirectory, { ...manifest, models: { alpha: beta!, beta: alpha! } });
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /signature/);
});

test('one model’s entry in another’s place in an unsigned manifest is refused by its index (4), with and without one', async (t) => {
  const { run, manifest, serve, world } = await release(t);
  const { alpha, beta } = manifest.models;
  await serve(world.mirrorDirectory, { ...manifest, models: { alpha: beta!, beta: alpha! } });
  const indexed = await run(['install', 'alpha'], { publicKeys: [] });
  assert.equal(indexed.exitCode, 4, indexed.stderr);
  assert.match(indexed.stderr, /it is of another archive/);
  const { index: _, files: __, weights: ___, ...bare } = beta!;
  await serve(world.mirrorDirectory, { ...manifest, release: 'models-v1.1.0', models: { alpha: bare } });
  const unindexed = await run(['install', 'alpha'], { publicKeys: [] });
  assert.equal(unindexed.exitCode, 4, unindexed.stderr);
  assert.match(unindexed.stderr, /is not below alpha\//);
});

test('an old entry in a new signed manifest is a bad signature (4)', async (t) => {
  const { run, manifest, serve, world } = await release(t);
  const old = JSON.parse((await readPair(join(world.mirrorDirectory, 'models-v1.0.0'))).manifest.toString());
  await serve(world.mirrorDirectory, { ...manifest, models: { ...manifest.models, alpha: old.models.alpha } });
  assert.equal((await run(['install', 'alpha'])).exitCode, 4);
});

test('the signature of one release under the manifest of another is healed from the release’s own place, or refused (4)', async (t) => {
  const { run, world, place } = await release(t);
  const old = await readPair(join(world.mirrorDirectory, 'models-v1.0.0'));
  await writeFile(join(world.mirrorDirectory, 'manifest.json.minisig'), old.signature);
  const healed = await run(['install', 'alpha', '--json']);
  assert.equal(healed.exitCode, 0, healed.stderr);
  assert.equal(JSON.parse(healed.stdout).models[0].version, '1.1.0');
  await writeFile(place('models-v1.1.0', 'manifest.json.minisig'), old.signature);
  assert.equal((await run(['install', 'alpha'], { cache: world.path('fresh') })).exitCode, 4);
});

test('another publisher’s well-signed release, by a key that is trusted too, is of another namespace (4)', async (t) => {
  const { run, manifest, serve, world, key } = await release(t);
  assert.equal((await run(['install', 'beta'])).exitCode, 0);
  await serve(
    world.mirrorDirectory,
    { ...manifest, release: 'models-v1.1.0', generated_at: '2027-01-01T00:00:00Z', namespace: 'other' },
    key,
  );
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /of the namespace "other", not of "test"/);
  const { namespace: _, ...nameless } = manifest;
  await serve(world.mirrorDirectory, { ...nameless, generated_at: '2027-01-02T00:00:00Z' }, key);
  assert.equal((await run(['install', 'alpha'])).exitCode, 4, 'one that names none');
});

test('a file added to an archive without an index is refused by the signed list of files (4)', async (t) => {
  const { run, manifest, serve, world, key, place } = await release(t);
  const { index: _, ...bare } = manifest.models.alpha!;
  await serve(
    world.mirrorDirectory,
    { ...manifest, generated_at: '2027-01-01T00:00:00Z', models: { alpha: { ...bare, files: bare.files!.slice(1) } } },
    key,
  );
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /is in the archive, but not in the manifest/);
  await cp(place('models-v1.0.0', 'beta.tar.gz'), place('models-v1.1.0', 'alpha.tar.gz'));
  assert.equal((await run(['install', 'alpha'])).exitCode, 4);
});
