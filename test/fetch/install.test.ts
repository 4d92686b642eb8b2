import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { checkModels, checksummedVersions, createWorld } from './world.ts';

test('install makes the layout of the contract: link, version, .version, checksums.json, tags', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const model = await world.manager().ensureModel('alpha');
  assert.equal(model.version, '1.0.0');
  assert.equal(model.path, join(world.cache, 'versions/alpha/1.0.0'));
  assert.equal(model.weights, join(model.path, 'model.safetensors'));
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

test('what is installed answers without a request and without a write, in milliseconds', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  const first = await manager.ensureModel('alpha');
  const requests = world.mirror.log.entries.length;
  const before = await treeStamp(world.cache);
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const startedAt = performance.now();
    assert.deepEqual(await manager.ensureModel('alpha', { version: '^1.0.0' }), first);
    times.push(performance.now() - startedAt);
  }
  assert.equal(world.mirror.log.entries.length, requests);
  assert.deepEqual(await treeStamp(world.cache), before);
  const median = times.sort((a, b) => a - b)[10]!;
  assert.ok(median < 5, `${median} ms`);
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
  const [status] = await manager.checkUpdates({ names: ['alpha'] });
  assert.equal(status?.status, 'update');
  assert.equal(status.space, 'changes');
  const reports = await manager.update();
  assert.deepEqual(
    reports.map(({ name, outcome, space }) => ({ name, outcome, space })),
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

test('--same-space leaves a model alone whose vectors change, and takes the others', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  await manager.install('beta');
  await world.release('1.1.0', {
    alpha: { version: '1.1.0', retrained: [1] },
    beta: { version: '1.0.1', space: 'beta ' },
  });
  const reports = await manager.update({ sameSpace: true });
  assert.deepEqual(
    reports.map(({ name, outcome, to }) => [name, outcome, to]),
    [
      ['alpha', 'other-space', '1.0.0'],
      ['beta', 'updated', '1.0.1'],
    ],
  );
});

test('old versions come by published_versions; ranges choose among them', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  await world.release('2.0.0', { alpha: { version: '2.0.0', retrained: [1, 2] } });
  const manager = world.manager();
  assert.equal((await manager.ensureModel('alpha', { version: '^1.0.0' })).version, '1.1.0');
  assert.equal((await manager.ensureModel('alpha', { version: '1.0.0' })).version, '1.0.0');
  assert.equal((await manager.ensureModel('alpha')).version, '1.1.0', 'the current one, never updated by itself');
  await assert.rejects(manager.ensureModel('alpha', { version: '^3.0.0' }), (error) =>
    isAircherError(error, 'invalid'),
  );
  await assert.rejects(manager.ensureModel('alpha', { version: 'newest' }), (error) => isAircherError(error, 'usage'));
});

test('an old manifest whose bytes are not those of the newest one’s digest is refused', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  const path = join(world.mirrorDirectory, 'models-v1.0.0/manifest.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('Apache-2.0', 'Apache-2.1'));
  await assert.rejects(world.manager().ensureModel('alpha', { version: '1.0.0' }), (error) =>
    isAircherError(error, 'integrity'),
  );
  assert.deepEqual(await checkModels(world.cache, []), {});
});

test('a withdrawn version is never installed anew unless asked by version, with a warning', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const yanked = [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }];
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } }, { yanked });
  const manager = world.manager();
  assert.equal((await manager.ensureModel('alpha')).version, '1.0.0');
  const events: Event[] = [];
  const asked = await manager.ensureModel('alpha', { version: '1.1.0', onEvent: (event) => events.push(event) });
  assert.equal(asked.version, '1.1.0');
  assert.ok(events.some((event) => event.type === 'warning' && /wrong pooling/.test(event.problem.message)));
});

test('an update leaves a withdrawn version, even for an older one', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  const manager = world.manager();
  await manager.install('alpha');
  const yanked = [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }];
  await world.release('1.1.1', {}, { yanked });
  const [status] = await manager.checkUpdates();
  assert.equal(status?.yanked, 'wrong pooling');
  assert.deepEqual([status?.status, status?.available], ['update', '1.0.0']);
  const [report] = await manager.update();
  assert.deepEqual([report?.outcome, report?.to], ['updated', '1.0.0']);
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

test('a real directory at models/<name> with a release’s files is adopted without downloading them', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const place = join(world.cache, 'models/alpha');
  await mkdir(join(world.cache, 'models'), { recursive: true });
  await cp(world.path('sources/alpha/1.0.0'), place, { recursive: true });
  await writeFile(join(place, '.version'), '1.0.0\n');
  const report = await world.manager().install('alpha');
  assert.equal(report.outcome, 'adopted');
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  assert.ok(!world.mirror.log.entries.some((entry) => entry.path.endsWith('.tar.gz')));
  assert.equal(await stat(join(world.cache, 'set-aside')).catch(() => 'gone'), 'gone');
});

test('a real directory with other files is moved aside, not lost, and told of', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const place = join(world.cache, 'models/alpha');
  await cp(world.path('sources/alpha/1.0.0'), place, { recursive: true });
  await writeFile(join(place, 'config.json'), 'my own\n');
  const events: Event[] = [];
  await world.manager().ensureModel('alpha', { onEvent: (event) => events.push(event) });
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  const [aside = ''] = await readdir(join(world.cache, 'set-aside'));
  assert.equal(await readFile(join(world.cache, 'set-aside', aside, 'config.json'), 'utf8'), 'my own\n');
  assert.ok(events.some((event) => event.type === 'warning' && event.problem.message.includes(aside)));
});

test('any command heals a lost link, a foreign link, checksums.json and .version', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  await rm(join(world.cache, 'models/alpha'));
  await symlink('../versions/alpha/9.9.9', join(world.cache, 'models/alpha'));
  await rm(join(world.cache, 'versions/alpha/1.0.0/.version'));
  await writeFile(join(world.cache, 'models/checksums.json'), '{}');
  await symlink('../versions/gone/1.0.0', join(world.cache, 'models/gone'));
  const listed = await world.run(['list', '--json']);
  assert.equal(listed.exitCode, 0, listed.stderr);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  assert.deepEqual(await checksummedVersions(world.cache), { alpha: '1.0.0' });
});

test('a lost state/ costs no download of a version that is still there byte for byte', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  await rm(join(world.cache, 'state'), { recursive: true });
  const requests = world.mirror.log.entries.length;
  assert.equal((await world.manager().install('alpha')).outcome, 'adopted');
  const later = world.mirror.log.entries.slice(requests).map((entry) => entry.path);
  assert.deepEqual(
    later.filter((path) => path.includes('tar')),
    [],
  );
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  await rm(join(world.cache, 'state'), { recursive: true });
  await writeFile(join(world.cache, 'versions/alpha/1.0.0/config.json'), 'other\n');
  assert.equal((await world.manager().install('alpha')).outcome, 'installed');
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
});

test('verify finds damage, and --repair fetches the damaged pieces only', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 8, layerBytes: 300_000 } });
  const manager = world.manager();
  const { path } = await manager.ensureModel('alpha');
  assert.deepEqual((await manager.verify())[0]?.bad, []);
  const weights = join(path, 'model.safetensors');
  const bytes = await readFile(weights);
  for (const at of [400_000, 1_000_000, 2_000_000]) bytes[at]! ^= 0xff;
  await writeFile(weights, bytes);
  assert.deepEqual((await manager.verify())[0]?.bad, [{ path: 'model.safetensors', fault: 'content' }]);
  const damaged = await world.run(['verify']);
  assert.equal(damaged.exitCode, 4);
  assert.match(damaged.stderr, /verify --repair alpha/);
  const [report] = await manager.verify({ repair: true });
  assert.equal(report?.repaired, 3);
  assert.ok(report.bytes_fetched < 1_000_000, `${report.bytes_fetched}`);
  assert.deepEqual((await manager.verify())[0]?.bad, []);
});

test('rollback pins, update passes it over, unpin lets it go; prune and remove give space back', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  const second = await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  await manager.update();
  assert.deepEqual(await manager.rollback('alpha'), {
    name: 'alpha',
    from: '1.1.0',
    to: '1.0.0',
    pinned: true,
    space: 'changes',
  });
  assert.deepEqual(await checkModels(world.cache, [first, second]), { alpha: '1.0.0' });
  assert.equal((await manager.update())[0]?.outcome, 'pinned');
  assert.equal((await manager.checkUpdates())[0]?.status, 'pinned');
  assert.equal(await manager.unpin('alpha'), '1.0.0');
  assert.equal((await manager.update())[0]?.outcome, 'updated');
  await manager.pin('alpha', '1.0.0');
  assert.deepEqual(
    (await manager.prune({ dryRun: true })).map((item) => item.version),
    ['1.1.0'],
  );
  await manager.unpin('alpha');
  await manager.prune({ keep: 2 });
  assert.equal((await manager.list()).length, 2);
  await manager.prune();
  assert.deepEqual(
    (await manager.list()).map((version) => version.version),
    ['1.0.0'],
  );
  await manager.remove('alpha');
  assert.deepEqual(await manager.list(), []);
  assert.deepEqual(await readdir(join(world.cache, 'versions')), ['CACHEDIR.TAG']);
  assert.deepEqual(await checksummedVersions(world.cache), {});
});

/** Every path in a tree with its time of change, so that any write shows. */
async function treeStamp(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true });
  const stamps = await Promise.all(entries.map(async (entry) => `${entry} ${(await stat(join(root, entry))).ctimeMs}`));
  return stamps.sort();
}
