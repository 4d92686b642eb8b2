/**
 * Compares packing with what people use today, in one run on one machine: `node
 * scripts/bench/pack.ts [--model DIR] [--rounds N] [--json]`. Every time is of whole processes and
 * includes a sha256 of the archive.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packArchive, type SourceFile } from '../../src/archive/pack-archive.ts';
import type { ArchiveFormat } from '../../src/contract/chunk-index.ts';
import { type BertShape, bertBase, writeBertModel } from '../../test/fixtures/bert-model.ts';
import { type Contender, type Measurement, measure } from './measure.ts';

export interface PackBenchOptions {
  /** A model's directory; without one, a BERT-shaped model is generated. */
  readonly model?: string;
  readonly shape?: BertShape;
  readonly rounds?: number;
}

export interface PackBenchResult extends Measurement {
  readonly archiveBytes: number | undefined;
}

interface PackContender extends Contender {
  readonly output: string;
}

const ours: readonly ArchiveFormat[] = ['tar.gz', 'tar.zst'];

/**
 * Runs every contender once a round, so that a slow moment of the machine meets all of them; gives
 * medians.
 */
export async function benchPack(options: PackBenchOptions = {}): Promise<PackBenchResult[]> {
  const work = await mkdtemp(join(tmpdir(), 'aircher-bench-'));
  try {
    const model = options.model === undefined ? join(work, 'bert') : resolve(options.model);
    if (options.model === undefined) await writeBertModel(model, options.shape ?? bertBase);
    const packer = await bundlePacker(work);
    const contenders = listContenders(model, work, packer);
    const measured = await measure(contenders, options.rounds ?? 5);
    return await Promise.all(
      measured.map(async (measurement, index) => {
        const { output } = contenders[index]!;
        return { ...measurement, archiveBytes: existsSync(output) ? (await stat(output)).size : undefined };
      }),
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function listContenders(model: string, work: string, packer: string): PackContender[] {
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

/**
 * A table with the time of each contender as a multiple of packArchive's in the same kind of
 * compression.
 */
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
