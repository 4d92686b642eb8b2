import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type BertShape, writeBertModel } from '../../test/fixtures/bert-model.ts';
import { hfProgram } from './hf-program.ts';
import type { InstallBench } from './install.ts';
import { measure } from './measure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const repository = 'bench/models';
const token = 'hf_bench';

/**
 * A model from a stand-in of the Hub over loopback: our installation, which checks every byte,
 * beside `hf download` of the same model's raw files, which checks no digest. The client must be
 * built.
 */
export async function benchHub(shape: BertShape, rounds: number): Promise<InstallBench> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-bench-'));
  const server = spawn(
    process.execPath,
    [join(root, 'scripts/bench/serve-hub.ts'), join(place, 'hub'), repository, token],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const url = await new Promise<string>((resolve) =>
      server.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())),
    );
    await publish(place, url, shape);
    const prepare = async (): Promise<void> => {
      for (const name of ['cache', 'plain']) await rm(join(place, name), { recursive: true, force: true });
    };
    const ours = {
      name: 'aircher model install',
      command: [
        ...[process.execPath, join(root, 'dist/client/aircher.mjs'), 'model', 'install', 'bench'],
        ...['--manifest', join(place, 'release/manifest.json')],
      ],
      env: { AIRCHER_CACHE_DIR: join(place, 'cache'), HF_HOME: join(place, 'home'), HF_ENDPOINT: url },
      prepare,
    };
    const hf = await hfProgram();
    const theirs = {
      name: 'hf download',
      needs: [hf],
      command: [
        ...[hf, 'download', repository, '--revision', 'models-v1.0.0', '--include', 'bench/*'],
        ...['--local-dir', join(place, 'plain')],
      ],
      env: {
        HF_ENDPOINT: url,
        HF_HOME: join(place, 'home'),
        HF_HUB_DISABLE_TELEMETRY: '1',
        HF_HUB_DISABLE_PROGRESS_BARS: '1',
        NO_PROXY: '127.0.0.1',
      },
      prepare,
    };
    return {
      title: 'The same model from a Hub, beside its raw files',
      base: ours.name,
      results: await measure([ours, theirs], rounds),
    };
  } finally {
    server.kill();
    await rm(place, { recursive: true, force: true });
  }
}

async function publish(place: string, url: string, shape: BertShape): Promise<void> {
  await writeBertModel(join(place, 'models/bench'), shape);
  await mkdir(join(place, 'manifests'));
  const config = {
    release: '1.0.0',
    namespace: 'bench',
    tag_prefix: 'models-v',
    huggingface: { repository, raw_files: true },
    models: { bench: { version: '1.0.0', license: 'Apache-2.0', source: { directory: 'models/bench' } } },
  };
  await writeFile(join(place, 'manifests/release.json'), JSON.stringify(config));
  await execa(process.execPath, [join(root, 'src/cli.ts'), 'release', '--quiet'], {
    cwd: place,
    env: { HF_ENDPOINT: url, HF_TOKEN: token },
  });
}
