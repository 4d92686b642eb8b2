import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { bundling } from '../../scripts/build-client-bundle.ts';
import * as manifests from '../../src/contract/manifest.ts';
import type { AircherError } from '../../src/core/errors.ts';
import { cacheLayout } from '../../src/fetch/cache/layout.ts';
import * as preferences from '../../src/fetch/cache/preferences.ts';
import * as records from '../../src/fetch/cache/records.ts';

/** The same readers as in the bundled client, where zod is stood in for. */
let bundled: typeof manifests & typeof preferences & typeof records;
let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aircher-schemas-'));
  const file = join(directory, 'readers.mjs');
  const modules = ['contract/manifest.ts', 'fetch/cache/preferences.ts', 'fetch/cache/records.ts'];
  await build({
    ...bundling,
    outfile: file,
    stdin: {
      contents: modules.map((path) => `export * from './src/${path}';`).join('\n'),
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    },
  });
  bundled = (await import(pathToFileURL(file).href)) as typeof bundled;
});
after(() => rm(directory, { recursive: true, force: true }));

const digest = 'a'.repeat(64);
const urls = { github: 'https://github.com/a/b/releases/download/v1.0.0/x.tar.gz', elsewhere: 'ftp://x' };
const model = {
  version: '1.2.0',
  size_bytes: 10,
  sha256: digest,
  download_urls: urls,
  primary: 'github',
  license: 'MIT',
  commercial_use: true,
  quality_score: 85,
  format: 'tar.gz',
  release: 'v1.0.0',
  index: { size_bytes: 1, sha256: digest, download_urls: urls },
  files: [{ path: 'model.safetensors', size_bytes: 9, sha256: digest, download_urls: urls }],
  tensors: { count: 1, parameters: 2, dtypes: { F32: 2 } },
  embedding: { dimensions: 384, max_tokens: null, prompts: { query: 'q: ' }, space: digest, later: [1] },
  fingerprints: { weights: digest, layout: null },
  source: { huggingface: 'a/b', revision: 'c' },
  published_versions: [
    { version: '1.1.0', release: 'v0.9.0', manifest: { size_bytes: 1, sha256: digest, download_urls: urls } },
  ],
};
const manifest = {
  manifest_version: '1.0.0',
  unknown: { x: 1 },
  namespace: 'aircher',
  release: 'v1.0.0',
  generated_at: '2026-01-01T00:00:00Z',
  models: { 'all-MiniLM-L6-v2': model, other: model },
  yanked: [{ model: 'other', version: '1.0.0', reason: 'why' }],
  signing: { public_keys: [`RW${'A'.repeat(54)}`] },
  expires_at: '2027-01-01T00:00:00Z',
};
const chosen = {
  pins: { other: '1.0.0' },
  mirrors: ['github', 'mirror'],
  keep_versions: 2,
  limit_rate: '5MB',
  connections: 4,
};
const record = {
  record_version: 1,
  model: 'other',
  version: '1.2.0',
  release: 'v1.0.0',
  installed_at: '2026-01-01T00:00:00Z',
  manifest_sha256: digest,
  files: [{ path: 'a/b.json', size_bytes: 1, sha256: digest, more: 1 }],
  entry: model,
};

const scalar = fc.oneof(
  fc.constantFrom(
    null,
    true,
    0,
    -0,
    1,
    -1,
    1.5,
    1e17,
    101,
    '',
    'x',
    '5MB',
    '1.0.0',
    '1.0.0+a',
    '../x',
    'a\\b',
    'con',
    'B'.repeat(64),
  ),
  fc.constantFrom(
    'https://u:p@x/',
    'http://x/',
    'ftp://x/',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    'tar',
    digest,
  ),
);
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('path', 'version', 'github', 'bad name', 'a', '__proto'), scalar, { maxKeys: 3 }),
);
const damage = fc.record({
  walk: fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
  how: fc.constantFrom('replace', 'replace', 'remove', 'add', 'rename'),
  value,
});

/** A copy with one member, found by going down as the numbers say, changed. */
function damaged(document: object, { walk, how, value: put }: { walk: number[]; how: string; value: unknown }): object {
  const copy = structuredClone(document) as Record<string, unknown>;
  let node = copy;
  for (const [depth, number] of walk.entries()) {
    const keys = Object.keys(node);
    if (keys.length === 0) break;
    const key = keys[number % keys.length]!;
    const next = node[key];
    if (depth < walk.length - 1 && typeof next === 'object' && next !== null) {
      node = next as Record<string, unknown>;
      continue;
    }
    if (how === 'replace') node[key] = put;
    else if (how === 'remove') delete node[key];
    else if (how === 'add') node[`${key}x`] = put;
    else {
      node[`${key}!`] = next;
      delete node[key];
    }
    break;
  }
  return copy;
}

async function outcome(read: () => unknown): Promise<string> {
  try {
    return JSON.stringify(await read());
  } catch (error) {
    const { code, message, hint, problems } = error as AircherError;
    return JSON.stringify({ code, message, hint, problems });
  }
}

const runs = { numRuns: Number(process.env.AIRCHER_TEST_RUNS ?? 1500) };
const damages = fc.array(damage, { minLength: 0, maxLength: 3 });

test('the bundled client reads and refuses manifests as the package does, with the same problems', async () => {
  await fc.assert(
    fc.asyncProperty(damages, async (all) => {
      const bytes = Buffer.from(JSON.stringify(all.reduce(damaged, manifest)));
      assert.equal(
        await outcome(() => bundled.parseManifest(bytes, 'm')),
        await outcome(() => manifests.parseManifest(bytes, 'm')),
      );
    }),
    runs,
  );
});

test('the bundled client reads and refuses preferences and records as the package does', async () => {
  const layout = cacheLayout(directory);
  await mkdir(join(directory, 'config'), { recursive: true });
  await mkdir(layout.records('other'), { recursive: true });
  await fc.assert(
    fc.asyncProperty(damages, async (all) => {
      await writeFile(layout.preferences, JSON.stringify(all.reduce(damaged, chosen)));
      await writeFile(layout.record('other', '1.2.0'), JSON.stringify(all.reduce(damaged, record)));
      assert.equal(
        await outcome(() => bundled.readPreferences(layout)),
        await outcome(() => preferences.readPreferences(layout)),
      );
      assert.equal(
        await outcome(() => bundled.readRecord(layout, 'other', '1.2.0')),
        await outcome(() => records.readRecord(layout, 'other', '1.2.0')),
      );
    }),
    { numRuns: Math.ceil(runs.numRuns / 3) },
  );
});
