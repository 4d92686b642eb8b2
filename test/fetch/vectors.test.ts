import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256 } from '../../src/core/hashing.ts';
import { ensureModel, isAircherError } from '../../src/fetch/index.ts';
import { embedByCommand } from '../../src/fetch/vectors/run-embed-command.ts';
import { embedWith, type Trap, texts } from '../fixtures/trap-embedder.ts';
import { fp16, readRecord } from './part-scene.ts';
import { program, vectorWorld } from './vector-scene.ts';
import { createWorld, type World } from './world.ts';

const check = (world: World, how: string, ...options: readonly string[]) =>
  world.run(['check-vectors', 'alpha', ...options, '--', process.execPath, program, how]);

test('the vectors of the user’s runtime are held against those that came with the model, offline too', async (t) => {
  const world = await vectorWorld(t);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  await world.mirror.close();
  const { exitCode, stdout, stderr } = await check(world, 'none', '--json');
  assert.equal(exitCode, 0, stderr);
  const report = JSON.parse(stdout);
  assert.equal(report.ok, true);
  assert.equal(report.max_cosine_distance, 0);
  assert.equal(report.runtime, 'alpha 1.0.0 model.safetensors');
  assert.equal(report.reference_runtime, 'the maintainer’s');
  assert.deepEqual(report.findings, []);
  assert.equal(report.vectors.length, texts.length);
  const told = await check(world, 'none');
  assert.match(told.stdout, /11 texts: 11 equal, 0 not; largest distance 0, allowed 0\.0001\n\nThe model works here/);
});

test('each trap ends with 4, and is named with what it means', async (t) => {
  const world = await vectorWorld(t);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  const named: readonly (readonly [trap: Trap, what: string])[] = [
    ['cut', 'truncation'],
    ['no prompt', 'prompt'],
    ['nan', 'nan'],
    ['eight bits', 'precision'],
  ];
  for (const [trap, what] of named) {
    const { exitCode, stdout, stderr } = await check(world, trap);
    assert.equal(exitCode, 4, stderr);
    assert.match(stdout, new RegExp(`^${what}: `, 'm'));
    assert.match(stderr, /^error: alpha 1\.0\.0 embeds otherwise here: .*\nhint: /m);
    const json = await check(world, trap, '--json');
    assert.equal(json.exitCode, 4);
    assert.equal(JSON.parse(json.stdout).findings[0].what, what);
  }
  // Directions are right, and lengths aren't: no text is equal. Of other dimensions no distance is
  // told.
  const longer = await check(world, 'not normalised');
  assert.match(
    longer.stdout,
    /\n11 texts: 0 equal, 11 not; largest distance [\de.-]+, allowed 0\.0001\n\nnot-normalised: /,
  );
  const shorter = await check(world, 'fewer dimensions');
  assert.match(shorter.stdout, /\n11 texts: 0 equal, 11 not\n\ndimensions: /);
  const half = await check(world, 'half');
  assert.equal(half.exitCode, 0, half.stderr);
  assert.match(half.stdout, /^precision: .*half precision/m);
});

test('a command that fails, prints something else, or too few vectors, is told as that', async (t) => {
  const world = await vectorWorld(t);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  const failing: readonly (readonly [how: string, says: RegExp])[] = [
    ['fails', /fails: exit code 3\.\n.*CUDA out of memory/],
    ['garbage', /not valid JSON.*It printed "Loading model…\\n"\nhint: It must print \{ "vectors"/s],
    ['too few', /10 vectors for 11 texts/],
  ];
  for (const [how, says] of failing) {
    const { exitCode, stderr } = await check(world, how);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, says);
  }
  const missing = await world.run(['check-vectors', 'alpha', '--', 'no-such-program']);
  assert.equal(missing.exitCode, 3);
  assert.match(missing.stderr, /no-such-program: could not be started \(ENOENT\)/);
  const none = await world.run(['check-vectors', 'alpha']);
  assert.equal(none.exitCode, 2);
  assert.match(none.stderr, /Which command embeds\? check-vectors NAME -- COMMAND…/);
});

test('a command that never ends is ended at the limit, and when the caller gives up', async () => {
  const place = { space: undefined, path: '.', cache: 'user', weights_path: undefined, files: [] } as const;
  const model = { name: 'alpha', version: '1.0.0', ...place };
  const command = [process.execPath, program, 'never ends'];
  const late = embedByCommand(command, { environment: {}, limitMs: 1500 });
  await assert.rejects(late(texts, model), { code: 'invalid', message: /never ends: not done after 2 s/ });
  const controller = new AbortController();
  const running = embedByCommand(command, { environment: {}, signal: controller.signal })(texts, model);
  await delay(500);
  controller.abort();
  await assert.rejects(running, { name: 'AbortError' });
});

test('weights without a reference of their own are held to the default’s, up to 0.01, and that is said', async (t) => {
  const world = await vectorWorld(t);
  assert.equal((await world.run(['install', 'alpha', '--weights', 'all'])).exitCode, 0);
  const near = await check(world, 'eight bits', '--weights', fp16);
  assert.equal(near.exitCode, 0, near.stderr);
  assert.match(near.stdout, /fp16\/model\.safetensors have no reference vectors of their own.*up to 0\.01/);
  assert.match(near.stdout, /^alpha 1\.0\.0, by alpha 1\.0\.0 fp16\/model\.safetensors\nagainst model\.safetensors/);
  assert.equal((await check(world, 'cut', '--weights', fp16)).exitCode, 4);
});

test('vectors that were changed on the host are no reference; the model is installed all the same', async (t) => {
  const world = await vectorWorld(t);
  const path = join(world.mirrorDirectory, 'models-v1.0.0/alpha.vectors.json');
  const good = await readFile(path);
  for (const bad of [Buffer.from(good.toString().replace('"tolerance": 0.0001', '"tolerance": 0.9999')), undefined]) {
    await (bad ? writeFile(path, bad) : rm(path));
    const installed = await world.run(['install', 'alpha']);
    assert.equal(installed.exitCode, 0, installed.stderr);
    assert.match(installed.stderr, /warning: alpha@1\.0\.0: its reference vectors can’t be had/);
    const { exitCode, stderr } = await check(world, 'none');
    assert.equal(exitCode, bad ? 4 : 5, stderr);
    await world.run(['remove', 'alpha']);
  }
  await writeFile(path, good);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  // A kept one that was damaged is fetched again.
  const kept = join(world.cache, 'state/installed/alpha/1.0.0.vectors');
  await writeFile(kept, 'damaged');
  assert.equal((await check(world, 'none')).exitCode, 0);
  assert.deepEqual(await readFile(kept), good);
  assert.equal((await world.run(['remove', 'alpha'])).exitCode, 0);
  await assert.rejects(readFile(kept), { code: 'ENOENT' });
});

test('reference vectors are carried with the model, and a model without them says so', async (t) => {
  const world = await vectorWorld(t);
  const stick = world.path('stick');
  assert.equal((await world.run(['export', 'alpha', '--to', stick])).exitCode, 0);
  await world.mirror.close();
  const other = { cache: world.path('other') };
  assert.equal((await world.run(['install', '--from', stick], other)).exitCode, 0);
  const args = ['check-vectors', 'alpha', '--', process.execPath, program, 'none'];
  assert.equal((await world.run(args, other)).exitCode, 0);
  await writeFile(join(stick, 'alpha.vectors.json'), 'damaged');
  const without = { cache: world.path('without') };
  const installed = await world.run(['install', '--from', stick], without);
  assert.equal(installed.exitCode, 0);
  assert.match(installed.stderr, /warning: .*alpha\.vectors\.json: isn’t there as alpha 1\.0\.0 has it/);
  const offline = await world.run([...args.slice(0, 2), '--offline', ...args.slice(2)], without);
  assert.equal(offline.exitCode, 5);
  assert.match(offline.stderr, /The reference vectors of alpha 1\.0\.0 are not kept here/);
  const plain = await createWorld(t);
  await plain.release('1.0.0', { alpha: { version: '1.0.0' } });
  assert.equal((await plain.run(['install', 'alpha'])).exitCode, 0);
  const { exitCode, stderr } = await plain.run(args);
  assert.equal(exitCode, 3);
  assert.match(stderr, /alpha 1\.0\.0 has no reference vectors\.\nhint: Its maintainers can add them/);
});

test('ensureModel checks once for each runtime, and remembers it; what differs is an error with the report', async (t) => {
  const world = await vectorWorld(t);
  const options = { manifestSources: [world.manifestUrl], cacheDir: world.cache };
  let calls = 0;
  const embed = (trap: Trap) => (asked: typeof texts) => {
    calls++;
    return embedWith(trap, asked);
  };
  const bad = ensureModel('alpha', { ...options, check: embed('cut'), runtime: 'a' });
  await assert.rejects(bad, (error) => {
    assert.ok(isAircherError(error, 'integrity'));
    const report = error.details.report as { ok: boolean; findings: { what: string }[] };
    assert.deepEqual([report.ok, report.findings[0]?.what], [false, 'truncation']);
    return true;
  });
  for (const runtime of ['a', 'a', 'b', 'b', 'a']) {
    await ensureModel('alpha', { ...options, check: embed('none'), runtime });
  }
  assert.equal(calls, 3);
  const { checked = [] } = await readRecord(world);
  assert.deepEqual(
    checked.map(({ weights, runtime }) => [weights, runtime]),
    [
      ['model.safetensors', 'a'],
      ['model.safetensors', 'b'],
    ],
  );
  // Weights that are added later have not been checked.
  await ensureModel('alpha', { ...options, weights: fp16, check: embed('half'), runtime: 'a' });
  await ensureModel('alpha', { ...options, weights: fp16, check: embed('half'), runtime: 'a' });
  assert.equal(calls, 4);
  const report = await world.manager().checkVectors('alpha', embed('none'), { runtime: 'mine' });
  assert.equal(report.runtime, 'mine');
  const few = ensureModel('alpha', { ...options, check: () => [], runtime: 'c' });
  await assert.rejects(few, { code: 'invalid', message: /embed: 0 vectors for 11 texts/ });
});

test('a release that contradicts itself is refused: vectors of another archive', async (t) => {
  const world = await vectorWorld(t);
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
  const record = join(world.cache, 'state/installed/alpha/1.0.0.json');
  const kept = join(world.cache, 'state/installed/alpha/1.0.0.vectors');
  const other = Buffer.from(
    (await readFile(kept, 'utf8')).replace(/"archive_sha256": ".{64}"/, `"archive_sha256": "${'0'.repeat(64)}"`),
  );
  const content = JSON.parse(await readFile(record, 'utf8'));
  Object.assign(content.entry.reference, { sha256: sha256(other), size_bytes: other.length });
  await writeFile(record, JSON.stringify(content));
  await writeFile(kept, other);
  const { exitCode, stderr } = await check(world, 'none');
  assert.equal(exitCode, 4);
  assert.match(stderr, /The release contradicts itself/);
});
