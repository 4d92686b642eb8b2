import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { startGitHub } from '../../src/rehearsal/github/server.ts';
import { startHub } from '../../src/rehearsal/hub/server.ts';
import { type BertShape, writeBertModel } from '../../test/fixtures/bert-model.ts';
import { median } from './measure.ts';

/** 83 MB. */
const shape: BertShape = { layers: 4, hidden: 512, vocabulary: 16_000 };
/** What each host takes, all its connections together. */
const bytesPerSecond = 5e6;
const repository = 'acme/models';
const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

const contenders = {
  GitHub: { github: { repository } },
  'the Hub': { huggingface: { repository } },
  both: { github: { repository }, huggingface: { repository } },
} as const;

export interface PublishBench {
  /** Median seconds of `publish`. */
  readonly seconds: Readonly<Record<keyof typeof contenders, number>>;
  /** Both hosts, as a multiple of the slower one alone. */
  readonly ratio: number;
}

/**
 * Publishing one packed model to one host, to another, and to both, with the command's real
 * patience.
 */
export async function benchPublish(rounds: number): Promise<PublishBench> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-bench-'));
  const times = new Map<string, number[]>();
  try {
    await writeBertModel(join(place, 'models/bench'), shape);
    for (let round = 0; round < rounds; round++) {
      for (const [name, hosts] of Object.entries(contenders)) {
        times.set(name, [...(times.get(name) ?? []), await publishOnce(place, name, hosts)]);
      }
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
  const secondsOf = (name: string): number => median(times.get(name) ?? []) ?? Number.NaN;
  const seconds = { GitHub: secondsOf('GitHub'), 'the Hub': secondsOf('the Hub'), both: secondsOf('both') };
  return { seconds, ratio: seconds.both / Math.max(seconds.GitHub, seconds['the Hub']) };
}

/** Seconds of `publish` to empty hosts. What is packed stays from round to round. */
async function publishOnce(place: string, name: string, hosts: object): Promise<number> {
  const directory = join(place, name.replaceAll(' ', '-'));
  const state = await mkdtemp(join(place, 'hosts-'));
  const limits = { sharedBytesPerSecond: bytesPerSecond };
  const [githubToken, hubToken] = ['ghp_bench', 'hf_bench'];
  const github = await startGitHub({
    stateDirectory: join(state, 'github'),
    tokens: { [githubToken]: { login: 'acme', push: true } },
    repositories: [{ owner: 'acme', name: 'models' }],
    limits,
  });
  const hub = await startHub({
    stateDirectory: join(state, 'hub'),
    accounts: { [hubToken]: { user: 'acme', role: 'write' } },
    limits,
  });
  try {
    await hub.createRepository(repository);
    const config = {
      release: '1.0.0',
      namespace: 'bench',
      tag_prefix: 'models-v',
      ...hosts,
      models: { bench: { version: '1.0.0', license: 'Apache-2.0', source: { directory: '../models/bench' } } },
    };
    await mkdir(join(directory, 'manifests'), { recursive: true });
    await writeFile(join(directory, 'manifests/release.json'), JSON.stringify(config));
    const env = {
      GITHUB_TOKEN: githubToken,
      GITHUB_API_URL: github.apiUrl,
      GITHUB_SERVER_URL: github.url,
      HF_TOKEN: hubToken,
      HF_ENDPOINT: hub.url,
    };
    const run = (...args: readonly string[]) =>
      execa(process.execPath, [cli, ...args, '--quiet'], { cwd: directory, env });
    await run('release', '--dry-run');
    const start = performance.now();
    await run('publish');
    return (performance.now() - start) / 1000;
  } finally {
    await Promise.all([github.close(), hub.close()]);
    await rm(state, { recursive: true, force: true });
  }
}

export function formatPublishBench({ seconds, ratio }: PublishBench): string {
  return [
    `Publishing 83 MB to hosts that take ${bytesPerSecond / 1e6} MB/s each`,
    ...Object.entries(seconds).map(([name, time]) => `  ${name.padEnd(44)} ${time.toFixed(2).padStart(7)} s`),
    `  both, beside the slower one alone ${ratio.toFixed(2)}x`,
  ].join('\n');
}
