import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildClientBundle, expectedBundleBytes } from '../../scripts/build-client-bundle.ts';
import { generatedFiles } from '../../scripts/generated-files.ts';
import { supportedNode } from '../../src/core/supported-node.ts';
import { toolVersion } from '../../src/core/tool-version.ts';
import { banner } from '../../src/fetch/started-file.ts';
import { bakedLine } from '../../src/release/documents/client-bundle.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the package', () => {
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
  it('is one file that can be read, with the licences of all that it contains at its end', async (t) => {
    const file = await temporaryFile(t);
    const { sizeBytes, gzipBytes } = await buildClientBundle(file);
    const text = await readFile(file, 'utf8');
    assert.ok(text.startsWith(`${banner}. Version ${toolVersion}`));
    assert.equal(text.split('\n')[2], bakedLine);
    assert.ok(
      sizeBytes <= expectedBundleBytes && gzipBytes <= 160 * 1024,
      `${sizeBytes} bytes, ${gzipBytes} compressed`,
    );
    // Names are those of the sources.
    for (const name of ['ModelManager', 'findInstalled', 'checkUpdates'])
      assert.match(text, new RegExp(`\\b${name}\\b`));
    const notices = text.slice(text.lastIndexOf('/*'));
    for (const [, name] of text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)) {
      const { version, license } = JSON.parse(
        await readFile(join(root, 'node_modules', name!, 'package.json'), 'utf8'),
      );
      assert.ok(notices.includes(`${name} ${version} (${license})`), name);
    }
    assert.match(notices, /Permission is hereby granted[\s\S]*Permission to use, copy, modify/);
    if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o100, 0o100);
  });

  it('imports nothing but node:*, loads the network only when it is needed, and makes no code of texts', async (t) => {
    const file = await temporaryFile(t);
    await buildClientBundle(file);
    const text = await readFile(file, 'utf8');
    const imports = [...text.matchAll(/^import .*"([^"]+)";$/gm)].map(([, from]) => from ?? '');
    assert.ok(imports.length > 10);
    for (const from of imports) assert.match(from, /^node:(?!https?$|http2$|net$|tls$|dns|dgram$)/);
    assert.doesNotMatch(text, /\bnew Function\b|\beval\(|\brequire\(|\bimport\(/);
  });

  it('runs on this Node, and on those that AIRCHER_TEST_NODES lists', () => {
    const nodes = [
      process.execPath,
      ...(process.env.AIRCHER_TEST_NODES ?? '').split(delimiter).filter((path) => path !== ''),
    ];
    for (const node of nodes) {
      const run = spawnSync(node, [join(root, 'dist/client/aircher.mjs'), 'model', 'help'], { encoding: 'utf8' });
      assert.equal(run.status, 0, `${node}: ${run.stderr}`);
      assert.match(run.stdout, /update \[NAME… \| --all\]/);
    }
  });
});

async function temporaryFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-bundle-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'aircher.mjs');
}
