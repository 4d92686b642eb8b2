import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildClientBundle, importOnce, maxBundleBytes } from '../../scripts/build-client-bundle.ts';
import { generatedFiles } from '../../scripts/generated-files.ts';
import { supportedNode } from '../../src/core/supported-node.ts';
import { toolVersion } from '../../src/core/tool-version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the package', () => {
  it('says the same version in code and in package.json', async () => {
    assert.equal(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version, toolVersion);
  });

  it('holds what is generated from code in its newest form', async () => {
    for (const [path, content] of Object.entries(await generatedFiles())) {
      assert.ok((await readFile(join(root, path), 'utf8')) === content, `${path}: run npm run generate`);
    }
  });

  it('names an unsupported Node in one line, and takes every supported one', () => {
    assert.match(supportedNode('20.18.9', [20, 19]) ?? '', /^needs Node 20\.19 or newer, this is 20\.18\.9$/);
    assert.match(supportedNode('18.20.0', [20, 19]) ?? '', /needs Node/);
    for (const version of ['20.19.0', '22.0.0', '26.1.0', '100.0.0-nightly']) {
      assert.equal(supportedNode(version, [20, 19]), undefined);
    }
  });
});

describe('the bundled client', () => {
  it('is one small file with node:* imports only, and the same bytes from the same sources', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'aircher-bundle-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const [one, two] = [join(directory, 'one.mjs'), join(directory, 'two.mjs')];
    await buildClientBundle(one);
    await buildClientBundle(two);
    assert.ok((await readFile(one)).equals(await readFile(two)));
    assert.ok((await stat(one)).size <= maxBundleBytes);
    if (process.platform !== 'win32') assert.equal((await stat(one)).mode & 0o100, 0o100);
  });

  it('has every function of node:* that it uses: they are imported by name', () => {
    assert.throws(() => importOnce('import * as fs from "node:fs/promises";\n'), /by name.*node:fs\/promises/);
  });

  it('runs on this Node, and on those that AIRCHER_TEST_NODES lists', () => {
    const nodes = [
      process.execPath,
      ...(process.env.AIRCHER_TEST_NODES ?? '').split(delimiter).filter((path) => path !== ''),
    ];
    for (const node of nodes) {
      const run = spawnSync(node, [join(root, 'dist/aircher.mjs'), 'model', 'help'], { encoding: 'utf8' });
      assert.equal(run.status, 0, `${node}: ${run.stderr}`);
      assert.match(run.stdout, /update \[NAME… \| --all\]/);
    }
  });
});
