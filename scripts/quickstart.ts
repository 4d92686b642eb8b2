import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, styleText } from 'node:util';
import { ExecaError, execa } from 'execa';
import { formatBytes, formatDuration } from '../src/core/format.ts';
import { hashFile } from '../src/core/hashing.ts';
import { exists } from '../src/core/read-files.ts';
import { type StaticMirror, startStaticMirror } from '../src/rehearsal/static-mirror.ts';
import { type TinyModelOptions, writeTinyModel } from '../test/fixtures/tiny-model.ts';
import { buildClientPackage } from './build-client-package.ts';
import { writeGguf } from './quickstart/gguf-rendition.ts';
import { copyModel, type Retrained, retrainLastLayers, statedLicence } from './quickstart/own-model.ts';
import { writeStaticModel } from './quickstart/static-model.ts';

/**
 * `npm run quickstart [-- --source DIR]`: the main job end to end, on this machine alone: three
 * models are released to a mirror, one of them with reference vectors, and installed over HTTP; one
 * is retrained, released again and updated; a rehearsal publishes to GitHub and the Hub. Everything
 * it makes is in ./quickstart.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const values = readOptions();
const place = resolve(values.dir ?? join(root, 'quickstart'));
const marker = join(place, '.made-by-quickstart');
const started = performance.now();

const small = { layers: 4, hidden: 128, vocabulary: 4000, positions: 256, seed: 1 } satisfies TinyModelOptions;
const large = { layers: 12, hidden: 256, vocabulary: 8000, positions: 512, seed: 2 } satisfies TinyModelOptions;

function readOptions(): { readonly source?: string; readonly dir?: string } {
  try {
    return parseArgs({ options: { source: { type: 'string' }, dir: { type: 'string' } } }).values;
  } catch (error) {
    return refuse(
      `${(error as Error).message}\nnpm run quickstart -- [--source DIR: a model of yours] [--dir DIR: where to work]`,
    );
  }
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

async function main(): Promise<void> {
  await prepare();
  const mirror = await startStaticMirror({ directory: join(place, 'mirror') });
  try {
    await tell(mirror);
  } finally {
    await mirror.close();
  }
}

async function tell(mirror: StaticMirror): Promise<void> {
  const own = values.source === undefined ? undefined : resolve(values.source);
  heading('1. Three models, and a release.json that names them');
  await writeTinyModel(join(place, 'models/tiny-embedder'), small);
  await writeGguf(join(place, 'models/tiny-embedder'), 'tiny-embedder-bf16.gguf', small);
  if (own === undefined) await writeTinyModel(join(place, 'models/base-embedder'), large);
  else await copyModel(own, join(place, 'models/base-embedder'));
  await writeStaticModel(join(place, 'models/static-embedder'));
  await mkdir(join(place, 'scripts'));
  await copyFile(join(root, 'scripts/quickstart/embed.mjs'), join(place, 'scripts/embed.mjs'));
  await writeReleaseConfig(mirror.url, '1.0.0', 'First version.');
  say(
    `models/tiny-embedder (${await sizeOf('models/tiny-embedder')}), models/base-embedder (${await sizeOf('models/base-embedder')}${own ? `, a copy of ${basename(own)}` : ''})`,
  );
  say(
    `models/static-embedder (${await sizeOf('models/static-embedder')}); scripts/embed.mjs embeds with it, so that its release has reference vectors`,
  );

  heading('2. The maintainer cuts models-v1.0.0');
  await maintainer('release');

  heading('3. A user fetches the client, and installs the models, of one the GGUF file alone');
  const client = join(place, 'aircher.mjs');
  const answer = await fetch(`${mirror.url}/models-v1.0.0/aircher.mjs`);
  await writeFile(client, Buffer.from(await answer.arrayBuffer()));
  await user('list', '--remote');
  const full = await bytesServed(mirror, () => user('install', 'base-embedder'));
  await user('install', 'tiny-embedder', '--weights', 'gguf');
  await user('install', 'static-embedder');
  say('Of tiny-embedder only the GGUF file came, with tokenizer and configs; model.safetensors stayed where it was.');
  const installed = (await user('path', 'base-embedder')).trim();
  await compare(join(place, 'models/base-embedder'), installed);

  heading('4. Does it make the same vectors here? The user’s own program embeds the reference texts');
  const check = ['check-vectors', 'static-embedder', '--', process.execPath];
  await user(...check, 'scripts/embed.mjs');
  const program = await readFile(join(place, 'scripts/embed.mjs'), 'utf8');
  const [mean, largest] = ['vector[at] += number', 'vector[at] = Math.max(vector[at], number)'];
  if (!program.includes(mean)) throw new Error(`embed.mjs has no ${mean}`);
  await writeFile(join(place, 'scripts/embed-wrongly.mjs'), program.replace(mean, largest));
  say('The same with another pooling, the largest numbers of the tokens instead of their mean:');
  await user(...check, 'scripts/embed-wrongly.mjs').then(
    () => Promise.reject(new Error('the other pooling was not noticed')),
    (error: unknown) => {
      if (!(error instanceof ExecaError) || error.exitCode !== 4) throw error;
      process.stdout.write(`${error.stdout}\n`);
    },
  );

  heading('5. A lock file holds a project to exactly these models');
  await user('lock', 'base-embedder', 'static-embedder');
  await user('install', '--frozen');

  const retrained = own === undefined ? await retrain() : await retrainLastLayers(join(place, 'models/base-embedder'));
  heading(`6. ${retrained.what} of base-embedder retrained; models-v1.1.0 is cut`);
  await writeReleaseConfig(mirror.url, '1.1.0', `${retrained.what} retrained.`);
  await maintainer('release');
  say('The others did not change: their entries are carried forward, and nothing of them was packed or uploaded.');

  heading('7. The user looks for updates, and takes them');
  await user('check-updates');
  const fetched = await bytesServed(mirror, () => user('update', '--all'));
  say(
    `Fetched ${formatBytes(fetched)} over HTTP; the first install of base-embedder took ${formatBytes(full)} (${((100 * fetched) / full).toFixed(1)} %). Changed: about ${formatBytes(retrained.bytes)}.`,
  );
  await user('lock', '--check').catch((error: unknown) => {
    if (!(error instanceof ExecaError) || error.exitCode !== 10) throw error;
    process.stdout.write(`${error.stdout}\n`);
  });
  await user('verify');
  await compare(join(place, 'models/base-embedder'), (await user('path', 'base-embedder')).trim());

  heading('8. Checksums that any tool understands');
  await checkSums(join(place, 'mirror/models-v1.1.0'));

  heading('9. A rehearsal with GitHub and the Hugging Face Hub: stand-ins on this machine, the real release code');
  await writeRehearsalConfig();
  say('The small model goes to GitHub first, the large one to the Hub. GitHub is down when the user comes.');
  await maintainer('rehearse', '--config', 'rehearsal/release.json', '--fault', 'github-down=always');

  heading('What happened, and where to look');
  for (const [path, what] of [
    ['manifests/release.json', 'what a maintainer edits'],
    ['mirror/', 'what a web server would publish: one directory a release, and the newest manifest'],
    ['mirror/index.html', 'the catalogue, for a browser: models, versions, and where an index must be rebuilt'],
    ['mirror/models-v1.1.0/RELEASE_NOTES.md', 'what to publish with it'],
    ['rehearsal/release.json', 'the same for GitHub, the Hub and a mirror at once'],
    ['models.lock', 'what a project would keep: exactly which models it uses'],
    ['cache/models/', "the user's models; each a link to one immutable version in cache/versions/"],
  ] as const) {
    say(`${join('quickstart', path).padEnd(48)} ${what}`);
  }
  say('');
  say(`Indices built with base-embedder 1.0.0 must be rebuilt: its embedding space changed, and the client said so.`);
  say(`Done in ${formatDuration((performance.now() - started) / 1000)}.`);
}

async function prepare(): Promise<void> {
  const own = values.source;
  if (own !== undefined && !(await stat(own).catch(() => undefined))?.isDirectory()) {
    refuse(`--source: ${own} is no directory with a model`);
  }
  if ((await exists(place)) && !(await exists(marker)) && (await readdir(place)).length > 0) {
    refuse(`${place} is there and was not made by quickstart; name another place with --dir DIR`);
  }
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await writeFile(marker, '');
  await buildClientPackage();
}

async function writeReleaseConfig(url: string, version: string, baseChanges: string): Promise<void> {
  const licence = await statedLicence(join(place, 'models/base-embedder'));
  const model = (name: string, of: string, changes: string) => ({
    version: of,
    license: 'Apache-2.0',
    changes,
    source: { directory: `models/${name}` },
  });
  const config = {
    release: version,
    namespace: 'quickstart',
    tag_prefix: 'models-v',
    mirror: { base_url: url, directory: 'mirror' },
    models: {
      'tiny-embedder': model('tiny-embedder', '1.0.0', 'First version.'),
      'base-embedder': { ...model('base-embedder', version, baseChanges), ...licence },
      'static-embedder': {
        ...model('static-embedder', '1.0.0', 'First version.'),
        reference: { command: [process.execPath, 'scripts/embed.mjs'] },
      },
    },
  };
  await mkdir(join(place, 'manifests'), { recursive: true });
  await writeFile(join(place, 'manifests/release.json'), `${JSON.stringify(config, null, 2)}\n`);
}

/** The same models for three hosts: what is 20 MB or larger goes to the Hub first. */
async function writeRehearsalConfig(): Promise<void> {
  const config = JSON.parse(await readFile(join(place, 'manifests/release.json'), 'utf8'));
  Object.assign(config, {
    github: { repository: 'you/models' },
    huggingface: { repository: 'you/embedding-models', raw_files: true },
    mirror: { base_url: 'https://models.example.org', directory: 'rehearsal/mirror' },
    routing: { large_model_bytes: 20_000_000 },
  });
  await mkdir(join(place, 'rehearsal'), { recursive: true });
  await writeFile(join(place, 'rehearsal/release.json'), `${JSON.stringify(config, null, 2)}\n`);
}

async function retrain(): Promise<Retrained> {
  await writeTinyModel(join(place, 'models/base-embedder'), { ...large, retrained: { 10: 3, 11: 3 } });
  return { bytes: 2 * (12 * large.hidden ** 2 + 13 * large.hidden) * 4, what: 'Layers 10 and 11' };
}

async function maintainer(...args: readonly string[]): Promise<void> {
  command('aircher-models', args);
  await execa(process.execPath, [join(root, 'src/cli.ts'), ...args], { cwd: place, stdio: 'inherit' });
}

async function user(...args: readonly string[]): Promise<string> {
  command('node aircher.mjs model', args);
  const result = await execa(process.execPath, ['aircher.mjs', 'model', ...args], {
    cwd: place,
    env: { AIRCHER_CACHE_DIR: join(place, 'cache') },
    stderr: 'inherit',
  });
  // At once: remarks on stderr would come between the lines of a table.
  if (result.stdout !== '') process.stdout.write(`${result.stdout}\n`);
  return result.stdout;
}

/** Every file that was installed has the sha256 of its source. */
async function compare(source: string, installed: string): Promise<void> {
  let files = 0;
  for (const entry of await readdir(installed, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === '.version') continue;
    const path = join(entry.parentPath, entry.name);
    const other = join(source, path.slice(installed.length));
    if ((await hashFile(path)).sha256 !== (await hashFile(other)).sha256)
      throw new Error(`${path} differs from ${other}`);
    files++;
  }
  say(`All ${files} files have the sha256 of their source.`);
}

async function checkSums(directory: string): Promise<void> {
  command('sha256sum', ['-c', 'checksums.sha256']);
  const lines = (await readFile(join(directory, 'checksums.sha256'), 'utf8')).trimEnd().split('\n');
  for (const line of lines) {
    const [digest = '', name = ''] = line.split('  ');
    if ((await hashFile(join(directory, name))).sha256 !== digest) throw new Error(`${name} has another sha256`);
    say(`${name}: OK`);
  }
}

/** What the mirror sends meanwhile. */
async function bytesServed(mirror: StaticMirror, run: () => Promise<unknown>): Promise<number> {
  const before = mirror.log.entries.length;
  await run();
  return mirror.log.entries.slice(before).reduce((sum, entry) => sum + entry.bytesOut, 0);
}

async function sizeOf(directory: string): Promise<string> {
  let bytes = 0;
  for (const entry of await readdir(join(place, directory), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await hashFile(join(entry.parentPath, entry.name))).sizeBytes;
  }
  return formatBytes(bytes);
}

function heading(text: string): void {
  console.log(`\n${styleText('bold', text)}`);
}

function command(program: string, args: readonly string[]): void {
  console.log(styleText('dim', `  $ ${program} ${args.join(' ')}`));
}

function say(text: string): void {
  console.log(`  ${text}`);
}

try {
  await main();
} catch (error) {
  // What failed has said why.
  if (!(error instanceof ExecaError)) throw error;
  console.error('\nThe last command failed, so quickstart ends here.');
  process.exitCode = error.exitCode ?? 1;
}
