import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { buildClientBundle } from '../../scripts/build-client-bundle.ts';
import type { Manifest, ManifestModel } from '../../src/contract/manifest.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { createWorld, type World } from '../fetch/world.ts';

/**
 * A cache with one honest model in it, `innocent`, a host that an attacker fills as he likes, and
 * something outside the cache that nobody may touch. The attacked model is `victim`.
 */
export interface Arena {
  readonly world: World;
  /** The honest release's manifest, to be spoilt. */
  readonly manifest: Manifest;
  readonly victim: ManifestModel;
  /** Writes a file into the attacker's host; its URL. */
  plant(path: string, content: Uint8Array | string): Promise<string>;
  /**
   * Runs `aircher model …` against the attacker’s manifest, with a cache of its own that has
   * `innocent` (gone with the next attack), and checks what must hold after any.
   */
  attack(args: readonly string[], options?: AttackOptions): Promise<Outcome>;
  /** The same with the client that releases carry, as a process whose memory is measured. */
  measure(args: readonly string[], options?: AttackOptions): Promise<Outcome & { readonly peakBytes: number }>;
}

export interface AttackOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of the manifest on the attacker's host. */
  readonly manifest?: string;
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
  readonly cache: string;
}

const peakMemory = fileURLToPath(new URL('peak-memory.mjs', import.meta.url));

export async function createArena(t: TestContext): Promise<Arena> {
  const world = await createWorld(t);
  const model = { version: '1.0.0', layers: 1, layerBytes: 1000 };
  const manifest = await world.release('1.0.0', { innocent: model, victim: model });
  await world.manager().install('innocent');
  // With no accepted manifest to fall back on, what the attacker says decides.
  await rm(join(world.cache, 'state/accepted.json'));
  await mkdir(world.path('outside'));
  await writeFile(world.path('outside', 'evil'), 'untouched\n');
  let caches = 0;
  let bundle: Promise<string> | undefined;
  const prepare = async () => {
    await rm(world.path(`cache-${caches}`), { recursive: true, force: true });
    const cache = world.path(`cache-${++caches}`);
    await cp(world.cache, cache, { recursive: true, verbatimSymlinks: true });
    const before = await snapshot(world.root, cache);
    return { cache, before };
  };
  const environment = (cache: string, options: AttackOptions): Record<string, string> => ({
    AIRCHER_CACHE_DIR: cache,
    AIRCHER_MANIFEST_URL: options.manifest ?? world.manifestUrl,
    HOME: world.path('home'),
    ...options.env,
  });
  return {
    world,
    manifest,
    victim: manifest.models.victim!,
    plant: async (path, content) => {
      await writeFile(join(world.mirrorDirectory, path), content);
      return `${world.mirror.url}/${path}`;
    },
    attack: async (args, options = {}) => {
      const { cache, before } = await prepare();
      let stdout = '';
      let stderr = '';
      const startedAt = performance.now();
      const exitCode = await runModelCommand(args, {
        env: environment(cache, options),
        stdout: { write: (text) => (stdout += text) },
        stderr: { write: (text) => (stderr += text) },
        signal: new AbortController().signal,
        program: 'aircher model',
      });
      const milliseconds = performance.now() - startedAt;
      assert.deepEqual(await snapshot(world.root, cache), before, 'something was touched that must not be');
      return { exitCode, stdout, stderr, milliseconds, cache };
    },
    measure: async (args, options = {}) => {
      bundle ??= buildClientBundle(world.path('aircher.mjs')).then(() => world.path('aircher.mjs'));
      const program = await bundle;
      const { cache, before } = await prepare();
      const peakFile = `${cache}.peak`;
      const startedAt = performance.now();
      const result = await execa(process.execPath, ['--import', peakMemory, program, 'model', ...args], {
        cwd: world.root,
        extendEnv: false,
        env: { PATH: process.env.PATH ?? '', PEAK_FILE: peakFile, ...environment(cache, options) },
        reject: false,
        timeout: 120_000,
      });
      const milliseconds = performance.now() - startedAt;
      assert.deepEqual(await snapshot(world.root, cache), before, 'something was touched that must not be');
      const peakBytes = Number(await readFile(peakFile, 'utf8').catch(() => Number.NaN));
      const { stdout, stderr, exitCode = -1 } = result;
      return { exitCode, stdout, stderr, milliseconds, cache, peakBytes };
    },
  };
}

/**
 * What an attack must leave as it is: everything outside the cache, the installed model with its
 * records, and what is visible under models/ and versions/ at all.
 */
async function snapshot(root: string, cache: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const visible = ['models', 'versions', 'state/installed', 'config', 'indices'].map((part) => join(cache, part));
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inside = path.startsWith(cache + sep);
    const ours = /^(cache(-\d+)?([\\/]|$|\.peak)|home|aircher\.mjs)/.test(relative(root, path));
    if (inside ? visible.every((part) => !path.startsWith(part + sep)) : ours) continue;
    if (entry.isDirectory()) found[`${path}/`] = '';
    else if (entry.isSymbolicLink()) found[path] = await readlink(path);
    else
      found[path] = `${(await lstat(path)).mode} ${createHash('sha256')
        .update(await readFile(path))
        .digest('hex')}`;
  }
  return found;
}

/**
 * Bad input (3) or wrong bytes (4), with a message, not a fault of the program, in bounded time.
 */
export function requireRefused(outcome: Outcome, expected: readonly number[] = [3, 4]): void {
  assert.ok(expected.includes(outcome.exitCode), `exit ${outcome.exitCode}: ${outcome.stderr.slice(0, 2000)}`);
  assert.match(outcome.stderr, /^error: /m);
  assert.ok(outcome.stderr.length < 100_000, `${outcome.stderr.length} characters of errors`);
  assert.ok(outcome.milliseconds < 60_000, `${outcome.milliseconds} ms`);
}
