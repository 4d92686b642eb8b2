import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type Manifest, parseManifest } from '../../src/contract/manifest.ts';
import { formatBytes } from '../../src/core/format.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { type BertShape, bertBase, writeBertModel } from '../../test/fixtures/bert-model.ts';
import { benchHub } from './hub.ts';
import { type Contender, formatMeasurements, type Measurement, measure, median } from './measure.ts';

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

  /** The client must be built. */
  static async make(shape: BertShape): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'aircher-bench-')));
    await writeBertModel(scene.path('models/bench'), shape);
    await scene.release('1.0.0', '1.0.0');
    await execa('cp', [join(root, 'dist/client/aircher.mjs'), scene.client]);
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
      mirror: { base_url: 'http://127.0.0.1:9', directory: 'mirror', probe: false },
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
    const path = this.path('mirror', `${name}.json`);
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
  readonly twoLayers: BytesServed;
  readonly readmeOnly: BytesServed;
  readonly ensureModelMs: number;
}

/** Bytes of the bodies that a server sent, by what they are of. */
export interface BytesServed {
  readonly archive: number;
  readonly index: number;
  readonly manifest: number;
}

/**
 * Installs and updates against other tools, over loopback and over a slow line. The client must be
 * built.
 */
export async function benchInstall(
  rounds: number,
): Promise<{ readonly benches: readonly InstallBench[]; readonly update: UpdateBench }> {
  const scene = await Scene.make(miniLm);
  try {
    const benches = [
      ...(await installs(scene, rounds)),
      await installLarge(Math.min(rounds, 3)),
      await benchHub(miniLm, rounds),
    ];
    return { benches, update: await benchUpdates({ ...miniLm, layers: 12 }) };
  } finally {
    await scene.end();
  }
}

/** What updates of a model of this shape fetch. The client must be built. */
export async function benchUpdates(shape: BertShape): Promise<UpdateBench> {
  const scene = await Scene.make(shape);
  try {
    return await updates(scene, shape);
  } finally {
    await scene.end();
  }
}

/** How to install a scene's model with our client and with other tools. */
function waysToInstall(scene: Scene) {
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
  const aria = (from: string) => ({
    name: 'aria2c -x4, sha256sum, tar xz',
    needs: ['aria2c', 'tar', 'sha256sum'],
    command: [
      'bash',
      '-c',
      'cd "$1" && aria2c -q -x4 -s4 -k1M "$2" && sha256sum bench.tar.gz && tar xzf bench.tar.gz',
      'bash',
      scene.path('plain'),
      `${from}${archive}`,
    ],
    prepare: clean,
  });
  return { ours, curl, aria };
}

async function installs(scene: Scene, rounds: number): Promise<readonly InstallBench[]> {
  const slow = await scene.serve('--rate', '20000000', '--latency', '40');
  const narrow = ['--total-rate', '10000000', '--latency', '20'];
  const [one, two] = [await scene.serve(...narrow), await scene.serve(...narrow)];
  const { ours, curl } = waysToInstall(scene);
  return [
    await coldInstall(scene, '91 MB', rounds),
    {
      title: 'The same with 20 MB/s a connection and 40 ms before each answer',
      base: 'aircher model install',
      results: await measure([await ours('aircher model install', 'm2', [slow]), curl(slow)], Math.min(rounds, 3)),
    },
    {
      title: 'Two mirrors of 10 MB/s each, against one of them',
      base: 'two mirrors',
      results: await measure(
        [await ours('two mirrors', 'm3', [one, two]), await ours('one mirror', 'm4', [one])],
        Math.min(rounds, 3),
      ),
    },
    {
      title: 'A command that needs no network',
      base: 'aircher model path',
      results: await warm(scene, await ours('aircher model path', 'm5', [await scene.serve()]), rounds),
    },
    {
      title: 'To the first line that an install shows: whom it asks',
      base: 'node -e 0',
      results: await measure([await firstLine(scene), idle], rounds * 2),
    },
  ];
}

async function installLarge(rounds: number): Promise<InstallBench> {
  const scene = await Scene.make(bertBase);
  try {
    return await coldInstall(scene, '438 MB', rounds);
  } finally {
    await scene.end();
  }
}

async function coldInstall(scene: Scene, size: string, rounds: number): Promise<InstallBench> {
  const url = await scene.serve();
  const { ours, curl, aria } = waysToInstall(scene);
  return {
    title: `Cold install of a ${size} model over loopback`,
    base: 'aircher model install',
    results: await measure([await ours('aircher model install', 'm1', [url]), curl(url), aria(url)], rounds),
  };
}

const idle: Contender = { name: 'node -e 0', command: [process.execPath, '-e', '0'] };

/** With --progress json, each line is written when a terminal would draw the first. */
async function firstLine(scene: Scene): Promise<Contender> {
  const url = await scene.serve();
  const install = await waysToInstall(scene).ours('aircher model install', 'm6', [url]);
  const command = install.command.map((word) => (word.endsWith('m6.json') ? `${url}/m6.json` : word));
  return { ...install, command: [...command, '--progress', 'json'], until: 'first line' };
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
      idle,
    ],
    rounds * 2,
  );
}

async function updates(scene: Scene, shape: BertShape): Promise<UpdateBench> {
  // In this process, since only its server knows what really went over the line.
  const server = await startStaticMirror({ directory: scene.path('mirror') });
  const env = { AIRCHER_CACHE_DIR: scene.path('update-cache') };
  const run = async (name: string, command: string): Promise<BytesServed> => {
    await scene.manifestFor(name, [server.url]);
    server.log.clear();
    const source = `${server.url}/${name}.json`;
    await execa(process.execPath, [scene.client, 'model', command, 'bench', '--manifest', source], { env });
    const sent = (ending: RegExp): number =>
      server.log.entries.filter(({ path }) => ending.test(path)).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    return { archive: sent(/\.gz$/), index: sent(/\.index\.json$/), manifest: sent(/\/u\d\.json$/) };
  };
  try {
    await run('u1', 'install');
    const ensureModelMs = await timeEnsureModel(scene.path('update-cache'));
    const { layers, hidden } = shape;
    const retrained = { [`layer.${layers - 2}.`]: 1, [`layer.${layers - 1}.`]: 1 };
    await writeBertModel(scene.path('models/bench'), { ...shape, retrained });
    await scene.release('1.1.0', '1.1.0');
    const twoLayers = await run('u2', 'update');
    await writeFile(scene.path('models/bench/README.md'), '---\nlicense: apache-2.0\n---\n\nOther words.\n');
    await scene.release('1.1.1', '1.1.1');
    const readmeOnly = await run('u3', 'update');
    return { changedBytes: 2 * (12 * hidden ** 2 + 13 * hidden) * 4, twoLayers, readmeOnly, ensureModelMs };
  } finally {
    await server.close();
  }
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
  const served = ({ archive, index, manifest }: BytesServed): string =>
    `${formatBytes(archive)} of the archive, ${formatBytes(index)} of index, ${formatBytes(manifest)} of manifest`;
  const overhead = (update.twoLayers.archive + update.twoLayers.index) / update.changedBytes;
  return [
    ...benches.map(({ title, base, results }) => `${title}\n${formatMeasurements(results, base)}`),
    [
      'Updates (bytes over HTTP, as the server counts them)',
      `  two retrained layers of twelve     ${served(update.twoLayers)}`,
      `                                     for ${formatBytes(update.changedBytes)} of changed weights (archive and index: ${overhead.toFixed(2)}x)`,
      `  a new README only                  ${served(update.readmeOnly)}`,
      `  ensureModel() of an installed one  ${update.ensureModelMs.toFixed(2)} ms`,
    ].join('\n'),
  ].join('\n\n');
}
