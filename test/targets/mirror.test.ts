import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { directoryStorage } from '../../src/targets/mirror/directory-storage.ts';
import { createMirrorTarget } from '../../src/targets/mirror/mirror-target.ts';
import type { Target, TargetRelease } from '../../src/targets/target.ts';
import { bytesOf, failureOf, makeRelease, publish, quick, recorder, temporaryDirectory } from './scene.ts';

const manifest = (version: string): string =>
  `${JSON.stringify({ manifest_version: '1.0.0', release: `models-v${version}`, models: {} })}\n`;
const filesAt = (version: string) => ({
  'manifest.json': manifest(version),
  'tiny.tar.gz': bytesOf('tiny', 50_000),
  'tiny.tar.gz.index.json': '{}\n',
});

interface Scene {
  readonly directory: string;
  readonly server: StaticMirror;
  readonly release: TargetRelease;
  /** `address`: the mirror's public address, that of the server where it isn't given. */
  target(address?: string): Target;
}

async function mirrorScene(t: TestContext): Promise<Scene> {
  const directory = join(await temporaryDirectory(t), 'public', 'mirror');
  const server = await startStaticMirror({ directory });
  t.after(server.close);
  return {
    directory,
    server,
    release: await makeRelease(t, { files: filesAt('1.0.0') }),
    target: (address = server.url) =>
      createMirrorTarget({
        storage: directoryStorage(directory),
        tagPrefix: 'models-v',
        addresses: { root: `${address}/manifest.json`, of: (tag, name) => `${address}/${tag}/${name}` },
        tuning: { ...quick, publicMs: 60 },
      }),
  };
}

const rootManifest = (directory: string): Promise<Buffer> => readFile(join(directory, 'manifest.json'));

test('before its pointer moves, every file is asked for at its public address, by one ranged GET', async (t) => {
  const { directory, server, release, target } = await mirrorScene(t);
  await publish(target(), release);
  assert.deepEqual(server.log.entries.map(({ method, path, range }) => `${method} ${path} ${range}`).sort(), [
    `GET /${release.tag}/manifest.json bytes=0-${filesAt('1.0.0')['manifest.json'].length - 1}`,
    `GET /${release.tag}/tiny.tar.gz bytes=0-1023`,
    `GET /${release.tag}/tiny.tar.gz.index.json bytes=0-2`,
  ]);
  assert.equal((await rootManifest(directory)).toString(), manifest('1.0.0'));
});

test('an address that is wrong by a letter, a page, other bytes, another size or nobody there: no pointer moves', async (t) => {
  const { directory, server, release, target } = await mirrorScene(t);
  const faults = {
    '404': { kind: 'status', status: 404 },
    '403': { kind: 'status', status: 403 },
    'other bytes': { kind: 'flip', atByte: 2 },
    'bytes instead of': { kind: 'html' },
    'ECONNRESET|terminated|other side closed|fetch failed': { kind: 'reset', of: 'request' },
  } as const;
  for (const [fact, action] of Object.entries(faults)) {
    server.faults.clear();
    server.faults.add({ match: { path: /tiny\.tar\.gz$/ }, times: 'always', action });
    const failure = await failureOf(publish(target(), release), fact);
    assert.equal(failure.code, 'remote', fact);
    assert.match(failure.message, new RegExp(`tiny\\.tar\\.gz: .*(${fact})`));
    assert.match(failure.hint ?? '', /base_url.*"probe": false/);
    await assert.rejects(rootManifest(directory), { code: 'ENOENT' });
  }
  server.faults.clear();
  assert.match((await failureOf(publish(target(`${server.url}/wrong`), release))).message, /404/);
  await publish(target(), release);
  assert.ok((await rootManifest(directory)).length > 0);
});

test('until it goes public, a release is none here: another run may bring other content under its tag', async (t) => {
  const { directory, server, release, target } = await mirrorScene(t);
  await target().upload(release, {});
  assert.deepEqual(await target().missing(release, {}), [], 'all is there that an upload sends');
  assert.deepEqual(await target().published({}), []);
  assert.deepEqual(
    (await target().list({})).map(({ state }) => state),
    ['draft'],
  );
  const wrong = await failureOf(publish(target(`${server.url}/wrong`), release));
  assert.match(wrong.hint ?? '', /Correct "mirror.base_url".*run the same command again/);
  assert.deepEqual(await target().published({}), []);
  // As its hint says: the address is corrected, and stands in the manifest.
  const corrected = await makeRelease(t, { files: { ...filesAt('1.0.0'), 'manifest.json': `${manifest('1.0.0')}\n` } });
  assert.deepEqual(await target().preflight(corrected, {}), []);
  await publish(target(), corrected);
  const late = await failureOf(target().makePublic(release, {}));
  assert.match(late.message, /is published on the mirror with other content/);
  assert.equal((await rootManifest(directory)).toString(), `${manifest('1.0.0')}\n`);
});

test('an address that serves the files a moment later is waited for, and a server without ranges is as good', async (t) => {
  const { directory, server, release, target } = await mirrorScene(t);
  server.faults.add({ times: 3, action: { kind: 'status', status: 404 } });
  server.faults.add({ times: 'always', action: { kind: 'ignore-range' } });
  const context = recorder();
  await publish(target(), release, context);
  assert.ok(
    context.events.some((event) => event.type === 'notice' && /Waiting for the mirror's public/.test(event.message)),
  );
  assert.ok((await rootManifest(directory)).length > 0);
});

test('without an address nothing is asked', async (t) => {
  const { directory, server, release } = await mirrorScene(t);
  await publish(createMirrorTarget({ storage: directoryStorage(directory), tagPrefix: 'models-v' }), release);
  assert.deepEqual(server.log.entries, []);
});

test('files are 0644 and directories 0755 whatever the umask, also what an earlier run left', async (t) => {
  const { directory, release, target } = await mirrorScene(t);
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  const modeOf = async (...path: readonly string[]): Promise<string> =>
    ((await stat(join(directory, ...path))).mode & 0o777).toString(8);
  await target().upload(release, {});
  await chmod(join(directory, release.tag, 'tiny.tar.gz'), 0o600);
  await chmod(join(directory, release.tag), 0o700);
  await publish(target(), release);
  for (const path of ['..', '.', release.tag]) assert.equal(await modeOf(path), '755', path);
  for (const name of Object.keys(filesAt('1.0.0'))) assert.equal(await modeOf(release.tag, name), '644', name);
  assert.equal(await modeOf('manifest.json'), '644');
});

test('links and special files in the directory are never written through, and are named', async (t) => {
  const scene = await mirrorScene(t);
  const { directory, release, target } = scene;
  const outside = join(dirname(directory), 'outside');
  await mkdir(outside, { recursive: true });
  await writeFile(join(outside, 'precious'), 'precious');
  await mkdir(directory, { recursive: true });
  const strangers: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    'is a link': (path) => symlink(join(outside, 'precious'), path),
    'is a link (to nothing)': (path) => symlink(join(outside, 'nothing'), path),
    'is no file': (path) => execa('mkfifo', [path]),
  };
  const expectRefusal = async (path: string, fact: string): Promise<void> => {
    const [problem] = await target().preflight(release, {});
    assert.equal(problem?.file, path);
    assert.ok(problem.message.startsWith(fact.replace(/ \(.*/, '')), problem.message);
    const failure = await failureOf(publish(target(), release), fact);
    assert.equal(failure.code, 'conflict');
    assert.ok(failure.message.includes(path));
    await rm(path, { recursive: true });
  };
  for (const [fact, make] of Object.entries(strangers)) {
    for (const name of ['manifest.json', 'manifest.json.minisig', `${release.tag}/tiny.tar.gz`]) {
      const path = join(directory, name);
      await mkdir(dirname(path), { recursive: true });
      await make(path);
      await expectRefusal(path, fact);
    }
    await rm(join(directory, release.tag), { recursive: true, force: true });
    await make(join(directory, release.tag));
    await expectRefusal(join(directory, release.tag), fact.replace('no file', 'no directory'));
  }
  await symlink(outside, join(directory, release.tag));
  await expectRefusal(join(directory, release.tag), 'is a link');
  assert.equal(await readFile(join(outside, 'precious'), 'utf8'), 'precious');
  await publish(target(), release);
});

test('nothing that only looks hangs on a named pipe or follows a link', async (t) => {
  const { directory, release, target } = await mirrorScene(t);
  await publish(target(), release);
  const away = join(dirname(directory), 'away');
  await rename(join(directory, release.tag), away);
  await symlink(away, join(directory, release.tag));
  await execa('mkfifo', [join(directory, 'models-v2.0.0')]);
  await mkdir(join(directory, 'models-v3.0.0'));
  await execa('mkfifo', [join(directory, 'models-v3.0.0', 'manifest.json')]);
  await rm(join(directory, 'manifest.json'));
  await execa('mkfifo', [join(directory, 'manifest.json')]);
  assert.deepEqual(await target().published({}), []);
  assert.deepEqual(
    (await target().list({})).map(({ tag, state }) => `${tag} ${state}`),
    ['models-v3.0.0 draft'],
  );
  assert.equal((await target().pointer({})).tag, undefined);
  assert.equal((await target().inspect('models-v3.0.0', {})).state, 'absent');
  assert.equal((await target().inspect(release.tag, {})).state, 'absent');
  assert.equal(await target().readDocument('models-v3.0.0', 'manifest.json', {}), undefined);
});

test('a mirror directory that is a link itself is followed: whoever configured it meant that', async (t) => {
  const { directory, release, target } = await mirrorScene(t);
  const real = join(dirname(dirname(directory)), 'real');
  await mkdir(real);
  await mkdir(dirname(directory), { recursive: true });
  await symlink(real, directory);
  await publish(target(), release);
  assert.ok((await rootManifest(real)).length > 0);
  assert.equal((await target().inspect(release.tag, {})).state, 'public');
});
