import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { readManifest } from '../../src/release/documents/write-manifest.ts';
import { requirePlan } from '../../src/release/plan/plan-record.ts';
import { targetRelease } from '../../src/release/publish/target-release.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { bertTensors, safetensorsFile } from '../fixtures/tiny-model.ts';
import { createPublishScene, type PublishScene, quickCli } from './publish-scene.ts';

export interface MeasuredPublish {
  readonly modelBytes: number;
  /** Bytes that each host needs once: files with the same content counted once. */
  readonly plannedBytes: Readonly<Record<string, number>>;
  /** Bytes of all requests' bodies. */
  readonly wireBytes: Readonly<Record<string, number>>;
  /** The host that is furthest off: bytes on the wire by bytes planned. */
  readonly wireRatio: number;
  /** Largest resident set of the process that publishes, by `/usr/bin/time`. */
  readonly peakMegabytes: number;
  readonly seconds: number;
}

/**
 * Publishes one model of about that size to GitHub (below 2 GiB) and the Hub, raw files included,
 * from a process of its own.
 */
export async function measurePublish(options: {
  readonly bytes: number;
  readonly say?: (line: string) => void;
}): Promise<MeasuredPublish> {
  const { bytes, say = () => {} } = options;
  const scene = await createPublishScene(undefined);
  try {
    await scene.configure({ mirror: undefined, models: { large: modelConfig('large') } });
    await scene.workspace.writeModel('large');
    await writeLargeWeights(scene.workspace.path('models/large/model.safetensors'), bytes);
    for (const step of ['plan', 'stage', 'pack', 'prove', 'manifest', 'checksums', 'notes']) {
      say(step);
      const { exitCode, stderr } = await scene.start([step]);
      assert.equal(exitCode, 0, `${step}: ${stderr}`);
    }
    // The archive has it all.
    await rm(scene.workspace.path('models'), { recursive: true });
    scene.clearLogs();
    say('publish');
    const started = performance.now();
    const { exitCode, stderr } = await execa(
      '/usr/bin/time',
      ['-v', process.execPath, quickCli, 'publish', '--quiet'],
      { cwd: scene.workspace.directory, env: { ...scene.env, AIRCHER_TEST_PATIENCE: 'real' }, reject: false },
    );
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    assert.equal(exitCode, 0, stderr);
    const peak = /Maximum resident set size \(kbytes\): (\d+)/.exec(stderr)?.[1];
    assert.ok(peak, stderr);
    const plannedBytes = await planned(scene);
    const wireBytes = {
      github: sum(scene.github.log.entries.map(({ bytesIn }) => bytesIn)),
      huggingface: sum(scene.hub.log.entries.map(({ bytesIn }) => bytesIn)),
    };
    const ratios = Object.entries(plannedBytes).map(([kind, size]) => wireBytes[kind as keyof typeof wireBytes] / size);
    const wireRatio = ratios.reduce((worst, ratio) => (Math.abs(ratio - 1) > Math.abs(worst - 1) ? ratio : worst));
    return { modelBytes: bytes, plannedBytes, wireBytes, wireRatio, peakMegabytes: Number(peak) / 1000, seconds };
  } finally {
    await scene.close();
  }
}

async function planned(scene: PublishScene): Promise<Readonly<Record<string, number>>> {
  const { loaded, workspace, targets } = await scene.inside();
  const plan = await requirePlan(loaded, workspace);
  const written = await readManifest(workspace);
  const sizes: Record<string, number> = {};
  for (const target of targets) {
    const { files } = await targetRelease(loaded.config, plan, written, target, targets, workspace);
    sizes[target.kind] = sum([...new Map(files.map((file) => [file.sha256, file.sizeBytes])).values()]);
  }
  return sizes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

const tensorBytes = 64 * 1024 * 1024;

/**
 * The weights of a tiny model, and tensors of 64 MiB beside them, that no compressor can shrink to
 * nothing.
 */
async function writeLargeWeights(path: string, bytes: number): Promise<void> {
  const small = safetensorsFile({ tensors: bertTensors(), metadata: { format: 'pt' } });
  const smallHeader = Number(small.readBigUInt64LE(0));
  const header = JSON.parse(small.subarray(8, 8 + smallHeader).toString()) as Record<string, unknown>;
  const data = small.subarray(8 + smallHeader);
  const count = Math.max(1, Math.round(bytes / tensorBytes));
  for (let number = 0; number < count; number++) {
    const begin = data.length + number * tensorBytes;
    header[`extra.${number}.weight`] = {
      dtype: 'F32',
      shape: [tensorBytes / 4],
      data_offsets: [begin, begin + tensorBytes],
    };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const block = randomFillSync(Buffer.alloc(tensorBytes / 8));
  const handle = await open(path, 'w');
  try {
    for (const piece of [length, padded, data]) await handle.writeFile(piece);
    for (let written = 0; written < count * 8; written++) {
      block.writeUInt32LE(written, 0);
      await handle.writeFile(block);
    }
  } finally {
    await handle.close();
  }
}
