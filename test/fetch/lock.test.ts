import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type LockFile, parseLockFile } from '../../src/contract/lock-file.ts';
import type { Manifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { ensureModel } from '../../src/fetch/index.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import { lineOf, newKey } from '../trust-cases/trust-scene.ts';
import { fp16, onnx, threeWeights } from './part-scene.ts';
import { checkModels, createWorld, type World } from './world.ts';

interface LockScene {
  readonly world: World;
  readonly path: string;
  readonly manifest: Manifest;
  read(): Promise<LockFile>;
  /** Changes the lock file, as an attacker or an editor would. */
  edit(change: (lock: object) => void): Promise<void>;
}

/** Puts a value at a path such as `models.alpha.space`. */
function setIn(document: object, path: string, value: unknown): void {
  const [last = '', ...above] = path.split('.').reverse();
  let place = document as Record<string, object>;
  for (const key of above.reverse()) place = place[key] as Record<string, object>;
  Object.assign(place, { [last]: value });
}

/** A lock of alpha 1.0.0, which has three weights. */
async function lockScene(t: TestContext, ...weights: readonly string[]): Promise<LockScene> {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: threeWeights, beta: { version: '1.0.0' } });
  const path = world.path('models.lock');
  const { exitCode, stderr } = await world.run(['lock', 'alpha', ...weights.flatMap((one) => ['--weights', one])]);
  assert.equal(exitCode, 0, stderr);
  const read = async (): Promise<LockFile> => parseLockFile(await readFile(path), path);
  const edit = async (change: (lock: object) => void): Promise<void> => {
    const lock = JSON.parse(await readFile(path, 'utf8'));
    change(lock);
    await writeFile(path, JSON.stringify(lock));
  };
  return { world, path, manifest, read, edit };
}

/** Requests for manifests, checksums and their signatures: what is no artifact of a model. */
function askedForManifests({ mirror }: World): readonly string[] {
  return mirror.log.entries.map(({ path }) => path).filter((path) => !/\.tar\.gz(\.index\.json)?$/.test(path));
}

test('lock writes the entry, its release and digest, weights, space, sources and namespace, in one form', async (t) => {
  const { world, path, manifest, read } = await lockScene(t);
  const lock = await read();
  const bytes = await readFile(join(world.mirrorDirectory, 'models-v1.0.0/manifest.json'));
  const entry = manifest.models.alpha!;
  assert.deepEqual(lock, {
    lock_version: 1,
    namespace: 'test',
    sources: [world.manifestUrl],
    public_keys: [],
    models: {
      alpha: {
        release: 'models-v1.0.0',
        manifest_sha256: sha256(bytes),
        weights: ['default'],
        space: entry.embedding?.space,
        entry,
      },
    },
  });
  const before = await readFile(path);
  assert.equal((await world.run(['lock', 'alpha'])).exitCode, 0);
  assert.deepEqual(await readFile(path), before);
  // Another one is added, and what is there stays.
  assert.equal((await world.run(['lock', 'beta@^1.0.0'])).exitCode, 0);
  const both = await read();
  assert.deepEqual(Object.keys(both.models), ['alpha', 'beta']);
  assert.deepEqual(both.models.alpha, lock.models.alpha);
  assert.equal(both.models.beta?.range, '^1.0.0');
});

test('--frozen brings what is locked though a newer version is out, and asks no manifest source', async (t) => {
  const { world, manifest } = await lockScene(t, onnx, 'fp16/model.safetensors');
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  world.mirror.log.clear();
  const { exitCode, stdout, stderr } = await world.run(['install', '--frozen', '--json']);
  assert.equal(exitCode, 0, stderr);
  const [model] = JSON.parse(stdout).models;
  assert.equal(model.version, '1.0.0');
  const weights = manifest.models.alpha?.weights?.find(({ path }) => path === onnx);
  assert.equal(model.space, weights?.space);
  assert.equal(model.weights_path, join(world.cache, 'versions/alpha/1.0.0', onnx));
  assert.deepEqual(await checkModels(world.cache, [manifest]).catch(() => 'a part'), 'a part');
  assert.deepEqual(askedForManifests(world), []);
  assert.ok(world.mirror.log.entries.length > 0);
  // Where all is there, nobody is asked for anything.
  world.mirror.log.clear();
  assert.equal((await world.run(['install', 'alpha', '--frozen', '--weights', fp16])).exitCode, 0);
  assert.deepEqual(world.mirror.log.entries, []);
});

test('the library goes by a lock file, in the cache of its namespace, without asking for that', async (t) => {
  const { world, path } = await lockScene(t);
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  world.mirror.log.clear();
  const options = { lock: path, env: { XDG_CACHE_HOME: world.path('caches') } };
  const model = await ensureModel('alpha', options);
  assert.equal(model.version, '1.0.0');
  assert.equal(model.path, world.path('caches/test/versions/alpha/1.0.0'));
  assert.deepEqual(askedForManifests(world), []);
  world.mirror.log.clear();
  assert.deepEqual(await ensureModel('alpha', { ...options, offline: true, version: '^1.0.0' }), model);
  assert.deepEqual(world.mirror.log.entries, []);
  const manager = world.manager({ manifestSources: undefined, lock: path });
  assert.equal((await manager.install('alpha')).version, '1.0.0');
  await assert.rejects(manager.install('alpha', { version: '^2.0.0' }), { code: 'usage', message: /not \^2\.0\.0/ });
});

test('a name, a version or weights that the lock lacks, and a lock that is not there, are wrong usage', async (t) => {
  const { world, path } = await lockScene(t, onnx);
  world.mirror.log.clear();
  const wrong: readonly (readonly [args: string, says: RegExp])[] = [
    ['install beta --frozen', /models\.lock has no beta\.\nhint: Lock it: lock beta/],
    ['install alphq --frozen', /Did you mean alpha\?/],
    ['install alpha@2.0.0 --frozen', /has alpha 1\.0\.0, not 2\.0\.0/],
    ['install alpha --frozen --weights default', /not default\.\nhint: Lock them: lock alpha --weights onnx/],
    ['install alpha --frozen --weights all', /not all/],
    ['install alpha --frozen --weights gguf', /not gguf\.\nhint: alpha 1\.0\.0 has: default, all, \S+/],
    ['install --frozen --lock other.lock', /other\.lock is not there\.\nhint: Write it: lock NAME…/],
    ['lock --update --lock other.lock', /other\.lock is not there/],
    ['install alpha --lock models.lock', /--lock goes with --frozen/],
    ['lock', /Which model\?/],
    ['lock --update --check', /one of both/],
  ];
  for (const [args, says] of wrong) {
    const { exitCode, stderr } = await world.run(args.split(' '));
    assert.equal(exitCode, 2, `${args}: ${stderr}`);
    assert.match(stderr, says, args);
  }
  await assert.rejects(world.manager({ lock: path }).ensureModel('beta'), { code: 'usage' });
  assert.deepEqual(world.mirror.log.entries, []);
});

test('what was changed in a lock is refused: digests, the space, the namespace, the form', async (t) => {
  const { world, path, edit } = await lockScene(t);
  const good = await readFile(path);
  const changes: readonly (readonly [exit: number, says: RegExp, change: (lock: object) => void])[] = [
    [4, /sha256|another archive/, (lock) => setIn(lock, 'models.alpha.entry.sha256', '0'.repeat(64))],
    [4, /its files are others/, (lock) => setIn(lock, 'models.alpha.entry.files.0.sha256', '0'.repeat(64))],
    [4, /another sha256/, (lock) => setIn(lock, 'models.alpha.entry.index.sha256', '0'.repeat(64))],
    [3, /the space of alpha/, (lock) => setIn(lock, 'models.alpha.space', '0'.repeat(64))],
    [3, /has no weights gguf/, (lock) => setIn(lock, 'models.alpha.weights', ['default', 'gguf'])],
    [3, /must be 1/, (lock) => setIn(lock, 'lock_version', 0)],
    [3, /newer than this client/, (lock) => setIn(lock, 'lock_version', 2)],
    [3, /Did you mean "manifest_sha256"\?/, (lock) => setIn(lock, 'models.alpha.manifest_sha', '')],
    [3, /Did you mean "sources"\?/, (lock) => setIn(lock, 'source', [])],
  ];
  for (const [exit, says, change] of changes) {
    await writeFile(path, good);
    await edit(change);
    const { exitCode, stderr } = await world.run(['install', '--frozen'], { cache: world.path('fresh') });
    assert.match(stderr, says);
    assert.equal(exitCode, exit, stderr);
  }
  // Where it is installed, too.
  await writeFile(path, good);
  assert.equal((await world.run(['install', '--frozen'])).exitCode, 0);
  await edit((lock) => setIn(lock, 'models.alpha.entry.sha256', '0'.repeat(64)));
  const { exitCode, stderr } = await world.run(['install', '--frozen']);
  assert.match(stderr, /alpha 1\.0\.0 is installed with other content than models\.lock says/);
  assert.equal(exitCode, 4);
  // A client of one publisher, and the lock of another.
  await writeFile(path, good);
  const other = world.manager({ namespace: 'acme', lock: path });
  await assert.rejects(other.ensureModel('alpha'), {
    code: 'integrity',
    message: /the namespace "test", not of "acme"/,
  });
  await assert.rejects(other.ensureModel('alpha', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('where bytes are not those of the lock, the lock is named, and how to hold it against its release', async (t) => {
  const { world, path, edit } = await lockScene(t);
  const good = await readFile(path);
  const flips: readonly (readonly [place: string, value: unknown])[] = [
    ['sha256', '0'.repeat(64)],
    ['files.0.sha256', '0'.repeat(64)],
    ['index.sha256', '0'.repeat(64)],
    ['size_bytes', 1000],
  ];
  for (const [place, value] of flips) {
    await writeFile(path, good);
    await edit((lock) => setIn(lock, `models.alpha.entry.${place}`, value));
    const { exitCode, stderr } = await world.run(['install', '--frozen'], { cache: world.path('fresh') });
    assert.equal(exitCode, 4, `${place}: ${stderr}`);
    assert.match(stderr, /hint: models\.lock says what .*: lock --check/, place);
    assert.doesNotMatch(stderr, /maintainer/, place);
  }
});

test('lock NAME keeps version and range, and hints lead to them; a range or latest goes on', async (t) => {
  const { world, path, read, edit } = await lockScene(t, onnx);
  assert.equal((await world.run(['lock', 'alpha@^1.0.0'])).exitCode, 0);
  await world.release('1.1.0', { alpha: { ...threeWeights, version: '1.1.0', retrained: [0] } });
  await world.release('2.0.0', { alpha: { ...threeWeights, version: '2.0.0', retrained: [1] } });
  const locked = async (): Promise<readonly unknown[]> => {
    const { range, entry, weights } = (await read()).models.alpha!;
    return [range, entry.version, weights];
  };
  /** Does what the hint says, in the words of a shell. */
  const follow = async (stderr: string): Promise<void> => {
    const [, words = ''] = /hint: .*: lock (.*)$/m.exec(stderr) ?? [];
    assert.notEqual(words, '', stderr);
    const { exitCode, stderr: says } = await world.run([
      'lock',
      ...words.split(' ').map((one) => one.replaceAll("'", '')),
    ]);
    assert.equal(exitCode, 0, says);
  };
  await follow((await world.run(['install', 'alpha', '--frozen', '--weights', fp16])).stderr);
  assert.deepEqual(await locked(), ['^1.0.0', '1.0.0', [onnx, fp16]]);
  const good = await readFile(path);
  for (const [command, place, value] of [
    ['install --frozen', 'space', '0'.repeat(64)],
    ['lock --check', 'manifest_sha256', '0'.repeat(64)],
    ['lock --check', 'entry.commercial_use', false],
  ] as const) {
    await edit((lock) => setIn(lock, `models.alpha.${place}`, value));
    await follow((await world.run(command.split(' '))).stderr);
    assert.deepEqual(await readFile(path), good, place);
  }
  // Another file than the default is named, quoted where a shell needs it.
  await cp(path, world.path('other one.lock'));
  const other = await world.run(['install', 'alpha@^2.0.0', '--frozen', '--lock', 'other one.lock']);
  assert.match(other.stderr, /hint: Lock that: lock 'alpha@\^2\.0\.0' --lock 'other one\.lock'/);
  assert.equal((await world.run(['lock', 'alpha@^1.1.0'])).exitCode, 0);
  assert.deepEqual(await locked(), ['^1.1.0', '1.1.0', [onnx, fp16]]);
  assert.equal((await world.run(['lock', 'alpha@latest'])).exitCode, 0);
  assert.deepEqual(await locked(), [undefined, '2.0.0', [onnx, fp16]]);
});

test('lock --check tells weights that the entry lacks, and a licence that the policy of the lock refuses', async (t) => {
  const { world, path, edit } = await lockScene(t);
  const good = await readFile(path);
  const check = async (exit: number, says: RegExp, place: string, value: unknown): Promise<void> => {
    await writeFile(path, good);
    await edit((lock) => setIn(lock, place, value));
    const { exitCode, stderr } = await world.run(['lock', '--check']);
    assert.equal(exitCode, exit, stderr);
    assert.match(stderr, says);
  };
  await check(3, /has no weights gguf\.\nhint: Lock others: .* There are: default, all, /, 'models.alpha.weights', [
    'gguf',
  ]);
  await check(11, /licence of alpha 1\.0\.0.*\(models\.lock\)/, 'licenses', { allow: ['LicenseRef-none'] });
  await writeFile(path, good);
  assert.match(
    (await world.run(['lock', '--check'])).stdout,
    /^MODEL +LOCKED +OFFERED +RELEASE +STATUS\n.* up-to-date$/,
  );
});

test('a lock without models is wrong usage', async (t) => {
  const { world, edit } = await lockScene(t);
  await edit((lock) => setIn(lock, 'models', {}));
  for (const args of ['lock --check', 'lock --update', 'install --frozen']) {
    const { exitCode, stderr } = await world.run(args.split(' '));
    assert.equal(exitCode, 2, `${args}: ${stderr}`);
    assert.match(stderr, /models\.lock has no models\.\nhint: Lock some: lock NAME/);
  }
});

test('eight processes install frozen at once, and the archive is fetched once', async (t) => {
  const { world, manifest } = await lockScene(t, 'all');
  world.mirror.log.clear();
  const runs = await Promise.all(Array.from({ length: 8 }, () => world.run(['install', '--frozen', '--json'])));
  for (const { exitCode, stderr } of runs) assert.equal(exitCode, 0, stderr);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  const sent = world.mirror.log.entries.filter(({ path }) => path.endsWith('.tar.gz'));
  const bytes = sent.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  assert.ok(bytes <= 1.02 * manifest.models.alpha!.size_bytes, `${bytes}`);
  assert.deepEqual(askedForManifests(world), []);
});

test('a cache that may only be read, and a carried folder, are as good as the hosts', async (t) => {
  const { world, path, manifest } = await lockScene(t);
  const carried = world.path('carried');
  assert.equal((await world.run(['export', 'alpha', '--to', carried])).exitCode, 0);
  // The manifest there isn't needed: the lock has the entry.
  await rm(join(carried, 'manifest.json'));
  await world.mirror.close();
  const { exitCode, stderr } = await world.run(['install', '--frozen', '--from', carried, '--offline']);
  assert.equal(exitCode, 0, stderr);
  await chmod(world.cache, 0o555);
  const model = await ensureModel('alpha', { lock: path, cacheDir: world.cache });
  await chmod(world.cache, 0o755);
  assert.equal(model.space, manifest.models.alpha?.embedding?.space);
  const cacheDir = world.path('other');
  await world.manager({ cacheDir, lock: path }).installFrom('alpha', join(world.cache, 'versions/alpha/1.0.0'));
  // What another release's folder has isn't it.
  const wrong = world.path('wrong');
  await mkdir(wrong);
  await cp(join(carried, 'alpha'), join(wrong, 'alpha'), { recursive: true });
  await writeFile(join(wrong, 'alpha/config.json'), '{}');
  const bad = await world.run(['install', '--frozen', '--from', wrong], { cache: world.path('third') });
  assert.equal(bad.exitCode, 4, bad.stderr);
  const none = await world.run(['install', '--frozen', '--from', world.path('nowhere')], {
    cache: world.path('third'),
  });
  assert.equal(none.exitCode, 3, none.stderr);
});

test('lock --update stays in the range, keeps weights, and says what it means for indices', async (t) => {
  const { world, read } = await lockScene(t);
  assert.equal((await world.run(['lock', 'beta@^1.0.0', '--weights', 'model.safetensors'])).exitCode, 0);
  await world.release('1.1.0', {
    alpha: { ...threeWeights, version: '1.1.0', retrained: [0], space: 'another' },
    beta: { version: '1.1.0' },
  });
  await world.release('2.0.0', { beta: { version: '2.0.0', retrained: [1] } });
  const check = await world.run(['lock', '--check', '--json']);
  assert.equal(check.exitCode, 10, check.stderr);
  assert.deepEqual(
    JSON.parse(check.stdout).models.map((model: { name: string }) => model),
    [
      { name: 'alpha', version: '1.0.0', tag: 'models-v1.0.0', status: 'update', available: '1.1.0' },
      { name: 'beta', version: '1.0.0', tag: 'models-v1.0.0', status: 'update', available: '1.1.0' },
    ],
  );
  const { exitCode, stdout, stderr } = await world.run(['lock', '--update', '--json']);
  assert.equal(exitCode, 0, stderr);
  assert.match(
    stderr,
    /alpha 1\.1\.0 is locked in models\.lock \(was 1\.0\.0\)\. Indices made with it must be rebuilt/,
  );
  assert.match(stderr, /beta 1\.1\.0 is locked in models\.lock \(was 1\.0\.0\)\. Indices stay valid/);
  assert.deepEqual(
    JSON.parse(stdout).models.map(({ name, from, to, tag, space_change }: Record<string, string>) => {
      return [name, from, to, tag, space_change];
    }),
    [
      ['alpha', '1.0.0', '1.1.0', 'models-v2.0.0', 'changes'],
      ['beta', '1.0.0', '1.1.0', 'models-v1.1.0', 'same'],
    ],
  );
  const { models } = await read();
  assert.deepEqual(models.beta?.weights, ['model.safetensors']);
  assert.equal(models.beta?.range, '^1.0.0');
  assert.equal((await world.run(['lock', '--check'])).exitCode, 0);
  assert.equal((await world.run(['install', '--frozen'])).exitCode, 0);
});

test('lock --check tells withdrawals; --update leaves a withdrawn version, and what is not offered stays', async (t) => {
  const { world, read } = await lockScene(t);
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  assert.equal((await world.run(['lock', 'alpha@latest', 'beta'])).exitCode, 0);
  const yanked = [{ model: 'alpha', version: '1.1.0', reason: 'wrong pooling' }];
  const { models } = await world.release('1.2.0', {}, { yanked });
  const check = await world.run(['lock', '--check']);
  assert.equal(check.exitCode, 10, check.stderr);
  assert.match(check.stderr, /alpha 1\.1\.0 was withdrawn: wrong pooling/);
  assert.equal((await world.run(['lock', '--update', 'alpha'])).exitCode, 0);
  assert.equal((await read()).models.alpha?.entry.version, '1.0.0');
  const { beta: _, ...others } = models;
  await world.release('1.3.0', {}, { yanked, models: others });
  const { exitCode, stderr } = await world.run(['lock', '--update']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /beta@1\.0\.0: is not offered any more. It stays locked/);
  assert.equal((await read()).models.beta?.release, 'models-v1.1.0');
  assert.equal((await world.run(['lock', '--check'])).exitCode, 0);
});

test('lock --check holds the lock against the signed manifest, which may be an old one', async (t) => {
  const world = await createWorld(t);
  const path = world.path('models.lock');
  const [first, second] = [newKey(), newKey()];
  const keys = (one: typeof first): Pick<Manifest, 'signing'> => ({ signing: { public_keys: [lineOf(one)] } });
  await world.release('1.0.0', { alpha: { version: '1.0.0' } }, { key: first, ...keys(first) });
  const run = (...args: readonly string[]) => world.run([...args, '--public-key', lineOf(first)]);
  assert.equal((await run('lock', 'alpha')).exitCode, 0);
  const good = await readFile(path);
  assert.deepEqual(parseLockFile(good, path).public_keys, [lineOf(first)]);
  // Announces the next key, and is signed by the first; the lock still goes by that.
  await world.release('1.0.1', {}, { key: first, ...keys(second) });
  assert.equal((await world.run(['lock', '--check'])).exitCode, 0);
  await world.release('1.0.2', {}, { key: second, ...keys(second) });
  const check = async (exit: number, says: RegExp): Promise<void> => {
    const { exitCode, stderr } = await world.run(['lock', '--check']);
    assert.equal(exitCode, exit, stderr);
    assert.match(stderr, says);
  };
  await check(0, /^/);
  const text = good.toString();
  await writeFile(path, text.replace(/"manifest_sha256": "[^"]*"/, `"manifest_sha256": "${'0'.repeat(64)}"`));
  await check(4, /not the manifest of models-v1\.0\.0 that models\.lock has/);
  await writeFile(path, text.replace('"commercial_use": true', '"commercial_use": false'));
  await check(4, /what it says of alpha is not what the manifest of models-v1\.0\.0 says/);
  // Whoever changes manifest and lock has no signature for it.
  const directory = join(world.mirrorDirectory, 'models-v1.0.0');
  const forged = Buffer.from(`${await readFile(join(directory, 'manifest.json'), 'utf8')}\n`);
  await writeFile(join(directory, 'manifest.json'), forged);
  await writeFile(path, text.replace(/"manifest_sha256": "[^"]*"/, `"manifest_sha256": "${sha256(forged)}"`));
  await check(4, /signature/);
  await writeFile(path, good);
  await check(4, /signature/);
  assert.equal((await world.run(['lock', '--update'])).exitCode, 0);
  assert.deepEqual(parseLockFile(await readFile(path), path).public_keys, [lineOf(second)]);
});

test('the client of the release is locked by its signed checksums', async (t) => {
  const world = await createWorld(t);
  const path = world.path('models.lock');
  const key = newKey();
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } }, { key });
  const directory = join(world.mirrorDirectory, 'models-v1.0.0');
  const digest = sha256(Buffer.from('the client'));
  const manifestDigest = sha256(await readFile(join(directory, 'manifest.json')));
  const publish = async (sums: string, signedFor = 'models-v1.0.0'): Promise<void> => {
    await writeFile(join(directory, 'checksums.sha256'), sums);
    const trustedComment = trustedCommentOf('checksums.sha256', { ...manifest, release: signedFor });
    await writeFile(
      join(directory, 'checksums.sha256.minisig'),
      signMessage(Buffer.from(sums), key, { trustedComment }),
    );
  };
  const lock = async (): Promise<{ client: LockFile['client']; stderr: string }> => {
    const { exitCode, stderr } = await world.run(['lock', 'alpha', '--public-key', lineOf(key)]);
    assert.equal(exitCode, 0, stderr);
    return { client: parseLockFile(await readFile(path), path).client, stderr };
  };
  const right = `${digest}  aircher.mjs\n${manifestDigest}  manifest.json\n`;
  await publish(right);
  assert.deepEqual((await lock()).client, {
    release: 'models-v1.0.0',
    sha256: digest,
    download_urls: { mirror: `${world.mirror.url}/models-v1.0.0/aircher.mjs` },
  });
  const refused = async (says: RegExp): Promise<void> => {
    await rm(path);
    const { client, stderr } = await lock();
    assert.equal(client, undefined);
    assert.match(stderr, says);
  };
  const good = await readFile(path);
  const checked = async (exit: number, says: RegExp, place?: string, value?: string): Promise<void> => {
    const document = JSON.parse(good.toString());
    if (place !== undefined) setIn(document, place, value);
    await writeFile(path, JSON.stringify(document));
    const { exitCode, stderr } = await world.run(['lock', '--check']);
    assert.equal(exitCode, exit, stderr);
    assert.match(stderr, says);
  };
  await checked(0, /^/);
  const wrongClient = /models\.lock: its client is not that of models-v1\.0\.0\.\nhint: .*write it anew: lock alpha/;
  await checked(4, wrongClient, 'client.sha256', '0'.repeat(64));
  await checked(4, wrongClient, 'client.download_urls.mirror', 'https://example.org/aircher.mjs');
  await publish(right, 'models-v0.9.0');
  await checked(4, /signed for another release/);
  await refused(/the client is not locked: .*models-v1\.0\.0.*signed for another release/);
  await publish(right.replace(manifestDigest, digest));
  await refused(/of another manifest/);
  await publish(`${manifestDigest}  manifest.json\n`);
  await refused(/names no aircher\.mjs/);
  await publish(right);
  await lock();
  await writeFile(join(directory, 'checksums.sha256'), right.replace(digest, manifestDigest));
  assert.equal((await lock()).client?.sha256, digest, 'what was locked before stays');
  await refused(/does not match/);
});
