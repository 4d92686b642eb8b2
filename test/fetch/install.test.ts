import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { checkModels, checksummedVersions, createWorld } from './world.ts';

test('install makes the layout of the contract: link, version, .version, checksums.json, tags', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const model = await world.manager().ensureModel('alpha');
  assert.equal(model.version, '1.0.0');
  assert.equal(model.path, join(world.cache, 'versions/alpha/1.0.0'));
  assert.equal(model.weights_path, join(model.path, 'model.safetensors'));
  assert.equal(model.space, manifest.models.alpha?.embedding?.space);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  assert.equal(await readlink(join(world.cache, 'models/alpha')), '../versions/alpha/1.0.0');
  assert.equal(await readFile(join(world.cache, 'models/alpha/.version'), 'utf8'), '1.0.0\n');
  const checksums = JSON.parse(await readFile(join(world.cache, 'models/checksums.json'), 'utf8'));
  const expected = Object.fromEntries(manifest.models.alpha!.files!.map((file) => [file.path, file.sha256]));
  assert.deepEqual(checksums, { alpha: { version: '1.0.0', files: expected } });
  for (const directory of ['models', 'versions', 'downloads']) {
    assert.match(
      await readFile(join(world.cache, directory, 'CACHEDIR.TAG'), 'utf8'),
      /^Signature: 8a477f597d28d172789f06886806bc55/,
    );
  }
  assert.deepEqual(await readdir(join(world.cache, 'downloads/alpha')), []);
});

test('a name in another case than an installed one is refused before anything is fetched or written', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  const other = await createWorld(t);
  await other.release('1.1.0', { ALPHA: { version: '1.1.0' } });
  const before = await readdir(world.cache, { recursive: true });
  const refused = { code: 'invalid', message: /ALPHA/, hint: 'Did you mean alpha?' };
  const manager = world.manager({ manifestSources: [other.manifestUrl] });
  await assert.rejects(manager.ensureModel('ALPHA'), refused);
  assert.deepEqual(other.mirror.log.entries, []);
  await assert.rejects(manager.install('ALPHA'), refused);
  const { exitCode, stderr } = await world.run(['install', 'ALPHA@1.0.0', '--offline']);
  assert.equal(exitCode, 3);
  assert.match(stderr, /hint: Did you mean alpha\?/);
  const after = await readdir(world.cache, { recursive: true });
  assert.deepEqual(
    after.filter((path) => !path.startsWith('state')),
    before.filter((path) => !path.startsWith('state')),
  );
  assert.deepEqual(await checkModels(world.cache, [first]), { alpha: '1.0.0' });
});

test('what is installed answers without a request and without a write', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  const first = await manager.ensureModel('alpha');
  const requests = world.mirror.log.entries.length;
  const before = await treeStamp(world.cache);
  assert.deepEqual(await manager.ensureModel('alpha', { version: '^1.0.0' }), first);
  assert.equal(world.mirror.log.entries.length, requests);
  assert.deepEqual(await treeStamp(world.cache), before);
});

test('callers at the same time share one download, and one that gives up does not stop the others', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  const controller = new AbortController();
  const impatient = manager.ensureModel('alpha', { signal: controller.signal, onEvent: () => controller.abort() });
  const others = await Promise.all([
    manager.ensureModel('alpha'),
    manager.ensureModel('alpha'),
    world.manager().ensureModel('alpha'),
    impatient.catch((error: Error) => error),
  ]);
  assert.equal(others[0].version, '1.0.0');
  assert.ok(others[3] instanceof Error);
  const archive = world.mirror.log.entries.filter((entry) => entry.path.endsWith('.tar.gz'));
  const bytes = archive.reduce((sum, entry) => sum + entry.bytesOut, 0);
  const { size_bytes: size } = manifest.models.alpha!;
  assert.ok(bytes < size * 1.2, `${bytes} of ${size}`);
});

test('an abort ends the install, and the next one goes on from what was fetched', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 8, layerBytes: 500_000 } });
  const controller = new AbortController();
  let done = 0;
  const onEvent = (event: Event): void => {
    if (event.type !== 'progress') return;
    done = event.done;
    if (event.done > 2_000_000) controller.abort();
  };
  const manager = world.manager({ limitRate: 4_000_000 });
  await assert.rejects(manager.ensureModel('alpha', { signal: controller.signal, onEvent }), (error) => {
    return error instanceof Error && (error.name === 'AbortError' || isAircherError(error, 'interrupted'));
  });
  assert.ok(done > 2_000_000);
  const before = world.mirror.log.entries.reduce((sum, entry) => sum + entry.bytesOut, 0);
  await world.manager().ensureModel('alpha');
  const after = world.mirror.log.entries.reduce((sum, entry) => sum + entry.bytesOut, 0) - before;
  assert.ok(after < 3_000_000, `${after} bytes fetched again`);
});

test('an update fetches what changed, switches, keeps the old version, and tells that the space changes', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const manager = world.manager();
  const old = await manager.ensureModel('alpha');
  await manager.ensureModel('beta');
  const second = await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [3] } });
  const {
    models: [status],
  } = await manager.checkUpdates({ names: ['alpha'] });
  assert.equal(status?.status, 'update');
  assert.equal(status.space_change, 'changes');
  const { models: reports } = await manager.update();
  assert.deepEqual(
    reports.map(({ name, outcome, space_change: space }) => ({ name, outcome, space })),
    [
      { name: 'alpha', outcome: 'updated', space: 'changes' },
      { name: 'beta', outcome: 'up-to-date', space: 'same' },
    ],
  );
  const { bytes_fetched: fetched = 0 } = reports[0] ?? {};
  assert.ok(fetched > 150_000 && fetched < 260_000, `${fetched}`);
  assert.equal(status.bytes_to_fetch, fetched);
  assert.deepEqual(await checkModels(world.cache, [first, second]), { alpha: '1.1.0', beta: '1.0.0' });
  assert.deepEqual(await checksummedVersions(world.cache), { alpha: '1.1.0', beta: '1.0.0' });
  for (const file of old.files) await stat(file);
  assert.equal((await manager.ensureModel('alpha', { version: '1.0.0' })).path, old.path);
});

test("an install succeeds though what an earlier one left can't be deleted", {
  skip: process.getuid?.() !== 0 && 'needs to act as two users',
}, async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const user = 65534;
  const parent = join(world.cache, 'downloads/alpha');
  const left = join(parent, `1.0.0-${manifest.models.alpha!.sha256.slice(0, 16)}.left`);
  await mkdir(join(left, 'theirs'), { recursive: true });
  await writeFile(join(left, 'theirs/file'), 'x');
  await chmod(world.root, 0o755);
  for (const path of [world.cache, join(world.cache, 'downloads'), parent, left]) await chown(path, user, user);
  const result = await world.run(['install', 'alpha'], { uid: user });
  assert.equal(result.exitCode, 0, result.stderr);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  assert.equal((await readdir(parent)).length, 1, 'it is left to prune');
});

test('a flipped byte of the archive is refused, and nothing new is visible', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0, 1, 2, 3] } });
  const path = join(world.mirrorDirectory, 'models-v1.1.0/alpha.tar.gz');
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
  await assert.rejects(
    manager.update(),
    (error) => isAircherError(error) && ['integrity', 'remote'].includes(error.code),
  );
  assert.deepEqual(await checkModels(world.cache, [first]), { alpha: '1.0.0' });
  assert.deepEqual(await readdir(join(world.cache, 'versions/alpha')), ['1.0.0']);
});

test('verify finds damage, and --repair fetches the damaged pieces only', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 8, layerBytes: 300_000 } });
  const manager = world.manager();
  const { path } = await manager.ensureModel('alpha');
  assert.deepEqual((await manager.verify()).models[0]?.bad, []);
  const weights = join(path, 'model.safetensors');
  const bytes = await readFile(weights);
  for (const at of [400_000, 1_000_000, 2_000_000]) bytes[at]! ^= 0xff;
  await writeFile(weights, bytes);
  assert.deepEqual((await manager.verify()).models[0]?.bad, [{ path: 'model.safetensors', fault: 'content' }]);
  const damaged = await world.run(['verify']);
  assert.equal(damaged.exitCode, 4);
  assert.match(damaged.stderr, /verify --repair alpha/);
  const {
    models: [report],
  } = await manager.verify({ repair: true });
  assert.equal(report?.repaired, 3);
  assert.ok(report.bytes_fetched < 1_000_000, `${report.bytes_fetched}`);
  assert.deepEqual((await manager.verify()).models[0]?.bad, []);
});

test('verify tells of a release whose chunks do not make the file that its manifest names, and repairs nothing of it', async (t) => {
  const world = await createWorld(t);
  const { models } = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 8 } });
  const directory = join(world.mirrorDirectory, 'models-v1.0.0');
  const weights = models.alpha!.files!.find(({ path }) => path === 'model.safetensors')!;
  const other = sha256('another file');
  const right = await readFile(join(directory, 'alpha.tar.gz.index.json'), 'utf8');
  const index = right.replace(weights.sha256, other);
  await writeFile(join(directory, 'wrong.json'), index);
  const download_urls = { mirror: `${world.mirror.url}/models-v1.0.0/wrong.json` };
  const files = models.alpha!.files!.map((file) => (file === weights ? { ...file, sha256: other } : file));
  const entry = { files, index: { size_bytes: index.length, sha256: sha256(index), download_urls } };
  await world.release('1.1.0', { alpha: { version: '1.0.0', layers: 8, entry } });
  const manager = world.manager();
  await manager.install('alpha');
  const bad = [{ path: 'model.safetensors', fault: 'content' }];
  assert.deepEqual((await manager.verify()).models[0]?.bad, bad);
  await assert.rejects(manager.verify({ repair: true }), (error) => {
    assert.ok(isAircherError(error, 'integrity'));
    assert.match(error.message, /alpha@1\.0\.0: model\.safetensors differ from .* though each chunk is right/);
    return true;
  });
});

/** Every path in a tree with its time of change, so that any write shows. */
async function treeStamp(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true });
  const stamps = await Promise.all(entries.map(async (entry) => `${entry} ${(await stat(join(root, entry))).ctimeMs}`));
  return stamps.sort();
}
