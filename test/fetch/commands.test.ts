import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { parseCommandLine, runModelCommand } from '../../src/fetch/command-line.ts';
import { commands } from '../../src/fetch/commands/index.ts';
import { parseRate } from '../../src/fetch/parse-rate.ts';
import { createProgress } from '../../src/fetch/render/progress.ts';
import { assertDocument } from '../json/output-schema.ts';
import { checkModels, clientProgram, createWorld, type World } from './world.ts';

/** Runs a command line in this process. */
async function call(world: World, ...args: string[]) {
  let stdout = '';
  let stderr = '';
  const exitCode = await runModelCommand(args, {
    env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    signal: new AbortController().signal,
    program: 'aircher model',
  });
  return { exitCode, stdout, stderr };
}

test('stdout is data alone: path prints one line, --json one document, everything else goes to stderr', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const installed = await world.run(['install', 'alpha']);
  assert.deepEqual([installed.exitCode, installed.stdout], [0, '']);
  assert.match(installed.stderr, /alpha 1\.0\.0 installed: .* fetched\. Licence: Apache-2\.0\./);
  const path = await world.run(['path', 'alpha']);
  assert.equal(path.stdout, join(world.cache, 'versions/alpha/1.0.0'));
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  for (const args of [
    ['list'],
    ['list', '--remote'],
    ['path', 'alpha'],
    ['install', 'alpha'],
    ['check-updates'],
    ['update', 'alpha', '--plan'],
    ['update', '--all'],
    ['verify'],
    ['rollback', 'alpha'],
    ['unpin', 'alpha'],
    ['pin', 'alpha@1.1.0'],
    ['check-license'],
    ['bill'],
    ['doctor'],
    ['export', 'alpha', '--to', world.path('exported')],
    ['prune', '--dry-run'],
    ['prune'],
    ['remove', 'alpha'],
    ['path', 'alpha'],
    ['verify', 'nope'],
  ]) {
    const { stdout } = await call(world, ...args, '--json');
    assert.doesNotThrow(() => JSON.parse(stdout), `${args.join(' ')}: ${stdout}`);
  }
});

test('update --plan names bytes, requests and changed tensors, and changes nothing', async (t) => {
  const world = await createWorld(t);
  const first = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await call(world, 'install', 'alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [2] } });
  const { stdout } = await call(world, 'update', 'alpha', '--plan', '--json');
  const [{ plan }] = JSON.parse(stdout).models;
  assert.deepEqual(plan.changed_tensors, ['model.safetensors: layer.2.weight']);
  assert.ok(plan.bytes_to_fetch > 100_000 && plan.bytes_to_fetch < 300_000);
  assert.ok(plan.requests >= 1);
  assert.deepEqual(await checkModels(world.cache, [first]), { alpha: '1.0.0' });
});

test('update --plan leaves out what update would leave alone, and says so', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  await call(world, 'install', 'alpha', 'beta');
  await world.release('1.1.0', {
    alpha: { version: '1.1.0', retrained: [2] },
    beta: { version: '1.1.0', retrained: [2] },
  });
  await call(world, 'pin', 'beta@1.0.0');
  const { stdout, stderr } = await call(world, 'update', '--all', '--plan', '--same-space');
  assert.doesNotMatch(stdout, /to fetch in/);
  assert.match(stderr, /alpha 1\.0\.0 stays: the new version makes other vectors/);
  assert.match(stderr, /beta 1\.0\.0 is pinned and stays/);
  const json = await call(world, 'update', '--all', '--plan', '--same-space', '--json');
  const statuses = JSON.parse(json.stdout).models.map((model: { status: string }) => model.status);
  assert.deepEqual(statuses, ['other-space', 'pinned']);
});

test('unpin of a name that is neither pinned nor installed names the nearest', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await call(world, 'install', 'alpha');
  assert.equal((await call(world, 'unpin', 'alpha')).exitCode, 0);
  const { exitCode, stderr } = await call(world, 'unpin', 'alpah');
  assert.equal(exitCode, 3);
  assert.match(stderr, /alpah is not installed\..*did you mean alpha\?/s);
});

test('exit codes: updates 10, forbidden licence 11, usage 2, unknown model 3, offline 5', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', {
    alpha: { version: '1.0.0', entry: { license: 'CC-BY-NC-4.0', commercial_use: false } },
  });
  const code = async (...args: string[]) => (await call(world, ...args)).exitCode;
  assert.equal(await code('install', 'alpha', '--offline'), 5);
  assert.equal(await code('install', 'alpha'), 0);
  assert.equal(await code('check-license'), 0);
  assert.equal(await code('check-license', '--commercial'), 11);
  assert.equal(await code('check-updates', '--exit-code'), 0);
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  assert.equal(await code('check-updates', '--exit-code'), 10);
  assert.equal(await code('update', 'alpha', '--all'), 2);
  assert.equal(await code('install', 'alpha@latests'), 2);
  assert.equal(await code('install', 'omega'), 3);
  assert.equal(await code('path', 'omega'), 3);
  assert.equal(await code('install', 'alpha', '--offline'), 0, 'installed: nothing is needed');
});

test('who asks for a version that is not installed is told which are, and not of another model', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { 'model-a': { version: '1.0.0' }, 'model-b': { version: '1.0.0' } });
  assert.equal((await call(world, 'install', 'model-a', 'model-b')).exitCode, 0);
  const { exitCode, stderr } = await call(world, 'path', 'model-a@1.1.0');
  assert.equal(exitCode, 3);
  assert.match(stderr, /Install it: install model-a@1\.1\.0 \(installed: 1\.0\.0\)/);
  assert.match(
    (await call(world, 'path', 'modl-a')).stderr,
    /Install it: install modl-a \(or did you mean model-a\?\)/,
  );
  assert.match((await call(world, 'path', 'another-model')).stderr, /Install it: install another-model\n/);
});

test('unknown commands and options name the nearest, and values are checked', async (t) => {
  const world = await createWorld(t);
  const says = async (expected: RegExp, ...args: string[]) => {
    const { exitCode, stderr } = await call(world, ...args);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, expected);
  };
  await says(/Did you mean install\?/, 'instal', 'x');
  await says(/Did you mean --all\?/, 'update', '--al');
  await says(/Did you mean --offline\?/, '--ofline', 'list');
  await says(/--limit-rate fast is not a rate/, 'list', '--limit-rate', 'fast');
  await says(/--connections 0/, 'list', '--connections', '0');
  await says(/--release needs a value/, 'list', '--release');
  await says(/--json takes no value/, 'list', '--json=yes');
  await says(/one too many/, 'path', 'a', 'b');
  await says(/needs NAME/, 'path');
  await says(/Usage: aircher model COMMAND/);
  await says(/neither a minisign public key nor a file/, 'install', 'x', '--public-key', 'nothing');
});

test('commands work without the word model, and by the names that other tools have for them', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const run = (...args: string[]) =>
    execa(process.execPath, [clientProgram, ...args], {
      env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    });
  await run('install', 'alpha');
  assert.equal((await run('ls', '--json')).stdout, (await run('model', 'list', '--json')).stdout);
  assert.match((await run('upgrade', '--all')).stderr, /alpha 1\.0\.0 is the newest version/);
  assert.match((await run('rm', '--help')).stdout, /aircher model remove .*\(also: rm, uninstall\)/s);
  assert.match((await run()).stdout, /Usage: aircher model COMMAND/);
  await run('uninstall', 'alpha');
  assert.deepEqual(JSON.parse((await run('ls', '--json')).stdout), { models: [] });
});

test('--progress json tells events and messages on stderr, each as one line of JSON', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const { exitCode, stdout, stderr } = await call(world, 'install', 'alpha', '--json', '--progress', 'json');
  assert.equal(exitCode, 0);
  assert.equal(JSON.parse(stdout).models[0].version, '1.0.0');
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const event of events) assertDocument('event', event);
  const progress = events.filter(({ type, task }) => type === 'progress' && task === 'download');
  assert.ok(progress.length > 1);
  assert.equal(progress.at(-1).done, progress.at(-1).total);
  assert.match(events.find(({ type }) => type === 'notice').message, /alpha 1\.0\.0 installed/);
  const failed = await call(world, 'install', 'nope', '--progress=json');
  assert.match(JSON.parse(failed.stderr.trim().split('\n').at(-2)!).message, /^error: .*nope/);
  assert.equal((await call(world, 'list', '--progress', 'xml')).exitCode, 2);
});

test('install --dry-run tells licence and bytes, and leaves nothing installed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const told = await call(world, 'install', 'alpha', '--dry-run');
  assert.match(told.stdout, /^alpha 1\.0\.0: [\d.]+ KB to fetch of [\d.]+ KB\. Licence: Apache-2\.0\.\n$/);
  assert.equal((await call(world, 'path', 'alpha')).exitCode, 3);
  await call(world, 'install', 'alpha');
  assert.equal(
    (await call(world, 'install', 'alpha', '--dry-run')).stdout,
    'alpha 1.0.0 is installed. Licence: Apache-2.0.\n',
  );
  assert.equal((await call(world, 'install', 'nope', '--dry-run')).exitCode, 3);
  assert.equal((await call(world, 'install', '--from', world.root, '--dry-run')).exitCode, 2);
});

test('info tells versions with their spaces, weights, and what is here; without a source, what is installed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0', space: 'a'.repeat(64) } });
  await call(world, 'install', 'alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0', space: 'b'.repeat(64) } });
  const { stdout } = await call(world, 'info', 'alpha');
  assert.match(stdout, /^model +alpha 1\.1\.0, of models-v1\.1\.0$/m);
  assert.match(stdout, /^licence +Apache-2\.0$/m);
  assert.match(stdout, /^weights +model\.safetensors \(default\), .* on disk, space [0-9a-f]{12}$/m);
  assert.match(stdout, /^earlier +1\.0\.0, another space: its indices must be rebuilt$/m);
  assert.match(stdout, /^here +1\.0\.0 \(in use\): /m);
  assert.match((await call(world, 'show', 'alpha@1.0.0')).stdout, /^model +alpha 1\.0\.0, of models-v1\.0\.0$/m);
  await world.mirror.close();
  const without = await call(world, 'info', 'alpha', '--manifest', `${world.mirror.url}/other.json`);
  assert.equal(without.exitCode, 0, without.stderr);
  assert.match(without.stdout, /^model +alpha 1\./m);
  assert.equal((await call(world, 'info', 'nope')).exitCode, 3);
});

test('every command has help with examples that its own command line accepts', async (t) => {
  const world = await createWorld(t);
  const overview = await call(world, 'help');
  assert.equal(overview.exitCode, 0);
  for (const command of commands) {
    assert.match(overview.stdout, new RegExp(`^  ${command.name}\\b`, 'm'));
    const { stdout, exitCode } = await call(world, command.name, '--help');
    assert.equal(exitCode, 0);
    assert.ok(Object.keys(command.examples).length > 0);
    for (const behind of Object.keys(command.examples)) {
      const line = `${command.name} ${behind}`.trim();
      assert.ok(stdout.includes(`aircher model ${line}`), line);
      const words = line.replaceAll("'", '').split(' ');
      assert.equal(parseCommandLine(words).help, false, line);
    }
  }
});

test('preferences: pins, mirrors, limits; every mistake with its place and the nearest key', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await call(world, 'install', 'alpha');
  const file = join(world.cache, 'config/model-preferences.json');
  await mkdir(join(world.cache, 'config'));
  const content = { pins: {}, mirrors: ['mirror', 'github'], keep_versions: 2, limit_rate: '5MB', connections: 4 };
  await writeFile(file, JSON.stringify(content));
  assert.equal((await call(world, 'pin', 'alpha@1.0.0')).exitCode, 0);
  const written = JSON.parse(await readFile(file, 'utf8'));
  assert.deepEqual(written, { ...content, pins: { alpha: '1.0.0' } }, 'the rest stays as it is');
  const wrong = { pin: {}, pins: { alpha: '1.0.0' }, mirrors: ['githup'], limit_rate: 'quick', connections: 0 };
  await writeFile(file, JSON.stringify(wrong));
  const parts = [/\$\.pin\b.*\n?.*Did you mean "pins"/, /\$\.mirrors\[0\]/, /\$\.limit_rate/, /\$\.connections/];
  const { exitCode, stderr } = await call(world, 'update', 'alpha');
  assert.equal(exitCode, 3);
  for (const part of parts) assert.match(stderr, part);
  for (const args of [['list'], ['path', 'alpha'], ['install', 'alpha'], ['verify'], ['check-license']]) {
    const told = await call(world, ...args);
    assert.equal(told.exitCode, 0, args.join(' '));
    const warns = ['list', 'path', 'install', 'check-license'].includes(args[0] ?? '');
    for (const part of parts) assert.equal(part.test(told.stderr) && /^warning: /m.test(told.stderr), warns, args[0]);
  }
  assert.match((await call(world, 'list')).stdout, /current, pinned/, 'the pins that can be read');
  await writeFile(file, '{ "pins": ');
  const broken = await call(world, 'list');
  assert.equal(broken.exitCode, 0);
  assert.match(broken.stderr, /^warning: .*model-preferences\.json.*ends too early/m);
  assert.equal((await call(world, 'pin', 'alpha@1.0.0')).exitCode, 3);
});

test('rates are read in the forms people write', () => {
  const rates = ['500', '500k', '5MB', '1.5 MB/s', '1g', '2mb/s'].map(parseRate);
  assert.deepEqual(rates, [500, 500_000, 5_000_000, 1_500_000, 1_000_000_000, 2_000_000]);
  for (const text of ['', '0', 'fast', '-5', '5 apples', '0.1']) assert.equal(parseRate(text), undefined, text);
});

test('export and install --from carry a release to a machine without a network, by folder or tarball', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const stick = world.path('stick');
  for (const name of ['alpha', 'beta']) assert.equal((await call(world, 'export', name, '--to', stick)).exitCode, 0);
  assert.deepEqual((await readdir(stick)).sort(), [
    'alpha.tar.gz',
    'alpha.tar.gz.index.json',
    'beta.tar.gz',
    'beta.tar.gz.index.json',
    'manifest.json',
  ]);
  await world.mirror.close();
  const away = async (cache: string, ...args: string[]) =>
    world.run(['install', '--offline', ...args], { cache: world.path(cache), env: { AIRCHER_MANIFEST_URL: '' } });
  const both = await away('c1', '--from', stick);
  assert.equal(both.exitCode, 0, both.stderr);
  assert.deepEqual(await checkModels(world.path('c1'), [manifest]), { alpha: '1.0.0', beta: '1.0.0' });
  const one = await away('c2', '--from', join(stick, 'alpha.tar.gz'));
  assert.equal(one.exitCode, 0, one.stderr);
  assert.deepEqual(await checkModels(world.path('c2'), [manifest]), { alpha: '1.0.0' });
  const archive = join(stick, 'beta.tar.gz');
  const bytes = await readFile(archive);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(archive, bytes);
  for (const from of [stick, archive]) {
    const flipped = await away('c3', 'beta', '--from', from);
    assert.equal(flipped.exitCode, 4, flipped.stderr);
  }
  assert.deepEqual(await checkModels(world.path('c3'), []), {});
  await rm(join(stick, 'manifest.json'));
  const unknown = await away('c4', '--from', stick);
  assert.equal(unknown.exitCode, 3);
  assert.match(unknown.stderr, /manifest\.json/);
});

test('offline, export copies an installed version as files, which install --from takes with the same checks', async (t) => {
  const world = await createWorld(t);
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await call(world, 'install', 'alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0' } });
  await call(world, 'check-updates');
  const stick = world.path('stick');
  const exported = await call(world, 'export', 'alpha', '--offline', '--to', stick);
  assert.equal(exported.exitCode, 0, exported.stderr);
  const away = (cache: string) =>
    world.run(['install', '--from', stick], { cache: world.path(cache), env: { AIRCHER_MANIFEST_URL: '' } });
  const installed = await away('c1');
  assert.equal(installed.exitCode, 0, installed.stderr);
  assert.deepEqual(await checkModels(world.path('c1'), [manifest]), { alpha: '1.0.0' });
  await writeFile(join(stick, 'alpha/config.json'), 'other\n');
  assert.equal((await away('c2')).exitCode, 4);
});

test('doctor names what works and what does not, and the hosts for an allowlist', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const good = await call(world, 'doctor');
  assert.equal(good.exitCode, 0, good.stdout);
  assert.match(good.stdout, /ok +source http.*models-v1\.0\.0.*status 206/);
  assert.match(good.stdout, new RegExp(`Hosts that must be reachable: ${new URL(world.mirror.url).host}`));
  const bad = await call(world, 'doctor', '--manifest', 'http://127.0.0.1:1/manifest.json');
  assert.equal(bad.exitCode, 5);
  assert.match(bad.stdout, /FAILED +source http:\/\/127\.0\.0\.1:1/);
  assert.deepEqual(await readdir(world.root).then((names) => names.includes('cache')), false, 'it writes nothing');
});

test('progress: one line that is drawn again on a terminal, a line every five seconds in a log, nothing when quiet', () => {
  const draw = (isTTY: boolean, quiet: boolean): string => {
    let text = '';
    let now = 0;
    const stderr = { write: (part: string) => (text += part), isTTY, columns: 200 };
    const progress = createProgress({ stderr, quiet, verbose: false, now: () => now });
    for (let done = 0; done <= 100_000_000; done += 1_000_000) {
      progress.onEvent({ type: 'progress', task: 'download', subject: 'alpha', done, total: 100_000_000 });
      now += 150;
    }
    progress.onEvent({ type: 'done', task: 'download', subject: 'alpha' });
    progress.end();
    return text;
  };
  const terminal = draw(true, false);
  assert.ok(!terminal.includes('\n'));
  assert.match(terminal, /\r\u001b\[Kfetching alpha {2}50% {2}50\.0 MB of 100 MB {2}6\.67 MB\/s {2}8 s left/);
  assert.ok(terminal.endsWith('\r\u001b[K'));
  const lines = draw(false, false).trim().split('\n');
  assert.ok(lines.length >= 2 && lines.length <= 4, `${lines.length} lines in 15 s`);
  assert.equal(draw(true, true), '');
});

test('a terminal shows whom it asks before anything was sent, and no longer when data is printed', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const asked: number[] = [];
  let stderr = '';
  let shown: string | undefined;
  const exitCode = await runModelCommand(['list', '--remote'], {
    env: { AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdout: {
      write: () => {
        shown ??= stderr;
      },
    },
    stderr: {
      isTTY: true,
      columns: 200,
      write: (text) => {
        stderr += text;
        asked.push(world.mirror.log.entries.length);
      },
    },
    signal: new AbortController().signal,
    program: 'aircher model',
  });
  assert.equal(exitCode, 0, stderr);
  assert.ok(stderr.startsWith(`\r\u001b[Kasking ${world.manifestUrl}\r\u001b[K`), JSON.stringify(stderr));
  assert.equal(asked[0], 0);
  assert.ok(shown?.includes(`${world.manifestUrl}\r\u001b[K`));
});

test('progress: what comes by two hosts at once has a rate for each', () => {
  let text = '';
  let now = 0;
  const stderr = { write: (part: string) => (text += part), isTTY: true, columns: 200 };
  const progress = createProgress({ stderr, quiet: false, verbose: false, now: () => now });
  for (let second = 0; second <= 10; second++) {
    for (const [via, rate] of Object.entries({ github: 1_000_000, mirror: 8_000_000 })) {
      const done = second * rate;
      progress.onEvent({ type: 'progress', task: 'verify', subject: 'alpha.tar.gz', via, done, total: 100_000_000 });
      now += 500;
    }
  }
  const rates = new Set(text.match(/[\d.]+ MB\/s/g));
  assert.deepEqual([...rates].sort(), ['1.00 MB/s', '8.00 MB/s']);
});

test('progress: a wait that somebody would take for a hang is told, a short one only with --verbose', () => {
  const told = (delayMs: number, options: { quiet?: boolean; verbose?: boolean } = {}): string => {
    let text = '';
    const stderr = { write: (part: string) => (text += part), isTTY: false };
    const progress = createProgress({ stderr, quiet: false, verbose: false, ...options });
    progress.onEvent({ type: 'retry', what: 'rights', reason: 'POST /x: 403 secondary rate limit', delayMs });
    return text;
  };
  assert.equal(told(60_000), 'rights: POST /x: 403 secondary rate limit; again in 1 min 00 s\n');
  assert.equal(told(1000), '');
  assert.notEqual(told(1000, { verbose: true }), '');
  assert.equal(told(60_000, { quiet: true }), '');
});
