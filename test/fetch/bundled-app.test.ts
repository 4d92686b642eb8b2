import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { execa } from 'execa';
import { buildClientPackage } from '../../scripts/build-client-package.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { toolVersion } from '../../src/core/tool-version.ts';

/** A project with the package `aircher` in its node_modules. */
let project: string;
const file = (...parts: readonly string[]): string => join(project, ...parts);

before(async () => {
  project = await mkdtemp(join(tmpdir(), 'aircher-app-'));
  await buildClientPackage(file('node_modules/aircher'));
});
after(() => rm(project, { recursive: true, force: true }));

/**
 * What Node prints when it is started with a file. The arguments are those of a command of ours.
 */
async function start(path: string): Promise<string> {
  const result = await execa(process.execPath, [path, 'version'], { cwd: project, reject: false, all: true });
  return `${result.exitCode} ${result.all}`;
}

const asCommand = `0 aircher ${toolVersion}`;
const asModule = '0 the app: function';

/** An app of one line, which says that it ran and that it has the library. */
async function writeApp(name: string, app: string): Promise<string> {
  await writeFile(file(name), app);
  return file(name);
}

const writeModule = (): Promise<string> =>
  writeApp('app.mjs', "import { ensureModel } from 'aircher'; console.log('the app: ' + typeof ensureModel);\n");

test('aircher.mjs is a command where Node is started with it: by its path, by links to it, by any name', async () => {
  const client = file('node_modules/aircher/aircher.mjs');
  assert.equal(await start(client), asCommand);
  await copyFile(client, file('renamed.mjs'));
  assert.equal(await start(file('renamed.mjs')), asCommand);
  if (process.platform === 'win32') return;
  await mkdir(file('node_modules/.bin'));
  await symlink('../aircher/aircher.mjs', file('node_modules/.bin/aircher'));
  assert.equal(await start(file('node_modules/.bin/aircher')), asCommand);
  await symlink('node_modules', file('linked'));
  assert.equal(await start(file('linked/.bin/aircher')), asCommand);
});

test('aircher.mjs is a module where it is imported or required', async () => {
  assert.equal(await start(await writeModule()), asModule);
  const required = "console.log('the app: ' + typeof require('aircher').ensureModel);\n";
  assert.equal(await start(await writeApp('app.cjs', required)), asModule);
});

for (const format of ['esm', 'cjs'] as const) {
  for (const minify of [false, true]) {
    test(`an app that is bundled with it (${format}${minify ? ', minified' : ''}) never runs our command`, async () => {
      const outfile = file(`bundled-${minify}.${format === 'esm' ? 'mjs' : 'cjs'}`);
      const { warnings } = await build({
        entryPoints: [await writeModule()],
        outfile,
        bundle: true,
        platform: 'node',
        format,
        minify,
        banner: { js: '#!/usr/bin/env node' },
        logLevel: 'silent',
      });
      assert.deepEqual(warnings, []);
      assert.equal(await start(outfile), asModule);
    });
  }
}

test('an error of another copy of the client is told by its code', async () => {
  const { ensureModel } = await import(pathToFileURL(file('node_modules/aircher/aircher.mjs')).href);
  const error = await ensureModel('alpha', { cacheDir: file('cache'), offline: true }).catch(
    (thrown: unknown) => thrown,
  );
  assert.ok(isAircherError(error, 'remote') && !isAircherError(error, 'usage'), String(error));
  assert.ok(!isAircherError(new Error('other')) && !isAircherError({ name: 'AircherError', code: 'remote' }));
});
