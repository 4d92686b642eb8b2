import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa, execaSync } from 'execa';
import { addClient, freshCache } from '../fetch/copy-scene.ts';
import { createWorld, type World } from '../fetch/world.ts';
import { selfSigned } from '../http/http-fixture.ts';

const page = fileURLToPath(new URL('../../docs/mirrors.md', import.meta.url));
const password = 'correct horse';

/** The configuration that the page shows. */
async function configurationOf(language: string): Promise<string> {
  const [, text] = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(await readFile(page, 'utf8')) ?? [];
  assert.ok(text, `docs/mirrors.md has no ${language}`);
  return text;
}

/** The text with another in the place of what must stand there exactly once or more. */
function replaced(text: string, pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs).reduce((before, [from, to]) => {
    assert.ok(before.includes(from), `the configuration has no ${from}`);
    return before.replaceAll(from, to);
  }, text);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts a web server, and waits until it listens. */
async function startProgram(t: TestContext, port: number, program: string, args: readonly string[], home: string) {
  let told = '';
  const child = spawn(program, args, { env: { ...process.env, HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (told += data));
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  for (let round = 0; round < 100; round++) {
    assert.equal(child.exitCode, null, told);
    const answer = await execa('curl', ['-sk', `https://127.0.0.1:${port}/`], { reject: false });
    if (answer.exitCode === 0) return;
    await delay(100);
  }
  assert.fail(`${program} does not listen: ${told}`);
}

/** A world that was copied, and the certificate that its web server shows. */
async function copiedWorld(t: TestContext) {
  const world = await createWorld(t);
  const releases = [await world.release('1.0.0', { alpha: { version: '1.0.0', trained: 0 } })];
  await addClient(world, releases[0]!);
  const { cert, key } = selfSigned();
  await mkdir(world.path('etc'));
  await writeFile(world.path('etc/models.crt'), cert);
  await writeFile(world.path('etc/models.key'), key);
  await writeFile(world.path('netrc'), `machine 127.0.0.1 login office password "${password}"\n`);
  assert.equal((await world.run(['mirror', '--to', world.path('copy')])).exitCode, 0);
  return world;
}

/** What an office does with it: install, update by ranges; without the password it is refused. */
async function useCopy(t: TestContext, world: World, port: number): Promise<void> {
  const url = `https://127.0.0.1:${port}`;
  const env = { AIRCHER_MANIFEST_URL: `${url}/manifest.json`, NODE_EXTRA_CA_CERTS: world.path('etc/models.crt') };
  const cache = await freshCache(t);
  const refused = await world.run(['install', 'alpha'], { cache, env });
  assert.equal(refused.exitCode, 6, refused.stderr);
  assert.match(refused.stderr, /access denied \(status 401\)[\s\S]*netrc/);
  const options = { cache, env: { ...env, NETRC: world.path('netrc') } };
  world.mirror.log.clear();
  const installed = await world.run(['install', 'alpha', '--json'], options);
  assert.equal(installed.exitCode, 0, installed.stderr);
  assert.deepEqual(world.mirror.log.entries, []);
  const next = await world.release('1.1.0', { alpha: { version: '1.1.0', trained: 1 } });
  await addClient(world, next);
  assert.equal((await world.run(['mirror', '--to', world.path('copy'), '--prune'])).exitCode, 0);
  world.mirror.log.clear();
  const updated = await world.run(['update', '--all', '--json'], options);
  assert.equal(updated.exitCode, 0, updated.stderr);
  const patch = next.models.alpha!.encodings!.find(({ kind }) => kind === 'patch')!;
  assert.ok(JSON.parse(updated.stdout).models[0].bytes_fetched < patch.size_bytes + 10_000);
  assert.deepEqual(world.mirror.log.entries, []);
  const head = async (path: string): Promise<string> =>
    (await execa('curl', ['-skI', '-u', `office:${password}`, url + path])).stdout.toLowerCase();
  assert.match(await head('/models-v1.1.0/manifest.json'), /200[\s\S]*immutable/);
  assert.doesNotMatch(await head('/manifest.json'), /immutable/);
  assert.match(await head('/.mirror/lock'), /404/);
}

const has = (program: string, ...args: readonly string[]): boolean =>
  execaSync(program, args, { reject: false }).exitCode === 0 &&
  execaSync('curl', ['-V'], { reject: false }).exitCode === 0;

test('nginx with the configuration of docs/mirrors.md serves a copy', {
  skip: !has('nginx', '-v') && 'nginx is not here: apt-get install nginx-light',
}, async (t) => {
  const world = await copiedWorld(t);
  const port = await freePort();
  const { stdout: hash } = await execa('openssl', ['passwd', '-apr1', password]);
  await writeFile(world.path('etc/models.htpasswd'), `office:${hash}\n`);
  const server = replaced(await configurationOf('nginx'), {
    'listen 443': `listen 127.0.0.1:${port}`,
    '/etc/nginx': world.path('etc'),
    '/srv/models': world.path('copy'),
  });
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${world.path(kind)};`,
  );
  await writeFile(
    world.path('nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${world.path('nginx.pid')}; error_log stderr;
     events {} http { access_log off; ${paths.join(' ')} ${server} }`,
  );
  await startProgram(t, port, 'nginx', ['-p', world.root, '-c', world.path('nginx.conf')], world.root);
  await useCopy(t, world, port);
});

test('Caddy with the configuration of docs/mirrors.md serves a copy', {
  skip: !has('caddy', 'version') && 'caddy is not here: apt-get install caddy',
}, async (t) => {
  const world = await copiedWorld(t);
  const port = await freePort();
  const { stdout: hash } = await execa('caddy', ['hash-password', '--plaintext', password]);
  const text = await configurationOf('caddyfile');
  const [shown] = /\$2a\$\S+/.exec(text) ?? [];
  const site = replaced(text, {
    'models.example.org {': `https://127.0.0.1:${port} {\n\ttls ${world.path('etc/models.crt')} ${world.path('etc/models.key')}`,
    '/srv/models': world.path('copy'),
    [shown ?? '']: hash,
  });
  await writeFile(world.path('Caddyfile'), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`);
  await startProgram(
    t,
    port,
    'caddy',
    ['run', '--config', world.path('Caddyfile'), '--adapter', 'caddyfile'],
    world.root,
  );
  await useCopy(t, world, port);
});
