import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event } from '../../src/core/events.ts';
import { checkModels, checksummedVersions, createWorld } from './world.ts';

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

test('pin and rollback move a real directory of somebody else aside, and tell of it', async (t) => {
  const world = await createWorld(t);
  const old = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  const next = await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  await world.manager().update({ names: ['alpha'] });
  const place = join(world.cache, 'models/alpha');
  for (const command of [
    ['pin', 'alpha@1.1.0'],
    ['rollback', 'alpha'],
  ]) {
    await rm(place);
    await mkdir(place);
    await writeFile(join(place, 'notes.txt'), 'my own\n');
    const { exitCode, stderr } = await world.run(command);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /held files of no published version of alpha; they were moved to/);
  }
  const kept = await readdir(join(world.cache, 'set-aside'));
  assert.equal(kept.length, 2);
  for (const name of kept)
    assert.equal(await readFile(join(world.cache, 'set-aside', name, 'notes.txt'), 'utf8'), 'my own\n');
  assert.deepEqual(await checkModels(world.cache, [old, next]), { alpha: '1.0.0' });
});

test('any command heals a lost link, a foreign link, checksums.json and .version', {
  skip: process.platform === 'win32' && 'the links of a cache are junctions there',
}, async (t) => {
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
