import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { formatManifest, type ManifestModel } from '../../src/contract/manifest.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { startProxy, startRawServer, startServer } from '../http/http-fixture.ts';
import { clientProgram, createWorld, type World } from './world.ts';

const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';

/**
 * A world with `alpha` in it, whose archive and index `mirror` has, and `other` for hosts of the
 * kind `github`.
 */
async function worldWith(t: TestContext, other: string): Promise<World> {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const { alpha } = manifest.models;
  assert.ok(alpha?.index);
  const both = (urls: ManifestModel['download_urls']) => ({ ...urls, github: `${other}/a/b` });
  const entry = {
    ...alpha,
    primary: 'github',
    download_urls: both(alpha.download_urls),
    index: { ...alpha.index, download_urls: both(alpha.index.download_urls) },
  };
  await writeFile(
    join(world.mirrorDirectory, 'manifest.json'),
    formatManifest({ ...manifest, models: { alpha: entry } }),
  );
  return world;
}

test('a mirror, or a source, that answers 101 unasked fails alone, and the other serves', async (t) => {
  const url = await startRawServer(t, (socket) => socket.write(switching));
  const world = await worldWith(t, url);
  const both = world.manager({ manifestSources: [`${url}/manifest.json`, world.manifestUrl] });
  assert.equal((await both.ensureModel('alpha')).version, '1.0.0');
  const alone = await world.run(['list', '--remote'], {
    env: { AIRCHER_MANIFEST_URL: `${url}/manifest.json` },
    cache: world.path('other'),
  });
  assert.equal(alone.exitCode, 5, alone.stderr);
  assert.match(alone.stderr, /switches protocols \(status 101\), unasked/);
});

test('a login page, or nothing, in the place of a manifest is named as such, with exit code 5', async (t) => {
  const world = await createWorld(t);
  for (const [body, says] of [
    [
      '<!doctype html><title>Sign in</title>',
      /a web page instead of the document[\s\S]*hint: A proxy or a network that asks for a login/,
    ],
    ['', /an empty answer/],
  ] as const) {
    const portal = await startServer(t, (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(body),
    );
    const env = { AIRCHER_MANIFEST_URL: `${portal.url}/manifest.json` };
    const result = await world.run(['install', 'alpha'], { env });
    assert.equal(result.exitCode, 5, result.stderr);
    assert.match(result.stderr, says);
  }
});

test('a host that answers with a page for what isn’t there has no signature, and its manifest counts', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await writeFile(join(world.mirrorDirectory, 'manifest.json.minisig'), '<!doctype html><div id=app></div>');
  assert.equal((await world.manager().listRemote()).models.length, 1);
});

test('check-updates that can ask nobody fails with exit code 5, and so does an update that found nothing', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await world.manager().install('alpha');
  const proxy = await startProxy(t, { allow: () => false });
  const environments: Record<string, string>[] = [
    { http_proxy: proxy.url },
    { AIRCHER_MANIFEST_URL: 'http://127.0.0.1:1/manifest.json' },
  ];
  for (const env of environments) {
    for (const args of [['check-updates'], ['check-updates', '--exit-code', '--json'], ['update', '--all']]) {
      const { exitCode, stdout, stderr } = await world.run(args, { env });
      assert.equal(exitCode, 5, `${args} ${JSON.stringify(env)}: ${stdout}${stderr}`);
      assert.doesNotMatch(stdout + stderr, /up to date|newest version/);
    }
  }
  const silent = await startServer(t, () => {});
  const waiting = world.manager({ manifestSources: [silent.url], http: { connectTimeoutMs: 600_000 } });
  await assert.rejects(waiting.checkUpdates({ timeoutMs: 300 }), (error) => isAircherError(error, 'remote'));
  const offline = await world.run(['check-updates', '--offline']);
  assert.equal(offline.exitCode, 0, offline.stderr);
  assert.match(offline.stdout + offline.stderr, /Nothing newer is known here\. Offline, no host is asked/);
});

test('what check-updates asks of hosts ends with its budget, for all models together, and sizes stay unknown', async (t) => {
  const world = await createWorld(t);
  const models = ['alpha', 'beta', 'gamma'];
  const shapes = (version: string) => Object.fromEntries(models.map((name) => [name, { version, layers: 1 }]));
  await world.release('1.0.0', shapes('1.0.0'));
  for (const name of models) await world.manager().install(name);
  await world.release('1.1.0', shapes('1.1.0'));
  world.mirror.faults.add({
    match: { path: /\.index\.json$/ },
    times: 'always',
    action: { kind: 'stall', of: 'response', atByte: 0 },
  });
  const warnings: string[] = [];
  const { models: statuses } = await world
    .manager({ http: { connectTimeoutMs: 600_000, stallTimeoutMs: 600_000 } })
    .checkUpdates({
      timeoutMs: 1000,
      onEvent: (event) => event.type === 'warning' && warnings.push(event.problem.message),
    });
  assert.deepEqual(
    statuses.map(({ status, available, bytes_to_fetch: bytes }) => [status, available, bytes]),
    models.map(() => ['update', '1.1.0', undefined]),
  );
  assert.deepEqual(
    warnings,
    models.map(() => 'can’t be measured: its hosts don’t answer in time'),
  );
});

test('Ctrl-C ends an install at once, whatever pause the rate limit makes', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  // The first 64 KiB are a pause of eleven minutes.
  const child = spawn(process.execPath, [clientProgram, 'model', 'install', 'alpha', '--limit-rate', '100'], {
    env: { PATH: process.env.PATH, AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdio: 'ignore',
  });
  t.after(() => child.kill('SIGKILL'));
  const asksForArchive = (): boolean => world.mirror.log.entries.some(({ path }) => path.endsWith('.tar.gz'));
  while (!asksForArchive()) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill('SIGINT');
  // The runner's own limit is far below eleven minutes.
  assert.deepEqual(await once(child, 'exit'), [130, null]);
});

test('a foreign manifest can’t have anything of this machine asked, now or when it is the one accepted before', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const real = dns.lookup as (name: string, ...rest: unknown[]) => void;
  t.mock.method(dns, 'lookup', (name: string, ...rest: unknown[]) =>
    real(name === 'models.example.org' ? '127.0.0.1' : name, ...rest),
  );
  // Behind the proxy it might be anywhere.
  const proxy = await startProxy(t);
  const source = world.manifestUrl.replace('127.0.0.1', 'models.example.org');
  const manager = world.manager({
    manifestSources: [source],
    http: { allowInsecure: true, httpProxy: proxy.url, noProxy: '127.0.0.1', retryDelayMs: 20 },
  });
  const isRefused = (error: unknown): boolean =>
    isAircherError(error, 'remote') && /another machine can’t name an address of this one/.test(error.message);
  await assert.rejects(manager.install('alpha'), isRefused);
  await writeFile(join(world.mirrorDirectory, 'manifest.json'), '');
  await assert.rejects(manager.install('alpha'), isRefused);
  const asked = world.mirror.log.entries.map(({ path }) => path);
  assert.deepEqual(
    asked.filter((path) => !/^\/(manifest|copy)\.json/.test(path)),
    [],
  );
});
