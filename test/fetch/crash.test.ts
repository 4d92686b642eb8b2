import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { checkModels, checksummedVersions, clientProgram, createWorld, type World } from './world.ts';

/** Kills in each of the two tests; AIRCHER_TEST_KILLS=200 is the soak. */
const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 5);

test(`kill -9 at ${kills} moments of an install: nothing unverified is visible, and what was fetched is not fetched again`, async (t) => {
  // A slow line rather than a slow reader: what waits in the network's buffers when a reader is killed is nobody's loss.
  const world = await createWorld(t, { limits: { bytesPerSecond: 3_000_000 } });
  const manifest = await world.release('1.0.0', { alpha: { version: '1.0.0', layers: 10, layerBytes: 600_000 } });
  const args = ['install', 'alpha', '--connections', '2'];
  const usual = await duration(world, [...args, '--cache-dir', world.path('other')]);
  const before = bytesOut(world);
  let killed = 0;
  for (let round = 0; round < kills; round++) {
    killed += await killAfter(world, args, (usual * (round + 0.5)) / kills + 1, [manifest]);
  }
  const finished = await world.run(args);
  assert.equal(finished.exitCode, 0, finished.stderr);
  assert.deepEqual(await checkModels(world.cache, [manifest]), { alpha: '1.0.0' });
  assert.deepEqual(await checksummedVersions(world.cache), { alpha: '1.0.0' });
  const { size_bytes: size } = manifest.models.alpha!;
  const bound = 1.1 * size + killed * 2 * 1_100_000;
  assert.ok(bytesOut(world) - before <= bound, `${bytesOut(world) - before} of at most ${bound} bytes`);
});

test(`kill -9 at ${kills} moments of updates: each model is at the old version or the new one, whole`, async (t) => {
  const world = await createWorld(t);
  const shape = { layers: 6, layerBytes: 300_000 };
  const manifests = [
    await world.release('1.0.0', { alpha: { version: '1.0.0', ...shape }, beta: { version: '1.0.0', ...shape } }),
  ];
  const first = await world.run(['install', 'alpha', 'beta']);
  assert.equal(first.exitCode, 0, first.stderr);
  for (let round = 1; round <= kills; round++) {
    const retrained = [round % 6, (round + 1) % 6, 6 + round];
    manifests.push(
      await world.release(`1.${round}.0`, {
        alpha: { version: `1.${round}.0`, ...shape, retrained },
        beta: { version: `1.${round}.0`, ...shape, retrained },
      }),
    );
    await killAfter(world, ['update', '--all'], 150 + (500 * round) / kills, manifests);
    const healed = await world.run(['list', '--json']);
    assert.equal(healed.exitCode, 0, healed.stderr);
    const visible = await checkModels(world.cache, manifests);
    assert.deepEqual(await checksummedVersions(world.cache), visible, 'a command that only lists has healed it');
    assert.deepEqual(Object.keys(visible).sort(), ['alpha', 'beta']);
  }
  const finished = await world.run(['update', '--all']);
  assert.equal(finished.exitCode, 0, finished.stderr);
  const version = `1.${kills}.0`;
  assert.deepEqual(await checkModels(world.cache, manifests), { alpha: version, beta: version });
});

/** Runs the client, kills it with SIGKILL after so many milliseconds, checks what is visible. Answers with 1 where it was still running. */
async function killAfter(
  world: World,
  args: readonly string[],
  milliseconds: number,
  manifests: readonly Manifest[],
): Promise<number> {
  const child = spawn(process.execPath, [clientProgram, 'model', ...args], {
    cwd: world.root,
    env: { PATH: process.env.PATH, AIRCHER_CACHE_DIR: world.cache, AIRCHER_MANIFEST_URL: world.manifestUrl },
    stdio: 'ignore',
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const signal = await ended;
  clearTimeout(timer);
  await checkModels(world.cache, manifests);
  return signal === 'SIGKILL' ? 1 : 0;
}

async function duration(world: World, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const result = await world.run(args);
  assert.equal(result.exitCode, 0, result.stderr);
  return performance.now() - startedAt;
}

function bytesOut(world: World): number {
  return world.mirror.log.entries
    .filter((entry) => /\.tar\.gz$/.test(entry.path))
    .reduce((sum, entry) => sum + entry.bytesOut, 0);
}
