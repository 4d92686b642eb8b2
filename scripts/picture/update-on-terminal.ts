import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../src/cli/run-cli.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { writeTinyModel } from '../../test/fixtures/tiny-model.ts';

/** Columns of the terminal. */
export const pictureWidth = 84;

/**
 * What a user sees who looks for updates and takes them: one model was retrained, and its indices
 * must be rebuilt; of the other only the README changed. Needs the built client. The same text on
 * every machine: models and archives are deterministic, and one connection fetches nothing twice.
 */
export async function updateOnTerminal(): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-picture-'));
  await mkdir(join(place, 'mirror'));
  const mirror = await startStaticMirror({ directory: join(place, 'mirror') });
  try {
    const env = { AIRCHER_CACHE_DIR: join(place, 'cache'), AIRCHER_MANIFEST_URL: `${mirror.url}/manifest.json` };
    const user = (...args: readonly string[]): Promise<string> => asUser(env, args);
    const [size, faq] = [{ layers: 6, hidden: 128, vocabulary: 4000 }, { seed: 2 }];
    await writeTinyModel(join(place, 'models/search-embedder'), size);
    await writeTinyModel(join(place, 'models/faq-embedder'), faq);
    await release(place, mirror.url, '1.0.0', { 'search-embedder': '1.0.0', 'faq-embedder': '1.0.0' });
    await user('install', 'search-embedder', 'faq-embedder');
    await writeTinyModel(join(place, 'models/search-embedder'), { ...size, retrained: { 5: 3 } });
    await writeFile(join(place, 'models/faq-embedder/README.md'), 'Examples were added.\n');
    await release(place, mirror.url, '1.1.0', { 'search-embedder': '1.1.0', 'faq-embedder': '1.0.1' });
    const shown: string[] = [];
    for (const command of [['check-updates'], ['update', '--all', '--connections', '1']]) {
      const [name] = command;
      shown.push(`$ aircher ${command.slice(0, name === 'update' ? 2 : 1).join(' ')}\n${await user(...command)}`);
    }
    return shown.join('\n');
  } finally {
    await mirror.close();
    await rm(place, { recursive: true, force: true });
  }
}

async function release(
  place: string,
  url: string,
  version: string,
  models: Readonly<Record<string, string>>,
): Promise<void> {
  const entries = Object.entries(models).map(([name, of]) => [
    name,
    { version: of, license: 'Apache-2.0', source: { directory: `models/${name}` } },
  ]);
  const config = {
    release: version,
    namespace: 'acme',
    tag_prefix: 'models-v',
    mirror: { base_url: url, directory: 'mirror' },
    models: Object.fromEntries(entries),
  };
  await mkdir(join(place, 'manifests'), { recursive: true });
  await writeFile(join(place, 'manifests/release.json'), JSON.stringify(config));
  let told = '';
  const stream = { write: (text: string) => (told += text) };
  const exitCode = await runCli({
    ...process,
    argv: ['node', 'aircher-models', 'release'],
    env: {},
    stdout: stream as unknown as typeof process.stdout,
    stderr: stream as unknown as typeof process.stderr,
    cwd: () => place,
    once: () => process,
  });
  if (exitCode !== 0) throw new Error(told);
}

/** Runs a command of the client; answers with its words in the order of a terminal. */
async function asUser(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<string> {
  let told = '';
  const stream = { write: (text: string) => (told += text) };
  const signal = new AbortController().signal;
  const exitCode = await runModelCommand(args, { env, stdout: stream, stderr: stream, signal, program: 'aircher' });
  if (exitCode !== 0) throw new Error(told);
  return told;
}
