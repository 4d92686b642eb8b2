import assert from 'node:assert/strict';
import { readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { buildClientBundle } from '../../scripts/build-client-bundle.ts';
import { lineOf, newKey } from '../trust-cases/trust-scene.ts';
import { checkModels, clientProgram, createWorld, type World } from './world.ts';

/**
 * The client as sources and as the file that releases carry, each with a cache of its own; the
 * folders' names are equally long.
 */
interface Pair {
  readonly world: World;
  readonly sides: readonly { readonly program: string; readonly other: string; readonly home: string }[];
  /**
   * Runs the same command with both, and compares all that it prints, its exit code, and every file
   * of the caches.
   */
  same(args: readonly string[], expected: number, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Does the same to the caches of both. */
  each(change: (cache: string) => Promise<void>): Promise<void>;
}

async function createPair(t: TestContext): Promise<Pair> {
  const world = await createWorld(t);
  const bundle = world.path('aircher.mjs');
  await buildClientBundle(bundle);
  const sides = [
    { program: clientProgram, other: bundle, home: world.path('of-sources') },
    { program: bundle, other: clientProgram, home: world.path('of-bundled') },
  ];
  const each = async (change: (cache: string) => Promise<void>): Promise<void> => {
    for (const { home } of sides) await change(join(home, 'cache'));
  };
  return {
    world,
    sides,
    each,
    same: async (args, expected, env) => {
      const runs = sides.map(async ({ program, home }) => {
        const result = await run(world, program, home, args, env);
        const plain = (text: string): string => withoutChance(text.replaceAll(home, 'HOME'));
        return {
          exitCode: result.exitCode,
          stdout: plain(result.stdout),
          stderr: plain(result.stderr),
          files: await filesOf(home, plain),
        };
      });
      const [sources, bundled] = await Promise.all(runs);
      assert.equal(sources?.exitCode, expected, `${args.join(' ')}: ${sources?.stdout}\n${sources?.stderr}`);
      assert.deepEqual(bundled, sources, args.join(' '));
      for (const text of [sources?.stdout ?? '', ...Object.values(sources?.files ?? {})])
        assert.doesNotMatch(text, /"[a-z][a-z0-9]*[A-Z]\w*":/, `${args.join(' ')}: a key isn't in snake_case`);
    },
  };
}

function run(world: World, program: string, home: string, args: readonly string[], env = {}) {
  const cache = join(home, 'cache');
  return execa(process.execPath, [program, 'model', ...args.map((arg) => arg.replace('HOME', home))], {
    cwd: world.root,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '', AIRCHER_CACHE_DIR: cache, AIRCHER_MANIFEST_URL: world.manifestUrl, ...env },
    reject: false,
  });
}

/**
 * Without what differs between two runs of one program: times, durations, free space, processes,
 * numbers drawn.
 */
function withoutChance(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replace(/\b\d+(\.\d+)? (ms|s)\b/g, 'DURATION')
    .replace(/"milliseconds": \d+/g, '"milliseconds": 0')
    .replace(/\d+(\.\d+)? GB free/g, 'SPACE free')
    .replace(/"free(_bytes)?": \d+/g, '"free": 0')
    .replace(/"pid": ?\d+/g, '"pid":0')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replace(/\.\d+-[0-9a-f]+\b/g, '.PROCESS');
}

async function filesOf(home: string, plain: (text: string) => string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const path = join(entry.parentPath, entry.name);
    const name = plain(relative(home, path));
    if (entry.isSymbolicLink()) found[name] = await readlink(path);
    else found[name] = entry.isFile() ? plain(await readFile(path, 'latin1')) : 'a directory';
  }
  return found;
}

test('the bundled client prints and writes what its sources do', async (t) => {
  const { world, same, each } = await createPair(t);
  const shape = { layers: 3, layerBytes: 100_000 };
  await world.release('1.0.0', {
    alpha: { version: '1.0.0', ...shape },
    beta: { version: '1.0.0', ...shape, entry: { license: 'CC-BY-NC-4.0', commercial_use: false, allow_code: true } },
  });
  await same(['list', '--json'], 0);
  await same(['list', '--remote', '--json'], 0);
  await same(['path', 'alpha', '--json'], 3);
  await same(['install', 'alpha', 'beta', '--json', '--offline'], 5);
  await same(['install', 'alpha', 'beta', '--json', '--connections', '1'], 0);
  await same(['install', 'omega', '--json'], 3);
  await same(['install', 'alpha@nothing', '--json'], 2);
  await same(['install', 'alpha@^2.0.0', '--json'], 3);
  await same(['path', 'alpha', '--json'], 0);
  await same(['doctor', '--json'], 0);
  await same(['doctor'], 0);
  await world.release(
    '1.1.0',
    { alpha: { version: '1.1.0', ...shape, retrained: [1] } },
    {
      yanked: [{ model: 'beta', version: '1.0.0', reason: 'wrong pooling' }],
    },
  );
  await same(['check-updates', '--json', '--exit-code'], 10);
  await same(['check-updates'], 0);
  await same(['update', 'alpha', '--plan', '--json'], 0);
  await same(['update', 'alpha', '--plan'], 0);
  await same(['update', 'alpha', '--same-space', '--json'], 0);
  await same(['update', '--all', '--json'], 0);
  await same(['update', 'alpha', '--json', '--connections', '1'], 0);
  await same(['list', '--json'], 0);
  await same(['list', '--remote'], 0);
  await same(['verify', '--json'], 0);
  await each((cache) => writeFile(join(cache, 'versions/alpha/1.1.0/config.json'), 'damaged'));
  await same(['verify', '--json'], 4);
  await same(['verify', '--repair', '--json', '--connections', '1'], 0);
  await same(['rollback', 'alpha', '--json'], 0);
  await same(['check-updates', '--json'], 0);
  await same(['pin', 'alpha@1.1.0', '--json'], 0);
  await same(['unpin', 'alpha', '--json'], 0);
  await same(['check-license', '--json'], 0);
  await same(['check-license', '--commercial', '--json'], 11);
  await same(['export', 'alpha', '--to', 'HOME/usb', '--json', '--connections', '1'], 0);
  await same(['prune', '--dry-run', '--json'], 0);
  await same(['prune', '--json'], 0);
  await same(['remove', 'alpha', '--json'], 0);
  await same(['install', '--from', 'HOME/usb', '--json', '--offline'], 0);
  await each((cache) => writeFile(join(cache, 'config/model-preferences.json'), '{"keep_versons":0,"limit_rate":-1}'));
  await same(['list', '--json'], 0);
  await same(['prune', '--json'], 3);
  await each((cache) => rm(join(cache, 'config'), { recursive: true }));
  await same(['help'], 0);
  await same(['update', '--help'], 0);
  await same(['updat', '--json'], 2);
});

test('export --with-client brings the program along, which installs on a machine that has Node alone', async (t) => {
  const world = await createWorld(t);
  await buildClientBundle(world.path('aircher.mjs'));
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const args = ['export', 'alpha', '--to', world.path('usb'), '--with-client'];
  const env = { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl };
  await execa(process.execPath, [world.path('aircher.mjs'), ...args], { env });
  const alone = { env: { AIRCHER_CACHE_DIR: world.path('alone'), PATH: '' }, extendEnv: false };
  const client = world.path('usb/aircher.mjs');
  await execa(process.execPath, [client, 'install', '--from', world.path('usb'), '--offline'], alone);
  assert.match((await execa(process.execPath, [client, 'list'], alone)).stdout, /^alpha +1\.0\.0 +current/m);
  // A checkout's sources are many files.
  const ofSources = await world.run(args);
  assert.equal(ofSources.exitCode, 2);
  assert.match(ofSources.stderr, /does not run from its one file/);
});

test('the bundled client refuses what its sources refuse, in the same words', async (t) => {
  const { world, same } = await createPair(t);
  const [key, other] = [newKey(), newKey()];
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 1, layerBytes: 1000 } }, { key });
  await same(['install', 'alpha', '--json', '--public-key', lineOf(other)], 4);
  await same(['install', 'alpha', '--json', '--public-key', lineOf(key)], 0);
  await writeFile(
    join(world.mirrorDirectory, 'bad.json'),
    '{"manifest_version":"1.0.0","models":{"a/b":{},"alpha":{"version":1}}}',
  );
  await same(['install', 'alpha@2.0.0', '--json', '--manifest', `${world.mirror.url}/bad.json`], 3);
  await same(['install', 'alpha', '--json', '--manifest', `${world.mirror.url}/none.json`], 0);
  await same(['check-updates', '--json', '--manifest', `${world.mirror.url}/none.json`], 5);
});

test('what one of the two left when it was killed, lock and all, the other goes on with', async (t) => {
  const { world, sides } = await createPair(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 20, layerBytes: 200_000 } });
  const runs = sides.map(async ({ program, home, other }) => {
    const args = ['install', 'alpha', '--limit-rate', '1MB', '--connections', '1', '--json'];
    const killed = run(world, program, home, args);
    const until = performance.now() + 20_000;
    while (!(await hasStaged(home)) && performance.now() < until) await delay(20);
    killed.kill('SIGKILL');
    await killed;
    const finished = await run(world, other, home, ['install', 'alpha', '--json']);
    assert.equal(finished.exitCode, 0, finished.stderr);
    const [{ bytes_fetched: fetched }] = JSON.parse(finished.stdout).models;
    assert.ok(fetched > 0 && fetched < manifest.models.alpha!.size_bytes / 2, `${fetched} bytes`);
    assert.deepEqual(await checkModels(join(home, 'cache'), [manifest]), { alpha: '1.0.0' });
  });
  await Promise.all(runs);
});

test('what answers from the cache loads neither Node’s network, nor digests, compression or workers', async (t) => {
  const { world, sides, same } = await createPair(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 1, layerBytes: 1000 } });
  await same(['install', 'alpha', '--json', '--connections', '1'], 0);
  const hook = world.path('hook.cjs');
  await writeFile(hook, "process.on('exit', () => process.stderr.write(process.moduleLoadList.join('\\n')))");
  const { program, home } = sides[1]!;
  const { exitCode, stderr } = await run(world, program, home, ['path', 'alpha'], {
    NODE_OPTIONS: `--require ${hook}`,
  });
  assert.equal(exitCode, 0, stderr);
  const loaded = new Set(stderr.split('\n').map((line) => line.replace(/^NativeModule /, '')));
  // Not `net`: Node itself loads it where stdout is a pipe.
  const late = ['crypto', 'dns', 'http', 'https', 'tls', 'worker_threads', 'zlib'];
  assert.deepEqual(
    late.filter((name) => loaded.has(name)),
    [],
  );
});

/** Whether a transfer has noted more than half of the chunks. */
async function hasStaged(home: string): Promise<boolean> {
  const files = await readdir(join(home, 'cache/downloads'), { recursive: true }).catch(() => []);
  const progress = files.find((file) => basename(file) === 'progress');
  if (progress === undefined) return false;
  const { length } = await readFile(join(home, 'cache/downloads', progress));
  return length > `aircher progress 1 ${'0'.repeat(64)}\n`.length + 4 * 14;
}
