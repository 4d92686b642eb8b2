/**
 * Compares packing with what people use today, in one run on one machine: `node scripts/bench-pack.ts [--model DIR]
 * [--rounds N] [--json]`. Every time is of whole processes and includes a sha256 of the archive.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packArchive, type SourceFile } from '../src/archive/pack.ts';
import type { ArchiveFormat } from '../src/contract/chunk-index.ts';
import { type BertShape, bertBase, writeBertModel } from './bert-model.ts';

export interface PackBenchOptions {
  /** A model's directory; without one, a BERT-shaped model is generated. */
  readonly model?: string;
  readonly shape?: BertShape;
  readonly rounds?: number;
}

export interface PackBenchResult {
  readonly name: string;
  /** Median of the rounds; undefined where a program it needs is missing. */
  readonly seconds: number | undefined;
  readonly missing: readonly string[];
  readonly archiveBytes: number | undefined;
  /** Highest resident memory of the packing process over all rounds, for packArchive only. */
  readonly peakMemoryBytes: number | undefined;
}

interface Contender {
  readonly name: string;
  readonly needs: readonly string[];
  readonly command: readonly string[];
  readonly output: string;
}

const ours: readonly ArchiveFormat[] = ['tar.gz', 'tar.zst'];

/** Runs every contender once a round, so that a slow moment of the machine meets all of them; gives medians. */
export async function benchPack(options: PackBenchOptions = {}): Promise<PackBenchResult[]> {
  const work = await mkdtemp(join(tmpdir(), 'aircher-bench-'));
  try {
    const model = options.model === undefined ? join(work, 'bert') : resolve(options.model);
    if (options.model === undefined) await writeBertModel(model, options.shape ?? bertBase);
    const packer = await bundlePacker(work);
    const contenders = listContenders(model, work, packer);
    const times = new Map<string, number[]>();
    const peaks = new Map<string, number>();
    for (let round = -1; round < (options.rounds ?? 5); round++) {
      for (const contender of contenders) {
        if (missingOf(contender).length > 0) continue;
        const { seconds, stdout } = await runTimed(contender.command);
        const peak = Number(/peak_bytes=(\d+)/.exec(stdout)?.[1] ?? 0);
        peaks.set(contender.name, Math.max(peak, peaks.get(contender.name) ?? 0));
        // The first round only warms the page cache.
        if (round >= 0) times.set(contender.name, [...(times.get(contender.name) ?? []), seconds]);
      }
    }
    return await Promise.all(
      contenders.map(async ({ name, output, needs }) => ({
        name,
        seconds: median(times.get(name) ?? []),
        missing: needs.filter((program) => !isInstalled(program)),
        archiveBytes: existsSync(output) ? (await stat(output)).size : undefined,
        peakMemoryBytes: peaks.get(name) || undefined,
      })),
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function listContenders(model: string, work: string, packer: string): Contender[] {
  const pipelines = [
    { name: 'tar | gzip -6', compress: ['gzip', '-6'], file: 'gzip.tar.gz' },
    { name: 'tar | pigz -6', compress: ['pigz', '-6', '-p', String(availableParallelism())], file: 'pigz.tar.gz' },
    { name: 'tar | zstd -3 -T0', compress: ['zstd', '-q', '-3', '-T0'], file: 'zstd.tar.zst' },
  ];
  return [
    ...ours.map((format) => {
      const output = join(work, `model.${format}`);
      return {
        name: `packArchive ${format}`,
        needs: [],
        command: [process.execPath, packer, '--pack', model, format, output],
        output,
      };
    }),
    ...pipelines.map(({ name, compress, file }) => {
      const output = join(work, file);
      const script = `tar -C "$1" -c "$2" | ${compress.join(' ')} | tee "$3" | sha256sum`;
      const command = ['sh', '-c', script, 'sh', dirname(model), basename(model), output];
      return { name: `${name} | sha256sum`, needs: ['tar', 'sha256sum', ...compress.slice(0, 1)], command, output };
    }),
  ];
}

/** This file as the built package has it: one JavaScript file, no type stripping at every start. */
async function bundlePacker(work: string): Promise<string> {
  const { build } = await import('esbuild');
  const outfile = join(work, 'packer.mjs');
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
    logLevel: 'error',
  });
  return outfile;
}

function runTimed(command: readonly string[]): Promise<{ readonly seconds: number; readonly stdout: string }> {
  const [program = '', ...args] = command;
  const start = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (status) => {
      const seconds = (performance.now() - start) / 1000;
      if (status === 0) done({ seconds, stdout });
      else failed(new Error(`${command.join(' ')} ended with ${status}`));
    });
  });
}

function missingOf(contender: Contender): string[] {
  return contender.needs.filter((program) => !isInstalled(program));
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

/** What the timed process does. */
async function pack(directory: string, format: ArchiveFormat, output: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry): Promise<SourceFile> => {
        const absolutePath = join(entry.parentPath, entry.name);
        const path = relative(directory, absolutePath).split(sep).join('/');
        return { path, absolutePath, sizeBytes: (await stat(absolutePath)).size };
      }),
  );
  await mkdir(dirname(output), { recursive: true });
  const packed = await packArchive({ model: 'model', files, format, output, mtimeSeconds: 499162500 });
  console.log(`${packed.archive.sha256} peak_bytes=${process.resourceUsage().maxRSS * 1024}`);
}

/** A table with the time of each contender as a multiple of packArchive's in the same kind of compression. */
export function formatPackBench(results: readonly PackBenchResult[]): string {
  const seconds = (name: string): number | undefined => results.find((result) => result.name === name)?.seconds;
  const lines = results.map(({ name, seconds: time, missing, archiveBytes, peakMemoryBytes }) => {
    if (time === undefined) return `${name.padEnd(36)} missing: ${missing.join(', ')}`;
    const own = seconds(`packArchive ${name.includes('zst') ? 'tar.zst' : 'tar.gz'}`);
    const ratio = own === undefined ? '' : `${(time / own).toFixed(2)}x`;
    const size = `${((archiveBytes ?? 0) / 1e6).toFixed(1)} MB`;
    const memory = peakMemoryBytes === undefined ? '' : `peak ${(peakMemoryBytes / 1e6).toFixed(0)} MB`;
    return `${name.padEnd(36)} ${time.toFixed(2).padStart(7)} s ${ratio.padStart(7)} ${size.padStart(10)}  ${memory}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}

async function main(): Promise<void> {
  if (process.argv[2] === '--pack') {
    const [directory = '', format = '', output = ''] = process.argv.slice(3);
    await pack(directory, format as ArchiveFormat, output);
    return;
  }
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const results = await benchPack({
    ...(values.model !== undefined && { model: values.model }),
    rounds: Number(values.rounds),
  });
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : formatPackBench(results));
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
