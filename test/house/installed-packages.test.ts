import assert from 'node:assert/strict';
import { cp, glob, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { toolVersion } from '../../src/core/tool-version.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { writeTinyModel } from '../fixtures/tiny-model.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const nodes = [process.execPath, ...(process.env.AIRCHER_TEST_NODES ?? '').split(delimiter).filter(Boolean)];

/** Without what `npm test` tells its own scripts, which would lead another npm back here. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|init_cwd$)/i.test(name)));

let directory: string;
/** Two checkouts of this repository, built and packed; the tarballs lie in them. */
let checkouts: readonly string[];
const tarballs = [`aircher-models-${toolVersion}.tgz`, `aircher-${toolVersion}.tgz`];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aircher-packages-'));
  checkouts = [join(directory, 'one'), join(directory, 'another/place')];
  for (const checkout of checkouts) {
    await checkOut(checkout);
    await run(checkout, process.execPath, 'scripts/build.ts');
    await run(checkout, 'npm', 'pack', '--ignore-scripts');
    await run(checkout, 'npm', 'pack', '--ignore-scripts', './dist/client');
  }
});
after(() => rm(directory, { recursive: true, force: true }));

/**
 * What git has of this repository, or would take, with the dependencies that are installed here.
 */
async function checkOut(to: string): Promise<void> {
  const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  for (const path of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    // What was deleted, and not committed yet, is listed too.
    await cp(join(root, path), join(to, path)).catch(() => undefined);
  }
  await symlink(join(root, 'node_modules'), join(to, 'node_modules'), 'junction');
}

async function run(cwd: string, program: string, ...args: readonly string[]): Promise<string> {
  return (await execa(program, args, { cwd, env, extendEnv: false, preferLocal: false })).stdout;
}

/** An empty project with one of our tarballs in it. */
async function createProject(name: string, tarball: string): Promise<string> {
  const project = join(directory, name);
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  await cp(join(checkouts[0]!, tarball), join(project, tarball));
  return project;
}

test('both packages have the same bytes from every checkout, and so have those of AIRCHER_TEST_PACKAGES', async () => {
  const others = process.env.AIRCHER_TEST_PACKAGES;
  for (const tarball of tarballs) {
    const places = [...checkouts, ...(others ? [others] : [])];
    const [tried, ...same] = await Promise.all(places.map((place) => readFile(join(place, tarball))));
    for (const [at, bytes] of same.entries()) assert.ok(bytes.equals(tried!), `${places[at + 1]} ${tarball}`);
  }
});

describe('the package aircher, in an empty project', () => {
  let project: string;
  before(async () => {
    project = await createProject('user', tarballs[1]!);
    await run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', `./${tarballs[1]}`);
  });

  test('brings one package, with its licences', async () => {
    assert.deepEqual(await filesOf(join(project, 'node_modules')), [
      'aircher/LICENSE',
      'aircher/README.md',
      'aircher/THIRD-PARTY-NOTICES',
      'aircher/aircher.d.mts',
      'aircher/aircher.mjs',
      'aircher/package.json',
    ]);
  });

  for (const node of nodes) {
    test(`is a command and a module of ${node}`, async () => {
      const command = await run(project, node, installed('aircher', 'aircher/aircher.mjs'), '--version');
      assert.equal(command, `aircher ${toolVersion}`);
      const program = "import * as client from 'aircher'; console.log(Object.keys(client).join());";
      const exported = await run(project, node, '--input-type=module', '--eval', program);
      assert.equal(exported, 'AircherError,ModelManager,ensureModel,isAircherError');
    });
  }

  test('has types that a strict program needs nothing else for', async () => {
    await writeFile(join(project, 'program.ts'), typedProgram('aircher'));
    await checkTypes(project, 'program.ts');
    await writeFile(join(project, 'wrong.ts'), `${typedProgram('aircher')}const wrong: number = model.path;\n`);
    await assert.rejects(checkTypes(project, 'wrong.ts'), /Type 'string' is not assignable to type 'number'/);
  });
});

describe('the package aircher-models, in an empty project', () => {
  let project: string;
  before(async () => {
    project = await createProject('maintainer', tarballs[0]!);
    // The versions that this repository is tested with; of the registry, only what npm hasn't kept.
    const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
    const dependencies = { 'aircher-models': `file:${tarballs[0]}` };
    const packages = Object.entries<{ dev?: boolean; devDependencies?: unknown }>(lock.packages)
      .filter(([, { dev }]) => !dev)
      .map(([path, { devDependencies: _, ...entry }]) =>
        path === '' ? ['node_modules/aircher-models', { ...entry, resolved: `file:${tarballs[0]}` }] : [path, entry],
      );
    const own = {
      lockfileVersion: 3,
      requires: true,
      packages: { '': { dependencies }, ...Object.fromEntries(packages) },
    };
    await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module', dependencies }));
    await writeFile(join(project, 'package-lock.json'), JSON.stringify(own));
    await run(project, 'npm', 'ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund');
  });

  test('contains the client, as its command and as aircher-models/fetch', async () => {
    const client = await readFile(join(checkouts[0]!, 'dist/client/aircher.mjs'));
    const command = installed('aircher', 'aircher-models/dist/client/aircher.mjs');
    assert.ok(client.equals(await readFile(join(project, command))));
    for (const node of nodes) {
      assert.equal(await run(project, node, command, '--version'), `aircher ${toolVersion}`);
      const where = "console.log(import.meta.resolve('aircher-models/fetch')); await import('aircher-models/fetch');";
      const url = await run(project, node, '--input-type=module', '--eval', where);
      assert.ok(url.endsWith('/node_modules/aircher-models/dist/client/aircher.mjs'), url);
    }
    await writeFile(join(project, 'program.ts'), typedProgram('aircher-models/fetch'));
    await checkTypes(project, 'program.ts');
  });

  test('has declarations of what is public alone', async () => {
    const place = join(project, 'node_modules/aircher-models/dist');
    const declarations = (await filesOf(place)).filter((path) => /\.d\.m?ts$/.test(path));
    assert.ok(declarations.includes('index.d.ts') && declarations.includes('client/aircher.d.mts'));
    assert.deepEqual(
      declarations.filter((path) => /^(cli\/|rehearsal|model|archive|trust|fetch\/(?!http))/.test(path)),
      [],
    );
  });

  test('releases a model with a client that installs it', async (t) => {
    const mirror = await startStaticMirror({ directory: join(project, 'mirror') });
    t.after(() => mirror.close());
    await writeTinyModel(join(project, 'models/alpha'), { seed: 1 });
    const config = {
      release: '1.0.0',
      namespace: 'test',
      tag_prefix: 'models-v',
      mirror: { base_url: mirror.url, directory: 'mirror' },
      models: {
        alpha: { version: '1.0.0', license: 'Apache-2.0', changes: 'First.', source: { directory: 'models/alpha' } },
      },
    };
    await mkdir(join(project, 'manifests'));
    await writeFile(join(project, 'manifests/release.json'), JSON.stringify(config));
    await run(project, process.execPath, installed('aircher-models', 'aircher-models/dist/cli.js'), 'release');
    const linesOf = async (path: string): Promise<string[]> => (await readFile(path, 'utf8')).split('\n');
    const [built, released] = await Promise.all(
      [join(checkouts[0]!, 'dist/client'), join(project, 'mirror/models-v1.0.0')].map((place) =>
        linesOf(join(place, 'aircher.mjs')),
      ),
    );
    assert.match(released![2]!, /^var AIRCHER_BAKED=\{"namespace":"test","manifest_sources":\[/);
    assert.deepEqual(released!.toSpliced(2, 1), built!.toSpliced(2, 1));
    const weights = await readFile(join(project, 'models/alpha/model.safetensors'));
    for (const [at, node] of nodes.entries()) {
      const client = join(project, 'mirror/models-v1.0.0/aircher.mjs');
      const cache = ['--cache-dir', join(directory, `cache-${at}`)];
      await run(project, node, client, 'model', 'install', 'alpha', ...cache);
      const path = await run(project, node, client, 'model', 'path', 'alpha', ...cache);
      assert.ok(weights.equals(await readFile(join(path, 'model.safetensors'))), node);
      // The released file is a module too, with the same values baked in.
      const program = `import { ensureModel } from './mirror/models-v1.0.0/aircher.mjs';
        console.log((await ensureModel('alpha', { cacheDir: process.argv[1] })).path);`;
      const other = join(directory, `other-cache-${at}`);
      const found = await run(project, node, '--input-type=module', '--eval', program, other);
      assert.ok(found.startsWith(other) && weights.equals(await readFile(join(found, 'model.safetensors'))), node);
    }
  });
});

/** What npm links a command to; on Windows that is a script for the shell. */
function installed(command: string, file: string): string {
  return join('node_modules', process.platform === 'win32' ? file : `.bin/${command}`);
}

/** A program that uses all kinds of what the module exports. */
function typedProgram(from: string): string {
  return `import { AircherError, type Event, ensureModel, isAircherError, ModelManager, type UpdateReport } from '${from}';
const onEvent = (event: Event): void => {
  if (event.type === 'warning') event.problem.message.trim();
};
const manager: ModelManager = new ModelManager({ manifestSources: ['manifest.json'], http: { limitRate: 5e6 } });
const model = await ensureModel('alpha', { version: '^1.0.0', onEvent, env: {} });
const updates: readonly UpdateReport[] = (await manager.update({ sameSpace: true })).models;
const states: readonly ('same' | 'changes' | 'unknown')[] = updates.map(({ space_change }) => space_change);
try {
  await manager.verify({ repair: true });
} catch (error) {
  if (isAircherError(error, 'remote')) error.hint?.trim();
  if (error instanceof AircherError) error.problems.map(({ message }) => message);
}
export { model, states };
`;
}

/**
 * Checks a program as strictly as the compiler can, with no types but the language's, by both ways
 * of finding modules.
 */
async function checkTypes(project: string, program: string): Promise<void> {
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const types = ['--skipLibCheck', 'false', '--types', '', '--lib', 'es2022', '--target', 'es2022'];
  const ways = [
    ['--module', 'node16', '--moduleResolution', 'node16'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ];
  for (const way of ways) {
    await execa('tsc', [...options, ...types, ...way, program], { cwd: project, preferLocal: true, localDir: root });
  }
}

async function filesOf(place: string): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const entry of glob('**/*', { cwd: place, withFileTypes: true })) {
    if (entry.isFile())
      files.push(
        join(entry.parentPath, entry.name)
          .slice(place.length + 1)
          .replaceAll('\\', '/'),
      );
  }
  return files.sort();
}
