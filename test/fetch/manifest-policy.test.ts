import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { formatPublicKey } from '../../src/trust/minisign.ts';
import { type SecretKey, secretKeyOf } from '../../src/trust/secret-key.ts';
import { checkModels, createWorld, type World } from './world.ts';

const alpha = { alpha: { version: '1.0.0' } };
const newKey = (): SecretKey => secretKeyOf(randomBytes(32), randomBytes(8));
const lineOf = (key: SecretKey): string => formatPublicKey(key.publicKey);
const refuses = (code: 'integrity' | 'remote' | 'usage' | 'invalid') => (error: unknown) => {
  assert.ok(isAircherError(error, code), `${error}`);
  return true;
};
const warnings = (events: readonly Event[]): string =>
  events
    .flatMap((event) => (event.type === 'warning' ? [`${event.problem.file} ${event.problem.message}`] : []))
    .join('\n');

test('with a public key only a well-signed manifest counts: unsigned, foreign, flipped or cut ones are exit 4', async (t) => {
  const world = await createWorld(t);
  const key = newKey();
  const publicKeys = [lineOf(key)];
  await world.release('1.0.0', alpha);
  await assert.rejects(world.manager({ publicKeys }).ensureModel('alpha'), refuses('integrity'));
  await world.release('1.0.0', alpha, { key: newKey() });
  await assert.rejects(world.manager({ publicKeys }).ensureModel('alpha'), refuses('integrity'));
  await world.release('1.0.0', alpha, { key });
  const places = ['manifest.json', 'manifest.json.minisig'].flatMap((name) => [
    join(world.mirrorDirectory, name),
    join(world.mirrorDirectory, 'models-v1.0.0', name),
  ]);
  for (const name of ['manifest.json', 'manifest.json.minisig']) {
    const good = await readFile(join(world.mirrorDirectory, name));
    // The first line of a signature file is the untrusted comment, which nothing covers.
    for (const at of [good.indexOf('\n') + 10, good.length >> 1, good.length - 10]) {
      const bad = Buffer.from(good);
      bad[at]! ^= 1;
      for (const place of places) if (place.endsWith(name)) await writeFile(place, bad);
      await assert.rejects(
        world.manager({ publicKeys }).ensureModel('alpha'),
        refuses('integrity'),
        `${name} at ${at}`,
      );
    }
    for (const place of places) if (place.endsWith(name)) await writeFile(place, good);
  }
  assert.deepEqual(await checkModels(world.cache, []), {});
  assert.equal((await world.manager({ publicKeys }).ensureModel('alpha')).version, '1.0.0');
});

test('a host that gives the signature only later (403 with Retry-After) failed; its manifest is not called unsigned', async (t) => {
  const world = await createWorld(t);
  const key = newKey();
  await world.release('1.0.0', alpha, { key });
  const action = { kind: 'status', status: 403, headers: { 'retry-after': '3600' } } as const;
  world.mirror.faults.add({ match: { path: '\\.minisig$' }, times: 'always', action });
  await assert.rejects(world.manager({ publicKeys: [lineOf(key)] }).listRemote(), refuses('remote'));
});

test('a manifest and signature that do not match yet are fetched again as a pair from the release’s own place', async (t) => {
  const world = await createWorld(t);
  const key = newKey();
  await world.release('1.0.0', alpha, { key });
  const old = await readFile(join(world.mirrorDirectory, 'manifest.json.minisig'));
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } }, { key });
  await writeFile(join(world.mirrorDirectory, 'manifest.json.minisig'), old);
  assert.equal((await world.manager({ publicKeys: [lineOf(key)] }).ensureModel('alpha')).version, '1.1.0');
});

test('announced keys take the place of the given ones, for good', async (t) => {
  const world = await createWorld(t);
  const [first, second, third] = [newKey(), newKey(), newKey()];
  const publicKeys = [lineOf(first)];
  await world.release('1.0.0', alpha, { key: first, signing: { public_keys: [lineOf(second)] } });
  await world.manager({ publicKeys }).install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } }, { key: first });
  await assert.rejects(world.manager({ publicKeys }).update(), refuses('integrity'));
  await world.release(
    '1.2.0',
    { alpha: { version: '1.2.0' } },
    { key: second, signing: { public_keys: [lineOf(third)] } },
  );
  assert.equal((await world.manager({ publicKeys }).update()).models[0]?.to, '1.2.0');
  await world.release('1.3.0', { alpha: { version: '1.3.0' } }, { key: third });
  assert.equal((await world.manager({ publicKeys }).update()).models[0]?.to, '1.3.0');
  assert.equal((await world.manager({ publicKeys }).update()).models[0]?.outcome, 'up-to-date', 'the same bytes again');
  await assert.rejects(
    world.manager({ publicKeys, cacheDir: world.path('fresh') }).ensureModel('alpha'),
    refuses('integrity'),
    'a fresh machine with the old key',
  );
});

test('clients with the old and the new key share what one cache has learned', async (t) => {
  const world = await createWorld(t);
  const [first, second, foreign] = [newKey(), newKey(), newKey()];
  const [old, renewed] = [{ publicKeys: [lineOf(first)] }, { publicKeys: [lineOf(second)] }];
  const signing = { public_keys: [lineOf(second)] };
  await world.release('1.0.0', alpha, { key: first, signing });
  await world.manager(old).install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } }, { key: second, signing });
  assert.equal((await world.manager(renewed).update()).models[0]?.to, '1.1.0');
  await world.release('1.2.0', { alpha: { version: '1.2.0' } }, { key: first, signing });
  for (const options of [old, renewed, old]) {
    await assert.rejects(world.manager(options).update(), refuses('integrity'), 'the old key counts no more');
  }
  await world.release('1.3.0', { alpha: { version: '1.3.0' } }, { key: second, signing });
  assert.equal((await world.manager(old).update()).models[0]?.to, '1.3.0');
  assert.equal((await world.manager(renewed).update()).models[0]?.outcome, 'up-to-date');
  await assert.rejects(world.manager({ publicKeys: [lineOf(foreign)] }).update(), refuses('integrity'));
});

test('what a client without keys accepted does not count for one with a key', async (t) => {
  const world = await createWorld(t);
  const key = newKey();
  const keyed = world.manager({ publicKeys: [lineOf(key)] });
  await world.release('1.0.0', alpha, { key });
  await keyed.install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  assert.equal((await world.manager().update()).models[0]?.to, '1.1.0');
  await assert.rejects(keyed.install('alpha', { version: '>1.1.0' }), refuses('integrity'));
  await assert.rejects(keyed.update(), refuses('integrity'));
});

test('who stops trusting a key does not trust what it announced', async (t) => {
  const world = await createWorld(t);
  const [leaked, kept, evil] = [newKey(), newKey(), newKey()];
  await world.release('1.0.0', alpha, { key: leaked, signing: { public_keys: [lineOf(kept), lineOf(evil)] } });
  await world.manager({ publicKeys: [lineOf(leaked), lineOf(kept)] }).install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } }, { key: evil });
  await assert.rejects(world.manager({ publicKeys: [lineOf(kept)] }).update(), refuses('integrity'));
});

test('a key that is set later makes what was accepted without it not count', async (t) => {
  const world = await createWorld(t);
  const key = newKey();
  await world.release('9.0.0', alpha);
  await world.manager().install('alpha');
  await rm(world.mirrorDirectory, { recursive: true });
  await mkdir(world.mirrorDirectory);
  await world.release('1.1.0', { alpha: { version: '1.1.0' } }, { key });
  const manager = world.manager({ publicKeys: [lineOf(key)] });
  assert.equal((await manager.update()).models[0]?.to, '1.1.0');
});

test('a manifest of another namespace is refused', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha, { namespace: 'other' });
  await assert.rejects(world.manager().ensureModel('alpha'), refuses('integrity'));
  const unfixed = { namespace: undefined, cacheDir: world.path('c') };
  await world.manager(unfixed).ensureModel('alpha');
  await world.release('1.1.0', { beta: { version: '1.0.0' } }, { namespace: 'third' });
  await assert.rejects(
    world.manager(unfixed).ensureModel('beta'),
    refuses('integrity'),
    'the cache is of the first one',
  );
});

test('an older manifest: refused where it is named, unless a downgrade is allowed; passed over on a lagging mirror', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha);
  const old = `${world.mirror.url}/models-v1.0.0/manifest.json`;
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  await world.manager().install('alpha');
  await assert.rejects(world.manager({ manifestSources: [old] }).listRemote(), refuses('integrity'));
  const events: Event[] = [];
  const env = { AIRCHER_MANIFEST_URL: old };
  const lagging = world.manager({ manifestSources: undefined, env });
  const {
    models: [model],
  } = await lagging.listRemote({ onEvent: (event) => events.push(event) });
  assert.equal(model?.version, '1.1.0');
  assert.match(warnings(events), /models-v1\.0\.0\/manifest\.json lags behind/);
  const allowed = world.manager({ manifestSources: [old], allowDowngrade: true });
  assert.equal((await allowed.listRemote()).models[0]?.version, '1.0.0');
});

test('of several sources the newest good manifest wins; bad and lagging ones are named', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha);
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  await cp(join(world.mirrorDirectory, 'manifest.json'), world.path('manifest.json'));
  await writeFile(world.path('broken.json'), '<html>');
  const events: Event[] = [];
  const manager = world.manager({
    manifestSources: [
      world.path('broken.json'),
      `${world.mirror.url}/models-v1.0.0/manifest.json`,
      world.path('manifest.json'),
      'http://127.0.0.1:1/manifest.json',
    ],
  });
  const {
    models: [model],
  } = await manager.listRemote({ onEvent: (event) => events.push(event) });
  assert.equal(model?.version, '1.1.0');
  const said = warnings(events);
  for (const part of [/broken\.json/, /models-v1\.0\.0\/manifest\.json lags/, /127\.0\.0\.1:1/])
    assert.match(said, part);
});

test('a source that hangs does not hold up the others for long', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha);
  world.mirror.faults.add({ match: { path: /slow/ }, action: { kind: 'stall', of: 'response', atByte: 0 } });
  const startedAt = performance.now();
  const manager = world.manager({ manifestSources: [`${world.mirror.url}/slow/manifest.json`, world.manifestUrl] });
  assert.equal((await manager.ensureModel('alpha')).version, '1.0.0');
  assert.ok(performance.now() - startedAt < 10_000);
  manager.close();
});

test('every source down: what is installed and what was accepted go on working, with a warning', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { ...alpha, beta: { version: '1.0.0' } });
  await world.manager().install('alpha');
  const env = { AIRCHER_MANIFEST_URL: 'http://127.0.0.1:1/manifest.json' };
  const manager = world.manager({ manifestSources: undefined, env });
  assert.equal((await manager.ensureModel('alpha')).version, '1.0.0');
  const events: Event[] = [];
  const beta = await manager.ensureModel('beta', { onEvent: (event) => events.push(event) });
  assert.equal(beta.version, '1.0.0', 'its mirror still answers');
  assert.match(warnings(events), /no manifest source answers/);
  await assert.rejects(manager.checkUpdates(), refuses('remote'), 'nobody knows of updates');
  await assert.rejects(
    world.manager({ cacheDir: world.path('fresh'), manifestSources: undefined, env }).ensureModel('alpha'),
    refuses('remote'),
  );
  await assert.rejects(
    world.manager({ manifestSources: [], cacheDir: world.path('fresh') }).ensureModel('alpha'),
    refuses('usage'),
  );
});

test('past expires_at: updates are refused loudly, what is installed works, verify and list too', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha);
  await world.manager().install('alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } }, { expires_at: '2020-01-01T00:00:00Z' });
  await assert.rejects(world.manager().update(), refuses('integrity'));
  const events: Event[] = [];
  await world.manager().checkUpdates({ onEvent: (event) => events.push(event) });
  assert.match(warnings(events), /expired at 2020/);
  assert.equal((await world.manager().ensureModel('alpha')).version, '1.0.0');
  assert.deepEqual((await world.manager().verify()).models[0]?.bad, []);
});

test('--release takes another release by tag or version: an old one by its digest, a prerelease by its own place', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha, { expires_at: '2020-01-01T00:00:00Z' });
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  await world.release('2.0.0-rc.1', { alpha: { version: '2.0.0-rc.1' } }, { unannounced: true });
  const install = async (release: string): Promise<string> => {
    const cacheDir = world.path('cache', release);
    return (await world.manager({ release, cacheDir }).install('alpha')).version;
  };
  assert.equal(await install('1.0.0'), '1.0.0');
  assert.equal(await install('models-v1.0.0'), '1.0.0');
  assert.equal(await install('1.1.0'), '1.1.0');
  assert.equal(await install('2.0.0-rc.1'), '2.0.0-rc.1');
  await assert.rejects(install('7.0.0'), refuses('invalid'));
});

test('nothing new is asked for conditionally and answered from what is stored', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', alpha);
  await world.manager().install('alpha');
  const before = world.mirror.log.entries.length;
  assert.equal((await world.manager().update()).models[0]?.outcome, 'up-to-date');
  const answers = world.mirror.log.entries.slice(before).map((entry) => [entry.path, entry.status]);
  assert.deepEqual(
    answers.filter(([path]) => path === '/manifest.json'),
    [['/manifest.json', 304]],
  );
});

test('hostile manifests are refused with 3 or 4 in bounded time, and nothing leaves the cache', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', alpha);
  const entry = manifest.models.alpha!;
  const file = entry.files![0]!;
  const hostile: readonly (readonly [string, unknown])[] = [
    ['traversal', { ...entry, files: [{ ...file, path: '../../../evil' }] }],
    ['absolute', { ...entry, files: [{ ...file, path: '/etc/evil' }] }],
    ['device', { ...entry, files: [{ ...file, path: 'aux.txt' }] }],
    [
      'case clash',
      {
        ...entry,
        files: [file, { ...file, path: file.path.toLowerCase() }, { ...file, path: file.path.toUpperCase() }],
      },
    ],
    ['negative size', { ...entry, size_bytes: -1 }],
    ['fraction', { ...entry, size_bytes: 1.5 }],
    ['huge', { ...entry, size_bytes: 1e300 }],
    ['version with slash', { ...entry, version: '1.0.0/../../x' }],
    ['file scheme', { ...entry, download_urls: { mirror: 'file:///etc/passwd' } }],
    ['our own file', { ...entry, index: undefined, files: undefined, sha256: 'x' }],
  ];
  for (const [name, model] of hostile)
    await refused(world, name, JSON.stringify({ ...manifest, models: { alpha: model } }));
  const text = JSON.stringify(manifest);
  await refused(world, 'deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  await refused(world, 'duplicate key', text.replace('"release":', '"release":"models-v0.0.1","release":'));
  await refused(world, 'prototype', text.replace('"models":{', '"models":{"__proto__":{},'));
  await refused(world, 'model name', text.replace('"alpha":', '"../alpha":'));
  await refused(world, 'newer major', text.replace('"1.0.0"', '"2.0.0"'), /Update the client/);
  await refused(world, 'large', `${text.slice(0, -1)},"x":"${'x'.repeat(70_000_000)}"}`);
});

async function refused(world: World, name: string, text: string, hint?: RegExp): Promise<void> {
  await writeFile(join(world.mirrorDirectory, 'manifest.json'), text);
  const startedAt = performance.now();
  await assert.rejects(
    world.manager().ensureModel('alpha'),
    (error) => {
      assert.ok(isAircherError(error) && ['invalid', 'integrity'].includes(error.code), `${name}: ${error}`);
      if (hint) assert.match(`${error.hint}`, hint);
      return true;
    },
    name,
  );
  assert.ok(performance.now() - startedAt < 5000, name);
  assert.deepEqual(await checkModels(world.cache, []), {});
}
