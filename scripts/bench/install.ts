import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type Manifest, parseManifest } from '../../src/contract/manifest.ts';
import { type BertShape, writeBertModel } from '../../test/fixtures/bert-model.ts';
import { buildClientBundle } from '../build-client-bundle.ts';
import { formatMeasurements, type Measurement, measure, median } from './measure.ts';

/** all-MiniLM-L6-v2's shape: 91 MB. */
const miniLm: BertShape = { layers: 6, hidden: 384, vocabulary: 30522 };
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A published release on this machine, and servers for it, each a process of its own. */
class Scene {
  private readonly servers: ChildProcess[] = [];
  readonly place: string;
  readonly client: string;

  private constructor(place: string) {
    this.place = place;
    this.client = join(place, 'aircher.mjs');
  }

  static async make(): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'aircher-bench-')));
    await buildClientBundle(join(root, 'dist/aircher.mjs'));
    await writeBertModel(scene.path('models/bench'), miniLm);
    await scene.release('1.0.0', '1.0.0');
    await execa('cp', [join(root, 'dist/aircher.mjs'), scene.client]);
    return scene;
  }

  path(...parts: readonly string[]): string {
    return join(this.place, ...parts);
  }

  /** Publishes what is in models/bench. */
  async release(release: string, version: string): Promise<void> {
    const config = {
      release,
      namespace: 'bench',
      tag_prefix: 'models-v',
      mirror: { base_url: 'http://127.0.0.1:9', directory: 'mirror' },
      models: { bench: { version, license: 'Apache-2.0', source: { directory: 'models/bench' } } },
    };
    await mkdir(this.path('manifests'), { recursive: true });
    await writeFile(this.path('manifests/release.json'), JSON.stringify(config));
    await execa(process.execPath, [join(root, 'src/cli.ts'), 'release', '--quiet'], { cwd: this.place });
  }

  async manifest(): Promise<Manifest> {
    return parseManifest(await readFile(this.path('mirror/manifest.json')), 'manifest.json');
  }

  /** A manifest file whose model is at these servers, the first one primary. */
  async manifestFor(name: string, urls: readonly string[]): Promise<string> {
    const manifest = structuredClone(await this.manifest()) as Manifest;
    const kinds = ['mirror', 'huggingface', 'github'] as const;
    for (const entry of Object.values(manifest.models)) {
      const replace = (old: string | undefined): Record<string, string> =>
        Object.fromEntries(urls.map((url, index) => [kinds[index], `${url}${new URL(old ?? url).pathname}`]));
      Object.assign(entry, { download_urls: replace(entry.download_urls.mirror), primary: 'mirror' });
      if (entry.index) Object.assign(entry.index, { download_urls: replace(entry.index.download_urls.mirror) });
    }
    const path = this.path(`${name}.json`);
    await writeFile(path, JSON.stringify(manifest));
    return path;
  }

  async serve(...options: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [join(root, 'scripts/bench/serve.ts'), this.path('mirror'), ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.servers.push(child);
    return await new Promise((resolve) => child.stdout.once('data', (url: Buffer) => resolve(url.toString().trim())));
  }

  async end(): Promise<void> {
    for (const server of this.servers) server.kill();
    await rm(this.place, { recursive: true, force: true });
  }
}

export interface InstallBench {
  readonly title: string;
  readonly base: string;
  readonly results: readonly Measurement[];
}

export interface UpdateBench {
  readonly changedBytes: number;
  readonly fetchedBytes: number;
  readonly configOnlyBytes: number;
  readonly ensureModelMs: number;
}

/** Installs and updates against other tools, over loopback and over a slow line. */
export async function benchInstall(
  rounds: number,
): Promise<{ readonly benches: readonly InstallBench[]; readonly update: UpdateBench }> {
  const scene = await Scene.make();
  try {
    return { benches: await installs(scene, rounds), update: await updates(scene) };
  } finally {
    await scene.end();
  }
}

async function installs(scene: Scene, rounds: number): Promise<readonly InstallBench[]> {
  const url = await scene.serve();
  const slow = await scene.serve('--rate', '20000000', '--latency', '40');
  const narrow = ['--total-rate', '20000000', '--latency', '20'];
  const [one, two] = [await scene.serve(...narrow), await scene.serve(...narrow)];
  const archive = '/models-v1.0.0/bench.tar.gz';
  const clean = async (): Promise<void> => {
    for (const name of ['cache', 'plain']) await rm(scene.path(name), { recursive: true, force: true });
    await mkdir(scene.path('plain'));
  };
  const ours = async (name: string, manifest: string, urls: readonly string[]) => ({
    name,
    command: [
      process.execPath,
      scene.client,
      'model',
      'install',
      'bench',
      '--manifest',
      await scene.manifestFor(manifest, urls),
    ],
    env: { AIRCHER_CACHE_DIR: scene.path('cache') },
    prepare: clean,
  });
  const curl = (from: string) => ({
    name: 'curl | tar xz, sha256sum',
    needs: ['curl', 'tar', 'sha256sum', 'bash'],
    command: [
      'bash',
      '-c',
      `cd "$1" && curl -sf "$2" | tee >(sha256sum > sum) | tar xz`,
      'bash',
      scene.path('plain'),
      `${from}${archive}`,
    ],
    prepare: clean,
  });
  const aria = {
    name: 'aria2c -x4, sha256sum, tar xz',
    needs: ['aria2c', 'tar', 'sha256sum'],
    command: [
      'bash',
      '-c',
      'cd "$1" && aria2c -q -x4 -s4 -k1M "$2" && sha256sum bench.tar.gz && tar xzf bench.tar.gz',
      'bash',
      scene.path('plain'),
      `${url}${archive}`,
    ],
    prepare: clean,
  };
  return [
    {
      title: 'Cold install of a 91 MB model over loopback',
      base: 'aircher model install',
      results: await measure([await ours('aircher model install', 'm1', [url]), curl(url), aria], rounds),
    },
    {
      title: 'The same with 20 MB/s a connection and 40 ms before each answer',
      base: 'aircher model install',
      results: await measure([await ours('aircher model install', 'm2', [slow]), curl(slow)], Math.min(rounds, 3)),
    },
    {
      title: 'Two mirrors of 20 MB/s each, against one of them',
      base: 'two mirrors',
      results: await measure(
        [await ours('two mirrors', 'm3', [one, two]), await ours('one mirror', 'm4', [one])],
        Math.min(rounds, 3),
      ),
    },
    {
      title: 'A command that needs no network',
      base: 'aircher model path',
      results: await warm(scene, await ours('aircher model path', 'm5', [url]), rounds),
    },
  ];
}

async function warm(
  scene: Scene,
  install: { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> },
  rounds: number,
): Promise<readonly Measurement[]> {
  const [program = '', ...args] = install.command;
  await execa(program, args, { env: install.env });
  return await measure(
    [
      {
        name: 'aircher model path',
        command: [process.execPath, scene.client, 'model', 'path', 'bench'],
        env: install.env,
      },
      { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
    ],
    rounds * 2,
  );
}

async function updates(scene: Scene): Promise<UpdateBench> {
  const url = await scene.serve();
  const env = { AIRCHER_CACHE_DIR: scene.path('update-cache') };
  const run = async (name: string, ...args: readonly string[]): Promise<string> => {
    const manifest = await scene.manifestFor(name, [url]);
    const { stdout } = await execa(
      process.execPath,
      [scene.client, 'model', ...args, '--manifest', manifest, '--json'],
      { env },
    );
    return stdout;
  };
  await run('u1', 'install', 'bench');
  const fetched = (document: string): number => Number(/"bytes_?[fF]etched": (\d+)/.exec(document)?.[1] ?? Number.NaN);
  const ensureModelMs = await timeEnsureModel(scene.path('update-cache'));
  await writeBertModel(scene.path('models/bench'), { ...miniLm, retrained: { 'layer.4.': 1, 'layer.5.': 1 } });
  await scene.release('1.1.0', '1.1.0');
  const fetchedBytes = fetched(await run('u2', 'update', 'bench'));
  await writeFile(scene.path('models/bench/README.md'), '---\nlicense: apache-2.0\n---\n\nOther words.\n');
  await scene.release('1.1.1', '1.1.1');
  const configOnlyBytes = fetched(await run('u3', 'update', 'bench'));
  const { hidden } = miniLm;
  return { changedBytes: 2 * (12 * hidden ** 2 + 13 * hidden) * 4, fetchedBytes, configOnlyBytes, ensureModelMs };
}

/** Median of many calls in one process, the first left out. */
async function timeEnsureModel(cacheDir: string): Promise<number> {
  const { ModelManager } = await import('../../src/fetch/index.ts');
  const times: number[] = [];
  for (let call = 0; call < 50; call++) {
    const manager = new ModelManager({ cacheDir, namespace: 'bench', manifestSources: [] });
    const start = performance.now();
    await manager.ensureModel('bench');
    if (call > 0) times.push(performance.now() - start);
  }
  return median(times) ?? Number.NaN;
}

export function formatInstallBench({ benches, update }: Awaited<ReturnType<typeof benchInstall>>): string {
  const kb = (bytes: number): string => `${(bytes / 1000).toFixed(0)} KB`;
  return [
    ...benches.map(({ title, base, results }) => `${title}\n${formatMeasurements(results, base)}`),
    [
      'Updates (bytes over HTTP, from the client’s own report)',
      `  two retrained layers of six        ${kb(update.fetchedBytes)} for ${kb(update.changedBytes)} of changed weights (${(update.fetchedBytes / update.changedBytes).toFixed(2)}x)`,
      `  a new README only                  ${kb(update.configOnlyBytes)}`,
      `  ensureModel() of an installed one  ${update.ensureModelMs.toFixed(2)} ms`,
    ].join('\n'),
  ].join('\n\n');
}
