import { mkdir, mkdtemp, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { type BertShape, writeBertModel } from '../../test/fixtures/bert-model.ts';

/** 3.04 GB. */
const large: BertShape = { layers: 40, hidden: 1024, vocabulary: 250_002 };
const neededBytes = 14e9;
const root = fileURLToPath(new URL('../..', import.meta.url));

export interface MemoryBench {
  readonly modelBytes: number;
  /** Highest resident memory of each process, in bytes. */
  readonly packing: number;
  readonly installing: number;
}

/**
 * What packing and installing a model of 3 GB hold in memory at most; undefined where the disk has
 * no room for it. The client must be built.
 */
export async function benchMemory(shape: BertShape = large): Promise<MemoryBench | undefined> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-bench-'));
  try {
    const { bavail, bsize } = await statfs(place);
    if (shape === large && bavail * bsize < neededBytes) return undefined;
    const peakOf = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> => {
      const report = join(place, 'peak');
      const probe = pathToFileURL(join(root, 'test/hostile/peak-memory.mjs')).href;
      await execa(process.execPath, ['--import', probe, ...args], { cwd: place, env: { ...env, PEAK_FILE: report } });
      return Number(await readFile(report, 'utf8'));
    };
    const mirror = await startStaticMirror({ directory: join(place, 'mirror') });
    try {
      await writeBertModel(join(place, 'models/bench'), shape);
      const { size } = await stat(join(place, 'models/bench/model.safetensors'));
      await mkdir(join(place, 'manifests'));
      const config = {
        release: '1.0.0',
        namespace: 'bench',
        tag_prefix: 'models-v',
        mirror: { base_url: mirror.url, directory: 'mirror' },
        models: { bench: { version: '1.0.0', license: 'Apache-2.0', source: { directory: 'models/bench' } } },
      };
      await writeFile(join(place, 'manifests/release.json'), JSON.stringify(config));
      const tool = join(root, 'src/cli.ts');
      for (const step of ['plan', 'stage']) await execa(process.execPath, [tool, step, '--quiet'], { cwd: place });
      const packing = await peakOf([tool, 'pack', '--quiet']);
      await execa(process.execPath, [tool, 'release', '--quiet'], { cwd: place });
      const manifest = `${mirror.url}/manifest.json`;
      const client = join(root, 'dist/client/aircher.mjs');
      const cache = { AIRCHER_CACHE_DIR: join(place, 'cache') };
      const installing = await peakOf([client, 'model', 'install', 'bench', '--quiet', '--manifest', manifest], cache);
      return { modelBytes: size, packing, installing };
    } finally {
      await mirror.close();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

export function formatMemoryBench(bench: MemoryBench | undefined): string {
  if (bench === undefined) return `Memory: left out, for want of ${neededBytes / 1e9} GB of disk`;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  return [
    `Most memory of a process, with a model of ${(bench.modelBytes / 1e9).toFixed(2)} GB`,
    `  aircher-models pack                ${mb(bench.packing)}`,
    `  aircher model install              ${mb(bench.installing)}`,
  ].join('\n');
}
