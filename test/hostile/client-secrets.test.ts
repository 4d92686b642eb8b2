import assert from 'node:assert/strict';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildClientBundle } from '../../scripts/build-client-bundle.ts';
import { formatManifest } from '../../src/contract/manifest.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { createWorld, type RunResult, type World } from '../fetch/world.ts';
import { startProxy, startServer, type TestServer } from '../http/http-fixture.ts';

const secrets = {
  HF_TOKEN: 'hf_canaryOfTheHub0123456789',
  GITHUB_TOKEN: 'ghp_canaryOfGithub0123456789',
  proxy: 'canaryOfTheProxy',
  query: 'canaryOfTheSignedAddress',
} as const;

function requireSilence(where: string, text: string): void {
  for (const canary of Object.values(secrets)) {
    const at = text.indexOf(canary);
    assert.equal(at, -1, `${where} has ${canary}: …${text.slice(Math.max(0, at - 200), at + 60)}…`);
    const encoded = Buffer.from(`:${canary}`).toString('base64').slice(4, -4);
    assert.ok(!text.includes(encoded), `${where} has ${canary} in base64`);
  }
}

interface Hosts {
  readonly world: World;
  /**
   * Stands for the Hub and for GitHub, API included; each file is behind a redirect to `storage`.
   */
  readonly front: TestServer;
  /** Another host: nobody's token belongs here. */
  readonly storage: TestServer;
  /** What the front does instead, where it answers at all. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<RunResult>;
}

async function runInside(args: readonly string[], env: Readonly<Record<string, string>>): Promise<RunResult> {
  let stdout = '';
  let stderr = '';
  const exitCode = await runModelCommand(args, {
    env,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    signal: new AbortController().signal,
    program: 'aircher model',
  });
  return { exitCode, stdout, stderr };
}

async function startHosts(t: TestContext): Promise<Hosts> {
  const world = await createWorld(t);
  const storage = await startServer(t, (request, response) => {
    if (request.headers.authorization !== undefined) response.writeHead(400).end('token!');
    else response.writeHead(307, { location: `${world.mirror.url}${request.url}` }).end();
  });
  const hosts: { instead: Hosts['instead'] } = { instead: undefined };
  const front = await startServer(t, (request, response) => {
    if (hosts.instead?.(request, response)) return;
    const path = /\/(?:resolve|releases\/download)\/(.*)$/.exec(request.url ?? '')?.[1];
    if (path === undefined) response.writeHead(404).end();
    else
      response
        .writeHead(302, { location: `${storage.url}/${path.replace(/^main\//, '')}?signature=${secrets.query}` })
        .end();
  });
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 2, layerBytes: 70_000 } });
  const entry = manifest.models.alpha!;
  const urls = (name: string): Record<string, string> => ({
    huggingface: `https://huggingface.co/a/b/resolve/models-v1.0.0/${name}`,
    github: `https://github.com/a/b/releases/download/models-v1.0.0/${name}`,
  });
  const alpha = {
    ...entry,
    download_urls: urls('alpha.tar.gz'),
    index: { ...entry.index!, download_urls: urls('alpha.tar.gz.index.json') },
  };
  const bytes = formatManifest({ ...manifest, models: { alpha } });
  await writeFile(join(world.mirrorDirectory, 'manifest.json'), bytes);
  const run: Hosts['run'] = (args, env = {}) =>
    runInside(args, {
      AIRCHER_CACHE_DIR: world.cache,
      HF_TOKEN: secrets.HF_TOKEN,
      GITHUB_TOKEN: secrets.GITHUB_TOKEN,
      HF_ENDPOINT: front.url,
      GITHUB_SERVER_URL: front.url,
      GITHUB_API_URL: `${front.url}/api/v3`,
      AIRCHER_MANIFEST_URL: `https://huggingface.co/a/b/resolve/main/manifest.json?token=${secrets.query}`,
      ...env,
    });
  return Object.assign(hosts, { world, front, storage, run });
}

async function requireSilentCache(world: World): Promise<void> {
  const entries = await readdir(world.cache, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    requireSilence('a name in the cache', path);
    if (entry.isSymbolicLink()) requireSilence(path, await readlink(path));
    if (entry.isFile()) requireSilence(path, await readFile(path, 'latin1'));
  }
}

test('tokens and signed addresses are in no output and no file, and tokens on no host but their own', async (t) => {
  const hosts = await startHosts(t);
  const { world, front, storage, run } = hosts;
  for (const args of [
    ['install', 'alpha', '--verbose', '--json'],
    ['check-updates', '--verbose'],
    ['list', '--remote'],
    ['update', '--all', '--plan', '--json'],
    ['verify', '--repair'],
    ['doctor'],
    ['doctor', '--json', '--verbose'],
    ['export', 'alpha', '--to', world.path('export')],
    ['install', 'nobody', '--verbose'],
    ['install', 'alpha@7.0.0', '--json', '--verbose'],
    ['install', 'alpha', '--release', '9.9.9', '--json', '--verbose'],
  ]) {
    const result = await run(args);
    assert.notEqual(result.exitCode, 1, result.stderr);
    requireSilence(`stdout of ${args.join(' ')}`, result.stdout);
    requireSilence(`stderr of ${args.join(' ')}`, result.stderr);
  }
  await requireSilentCache(world);
  assert.ok(front.seen.some(({ headers }) => headers.authorization === `Bearer ${secrets.HF_TOKEN}`));
  assert.ok(storage.seen.length > 0);
  assert.deepEqual(
    storage.seen.filter(({ headers }) => headers.authorization !== undefined),
    [],
  );
  assert.ok(world.mirror.log.entries.length > 0);
  assert.deepEqual(
    world.mirror.log.entries.filter(({ authorization }) => authorization),
    [],
  );
});

test('what a host answers that repeats the token is shown without it', async (t) => {
  const hosts = await startHosts(t);
  const answers: readonly (readonly [string, (request: IncomingMessage, response: ServerResponse) => void])[] = [
    ['an error page', ({ headers }, response) => response.writeHead(500).end(`bad token ${headers.authorization}`)],
    ['a status line', ({ headers }, response) => response.writeHead(403, `no ${headers.authorization}`).end()],
    [
      'a redirect',
      ({ headers }, response) => response.writeHead(302, { location: `x:${headers.authorization}` }).end(),
    ],
    [
      'a redirect to a host of that name',
      ({ headers }, response) => {
        const token = headers.authorization?.slice('Bearer '.length) ?? 'none';
        response.writeHead(302, { location: `http://${token}.localhost:1/${token}` }).end();
      },
    ],
    ['a manifest', ({ headers }, response) => response.end(`{"manifest_version":"${headers.authorization}"}`)],
    [
      'a content encoding',
      ({ headers }, response) => response.writeHead(200, { 'content-encoding': headers.authorization ?? '' }).end(),
    ],
  ];
  for (const [name, answer] of answers) {
    hosts.instead = (request, response) => {
      answer(request, response);
      return true;
    };
    for (const flags of [['--verbose'], ['--json']]) {
      const result = await hosts.run(['install', 'alpha', ...flags]);
      assert.ok(![0, 1].includes(result.exitCode ?? 1), `${name}: ${result.stderr}`);
      requireSilence(`${name}: stdout`, result.stdout);
      requireSilence(`${name}: stderr`, result.stderr);
    }
  }
  await requireSilentCache(hosts.world);
});

test('a proxy’s password goes to the proxy only, and is in no output', async (t) => {
  const { world, run } = await startHosts(t);
  const proxy = await startProxy(t, { allow: () => false });
  const at = (port: string): string =>
    proxy.url.replace('http://', `http://user:${secrets.proxy}@`).replace(/\d+$/, port);
  for (const [name, HTTPS_PROXY] of [
    ['one that refuses', at(`${proxy.port}`)],
    ['one that is not there', at('1')],
    ['one that is no address', `http://user:${secrets.proxy}@[`],
    ['one of another kind', `socks5://user:${secrets.proxy}@127.0.0.1:1`],
  ] as const) {
    const env = { HTTPS_PROXY, HF_ENDPOINT: '', AIRCHER_MANIFEST_URL: 'https://models.example.org/manifest.json' };
    for (const args of [
      ['install', 'alpha', '--verbose'],
      ['doctor', '--json'],
    ]) {
      const result = await run(args, env);
      assert.ok(![0, 1].includes(result.exitCode ?? 1), `${name}: ${result.stderr}`);
      requireSilence(`${name}: ${args.join(' ')}`, result.stdout + result.stderr);
    }
  }
  assert.ok(proxy.seen.length > 0);
  await requireSilentCache(world);
});

test('a manifest source with a password in it is refused without showing it', async (t) => {
  const { run } = await startHosts(t);
  const source = `https://user:${secrets.query}@models.example.org/manifest.json`;
  for (const args of [['install', 'alpha', '--verbose'], ['list', '--remote', '--json'], ['doctor']]) {
    const result = await run(args, { AIRCHER_MANIFEST_URL: source });
    requireSilence(args.join(' '), result.stdout + result.stderr);
    assert.match(result.stdout + result.stderr, /user name in a URL/);
  }
  const other = await run(['install', 'alpha'], {
    AIRCHER_MANIFEST_URL: `sftp://user:${secrets.query}@models.example.org/`,
  });
  assert.equal(other.exitCode, 2);
  requireSilence('another scheme', other.stderr);
});

test('the client starts no program, which could get its environment, but the command that check-vectors is given', async (t) => {
  const world = await createWorld(t);
  await buildClientBundle(world.path('aircher.mjs'));
  const text = await readFile(world.path('aircher.mjs'), 'utf8');
  assert.doesNotMatch(text, /node:worker_threads|node:cluster/);
  assert.deepEqual(
    text.match(/.*child_process.*/g)?.map((line) => line.trim()),
    ['return process.getBuiltinModule("node:child_process");'],
  );
  assert.deepEqual(text.match(/\bchildProcess\.\w+/g), ['childProcess.spawn']);
  assert.deepEqual(text.match(/\brunCommand\(.*/g)?.length, 2);
  assert.match(text, /runCommand\(command, \{/);
});
