import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { jsonDocuments } from '../../scripts/json-documents.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { program, vectorWorld } from '../fetch/vector-scene.ts';
import { createWorld } from '../fetch/world.ts';
import { lockPackage } from '../fixtures/lock-package.ts';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { assertOutput, assertSnakeCase } from './output-schema.ts';

const commandsOf = (client: boolean): string[] =>
  Object.keys(jsonDocuments).filter((command) => command.startsWith('model ') === client);

test('every command of aircher-models prints with --json what its schema says', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  let directory = workspace.directory;
  const checked = new Set<string>();
  const run = async (line: string, exitCode = 0): Promise<void> => {
    const args = line.split(' ');
    let [stdout, stderr] = ['', ''];
    const code = await runCli({
      argv: ['node', 'aircher-models', ...args, '--json'],
      env: { PATH: process.env.PATH },
      stdin: process.stdin,
      stdout: { write: (text: string) => (stdout += text) } as unknown as typeof process.stdout,
      stderr: { write: (text: string) => (stderr += text) } as unknown as typeof process.stderr,
      cwd: () => directory,
      once: () => process,
    });
    assert.equal(code, exitCode, `${line}: ${stderr}`);
    checked.add(assertOutput(args, stdout));
  };
  await run('verify --latest --allow-none');
  for (const step of ['plan', 'stage', 'pack', 'prove', 'manifest', 'checksums', 'notes', 'sign', 'validate'])
    await run(step);
  await run('publish --dry-run');
  await run('publish');
  await run('verify models-v1.0.0');
  // Nothing serves the mirror.
  await run('verify models-v1.0.0 --deep', 5);
  await run('status');
  await run('status models-v1.0.0');
  await run('site --to site');
  await appendFile(workspace.path('mirror/models-v1.0.0/beta.tar.gz'), 'x');
  await run('verify models-v1.0.0', 4);
  await rm(workspace.path('mirror'), { recursive: true });
  await rm(workspace.path('manifests/published'), { recursive: true });
  await run('release');
  // Carries all models forward.
  await workspace.configure({ release: '1.0.1' });
  await run('plan');
  await run('yank beta@1.0.0 --reason wrong --no-release');
  await run('release');
  await run('yank beta@1.0.0 --reason wrong');
  await run('keygen --key-dir keys --no-password');
  await run('rehearse --fault list');
  await run('rehearse --model alpha');
  await run('plan --otu', 2);
  directory = workspace.path('new');
  await mkdir(directory);
  await lockPackage(directory);
  await run('init --mirror https://models.example.org --no-github');
  assert.deepEqual([...checked].sort(), commandsOf(false).sort());
  assert.ok((await holdStored(workspace.directory, /^(release|mirror|manifests)\/.*\.json$/)) > 8);
});

test('every command of the client prints with --json what its schema says', async (t) => {
  const world = await createWorld(t);
  const checked = new Set<string>();
  const run = async (line: string, exitCode = 0, { cache, manifestUrl } = world): Promise<void> => {
    const [own = '', behind] = line.split(' -- ');
    const args = own.split(' ');
    let stdout = '';
    let stderr = '';
    const command = behind === undefined ? [] : ['--', ...behind.split(' ')];
    const code = await runModelCommand([...args, '--json', ...command], {
      env: { AIRCHER_CACHE_DIR: cache, AIRCHER_MANIFEST_URL: manifestUrl, HF_HUB_CACHE: world.path('hub') },
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      signal: new AbortController().signal,
      program: 'aircher model',
    });
    assert.equal(code, exitCode, `${line}: ${stderr}`);
    const name = assertOutput(['model', ...args], stdout);
    if (name.startsWith('model ')) checked.add(name);
  };
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  await run('list');
  await run('completion bash');
  await run('install alpha --dry-run');
  await run('install alpha');
  await run('unpin alpha');
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  for (const line of [
    'list --remote',
    'list',
    'info alpha',
    'path alpha',
    'install alpha',
    'check-updates',
    'update alpha --plan',
  ])
    await run(line);
  const lock = world.path('models.lock');
  for (const line of [`lock alpha --lock ${lock}`, `lock --check --lock ${lock}`, `lock --update --lock ${lock}`])
    await run(line);
  for (const line of ['update --all', 'verify', 'check-license', 'doctor', 'rollback alpha', 'update alpha'])
    await run(line);
  for (const line of [
    'pin alpha@1.1.0',
    'unpin alpha',
    `export alpha --to ${world.path('exported')}`,
    `mirror --to ${world.path('copied')}`,
    'link alpha --hf-cache --as acme/alpha',
  ])
    await run(line);
  await appendFile(`${world.cache}/versions/alpha/1.1.0/model.safetensors`, 'x');
  await run('verify', 4);
  for (const line of ['verify --repair', 'prune --dry-run', 'prune', 'remove alpha']) await run(line);
  await run('path alpha', 3);
  const vectors = await vectorWorld(t);
  await run('install alpha', 0, vectors);
  await run(`check-vectors alpha -- ${process.execPath} ${program} none`, 0, vectors);
  assert.ok((await holdStored(world.cache, /^(state|config|downloads)\/.*(\.json|\.index)$/)) > 2);
  assert.deepEqual([...checked].sort(), commandsOf(true).sort());
});

/**
 * Throws where a JSON file that we wrote has keys that aren't in snake_case. Answers with the
 * number of files.
 */
async function holdStored(directory: string, ours: RegExp): Promise<number> {
  const paths = (await readdir(directory, { recursive: true })).filter((path) => ours.test(path));
  for (const path of paths) assertSnakeCase(JSON.parse(await readFile(join(directory, path), 'utf8')), path);
  return paths.length;
}
