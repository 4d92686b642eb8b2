import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { glob, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { environmentVariables } from '../../scripts/environment-docs.ts';
import { huggingFacePython } from '../fixtures/hugging-face-python.ts';
import { type DocStep, readAnchors, readLinks, readSteps } from './doc-blocks.ts';
import { openDocScene } from './doc-scene.ts';
import { unrunnable } from './unrunnable.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function documents(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const path of glob(['*.md', 'docs/*.md', 'manifests/*.md'], { cwd: root })) found.push(path);
  return found.sort();
}

const all = await documents();

test('relative links lead to files and headings that are there', async () => {
  const broken: string[] = [];
  for (const path of all) {
    for (const { line, target } of await readLinks(join(root, path))) {
      const [file = '', anchor] = target.split('#');
      const place = file === '' ? join(root, path) : resolve(root, dirname(path), file);
      const there =
        existsSync(place) && (anchor === undefined || !place.endsWith('.md') || (await readAnchors(place)).has(anchor));
      if (!there) broken.push(`${path}:${line} ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('lines are short enough to be read in a terminal', async () => {
  const long: string[] = [];
  for (const path of all) {
    for (const [number, line] of (await readFile(join(root, path), 'utf8')).split('\n').entries()) {
      // A row of a table can't be broken.
      if ([...line].length > 130 && !line.startsWith('|')) long.push(`${path}:${number + 1}`);
    }
  }
  assert.deepEqual(long, []);
});

test('the table of environment variables names those that the code reads, and no others', async () => {
  const read = new Set<string>();
  for (const path of [
    'src/cli/read-environment.ts',
    'src/fetch/settings.ts',
    'src/fetch/hugging-face-home.ts',
    'src/fetch/mirror-credentials.ts',
    'src/fetch/cache/locate.ts',
    'src/http/proxies.ts',
  ]) {
    const text = await readFile(join(root, path), 'utf8');
    for (const [, name = ''] of text.matchAll(
      /(?:\benv\.|\bvariables\.|filled\('|either\(')([A-Za-z][A-Za-z_]*[A-Z_][A-Za-z_]*)/g,
    )) {
      if (/^[A-Z_]+$/.test(name)) read.add(name);
    }
  }
  assert.deepEqual(environmentVariables.map(({ name }) => name).sort(), [...read].sort());
});

test('CONTRIBUTING.md names every variable that enlarges the tests, and no others', async () => {
  const used = new Set<string>();
  for await (const path of glob(['test/**/*.ts', 'scripts/*.ts'], { cwd: root })) {
    const text = await readFile(join(root, path), 'utf8');
    for (const [, name = ''] of text.matchAll(/process\.env\.(AIRCHER_[A-Z_]+)/g)) used.add(name);
  }
  const named = new Set(
    (await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')).match(/AIRCHER_(?:TEST|SOAK|BENCH)[A-Z_]*/g),
  );
  assert.deepEqual([...named].sort(), [...used].sort());
});

test("CONTRIBUTING.md's map names every room", async () => {
  const text = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8');
  const missing: string[] = [];
  for (const entry of await readdir(join(root, 'src'), { withFileTypes: true })) {
    const name = entry.isDirectory() ? `src/${entry.name}/` : `src/${entry.name}`;
    if (!text.includes(`\`${name}\``)) missing.push(name);
  }
  assert.deepEqual(missing, []);
});

test('what is listed as not runnable still stands in a document', async () => {
  const commands = new Set<string>();
  for (const path of all) {
    for (const step of await readSteps(join(root, path))) if (step.kind === 'command') commands.add(step.command);
  }
  const stale = Object.keys(unrunnable).filter((command) => !commands.has(command));
  assert.deepEqual(stale, []);
});

describe('command lines of the documents work, in their order', {
  concurrency: 4,
  skip: process.platform === 'win32' && 'the programs of the readers are shell scripts here',
}, () => {
  for (const path of all) {
    test(path, async (t) => {
      const steps = await readSteps(join(root, path));
      const commands = steps.filter((step) => step.kind === 'command' && !(step.command in unrunnable));
      if (commands.length === 0) {
        t.skip('it has none');
        return;
      }
      const isOfHub = steps.some((step) => step.kind === 'command' && step.command.startsWith('HF_HUB_OFFLINE=1 '));
      const python = isOfHub ? await huggingFacePython() : undefined;
      if (isOfHub && python === undefined) {
        t.skip('there is no Python that has huggingface_hub, and none can be made');
        return;
      }
      const scene = await openDocScene();
      t.after(() => scene.close());
      const script = [
        'exec 2>&1',
        ...steps.flatMap((step) => scriptOf(step, scene.map, scene.home)),
        'echo "::end"',
      ].join('\n');
      await mkdir(join(scene.repository, '.blocks'));
      for (const step of steps) {
        if (step.kind === 'file')
          await writeFile(join(scene.repository, '.blocks', `${step.line}`), scene.map(step.content));
      }
      const result = await execa('bash', ['--norc'], {
        cwd: scene.repository,
        env: { ...scene.environment, ...(python && { PATH: `${dirname(python)}:${scene.environment.PATH}` }) },
        extendEnv: false,
        input: script,
        reject: false,
        timeout: 300_000,
      });
      const ended = result.stdout.includes('::end');
      const last = result.stdout.slice(result.stdout.lastIndexOf('::at '));
      assert.ok(ended, `${path}: ${last}`);
      if (/\bgit push\b/.test(script)) await requireSources(scene.repository);
    });
  }
});

/** A CI job that clones what was pushed finds the models there. */
async function requireSources(repository: string): Promise<void> {
  const clone = join(repository, '../ci');
  await execa('git', ['clone', '--quiet', '--branch', 'main', join(repository, '../origin.git'), clone]);
  const config = JSON.parse(await readFile(join(clone, 'manifests/release.json'), 'utf8'));
  for (const { source } of Object.values(config.models) as { source: { directory: string } }[]) {
    await stat(join(clone, source.directory, 'model.safetensors'));
  }
}

/**
 * The shell's lines for one step: says where it is, does it, and stops at an exit code that isn't
 * the expected one.
 */
function scriptOf(step: DocStep, map: (text: string) => string, home: string): string[] {
  if (step.kind === 'file') {
    const path = JSON.stringify(step.path.replace(/^~/, home));
    return [`write-block ${step.merge ? 'merge' : 'write'} .blocks/${step.line} ${path} || exit 1`];
  }
  if (step.command in unrunnable) return [];
  // A document that begins with fetching the client needs a release.
  const before = /^curl .*\/aircher\.mjs$/.test(step.command) ? ['publish-now || exit 1'] : [];
  return [
    ...before,
    `echo ${JSON.stringify(`::at line ${step.line}: `)}${quote(step.command)}`,
    map(step.command),
    `code=$?; [ $code -eq ${step.exitCode} ] || { echo "exit code $code, not ${step.exitCode}"; exit 1; }`,
  ];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
