import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { test } from 'node:test';
import type { Manifest, ManifestModel } from '../../src/contract/manifest.ts';
import { checkModels, checksummedVersions, clientProgram, createWorld, type World } from './world.ts';

/** Kills in each test; AIRCHER_TEST_KILLS=200 is the soak. */
const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 5);

/**
 * What a connection has under way when its reader is killed: a chunk, and what lies in its socket
 * on a line of 3 MB/s.
 */
const layerBytes = 600_000;
const socketBytes = 256 * 1024;
const connections = 2;

for (const [command, how] of [
  ['install', 'the archive'],
  ['update', 'the archive'],
  ['install', 'planes'],
  ['update', 'a patch'],
] as const) {
  test(`kill -9 at ${kills} moments of ${command} by ${how}: nothing unverified is visible, and what was fetched is not fetched again`, async (t) => {
    // A slow line rather than a slow reader: what waits in the network's buffers when a reader is
    // killed is nobody's loss.
    const world = await createWorld(t, { limits: { bytesPerSecond: 3_000_000 } });
    const isEncoded = how !== 'the archive';
    const shape = { layers: 10, layerBytes };
    const first = { version: '1.0.0', ...shape, ...(isEncoded && { trained: 0 }) };
    const manifests = [await world.release('1.0.0', { alpha: first })];
    // What the cache is like before the command, to begin anew from when it has come to its end.
    const before = world.path('before');
    await mkdir(before);
    let needed = leastBytes(manifests[0]!.models.alpha!);
    if (command === 'update') {
      await duration(world, ['install', 'alpha', '--cache-dir', before]);
      const retrained = [0, 1, 2, 3, 4, 6, 8, 9];
      const next = { version: '1.1.0', ...shape, ...(isEncoded ? { trained: 1 } : { retrained }) };
      manifests.push(await world.release('1.1.0', { alpha: next }));
      needed = isEncoded ? leastBytes(manifests[1]!.models.alpha!) : retrained.length * layerBytes;
    }
    const beginAnew = async (): Promise<void> => {
      await rm(world.cache, { recursive: true, force: true });
      await cp(before, world.cache, { recursive: true, verbatimSymlinks: true });
    };
    const args = [command, 'alpha', '--connections', String(connections)];
    await beginAnew();
    const usual = await duration(world, args);
    await beginAnew();
    const sentBefore = bytesOut(world);
    let killed = 0;
    let completed = 0;
    while (killed < kills) {
      // No two rounds alike, and no long row of short ones.
      const moment = usual * (((killed + completed) * 0.618 + 0.1) % 1);
      if (await killAfter(world, args, moment, manifests)) killed++;
      else {
        completed++;
        await beginAnew();
      }
    }
    const finished = await world.run(args);
    assert.equal(finished.exitCode, 0, finished.stderr);
    const version = manifests.at(-1)!.models.alpha!.version;
    assert.deepEqual(await checkModels(world.cache, manifests), { alpha: version });
    assert.deepEqual(await checksummedVersions(world.cache), { alpha: version });
    const sent = bytesOut(world) - sentBefore;
    const whole = (completed + 1) * needed;
    const most = 1.02 * whole + killed * connections * (layerBytes + socketBytes);
    t.diagnostic(`${killed} kills, ${completed + 1} times ${needed} bytes: ${sent} sent, at most ${Math.round(most)}`);
    t.diagnostic(`lost by each connection of a kill: ${Math.round((sent - whole) / killed / connections)} bytes`);
    assert.ok(sent <= most, `${sent} of at most ${most} bytes`);
  });
}

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

/**
 * Runs the client, kills it with SIGKILL after so many milliseconds, checks what is visible.
 * Answers whether it was still running.
 */
async function killAfter(
  world: World,
  args: readonly string[],
  milliseconds: number,
  manifests: readonly Manifest[],
): Promise<boolean> {
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
  return signal === 'SIGKILL';
}

async function duration(world: World, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const result = await world.run(args);
  assert.equal(result.exitCode, 0, result.stderr);
  return performance.now() - startedAt;
}

/**
 * What is fetched of a version by its best encoding, or by the archive; but for a few small files.
 */
function leastBytes({ size_bytes, encodings = [] }: ManifestModel): number {
  return Math.min(size_bytes, ...encodings.map((encoding) => encoding.size_bytes));
}

function bytesOut(world: World): number {
  return world.mirror.log.entries
    .filter((entry) => /\.(tar\.gz|planes|patch)$/.test(entry.path))
    .reduce((sum, entry) => sum + entry.bytesOut, 0);
}
