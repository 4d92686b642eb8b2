import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { billOfModels } from '../../src/contract/bill-of-models.ts';
import type { Manifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';

const digest = (digit: string): string => digit.repeat(64);
const sha = (digit: string) => [{ alg: 'SHA-256', content: digest(digit) }];
const github = 'https://github.com/acme/models/releases/download/models-v1.0.0/mini.tar.gz';
const hub = 'https://huggingface.co/acme/m/resolve/models-v1.0.0/mini.tar.gz';
const source = { huggingface: 'up/Stream-1', revision: 'a'.repeat(40) };

const manifest: Manifest = {
  manifest_version: '1.0.0',
  namespace: 'acme',
  release: 'models-v1.0.0',
  generated_at: '2026-01-01T00:00:00Z',
  models: {
    mini: {
      version: '1.0.0',
      size_bytes: 7,
      sha256: digest('1'),
      download_urls: { github, huggingface: hub },
      license: 'MIT OR Apache-2.0',
      commercial_use: true,
      release: 'models-v1.0.0',
      files: [
        { path: 'model.safetensors', size_bytes: 3, sha256: digest('2') },
        { path: '1_Pooling/config.json', size_bytes: 4, sha256: digest('3') },
      ],
      tensors: { count: 2, parameters: 99, dtypes: { F32: 99 } },
      embedding: { dimensions: 384, max_tokens: null, space: digest('4') },
      source,
    },
    // As the first draft of the format had it.
    old: {
      version: '0.1.0',
      size_bytes: 1,
      sha256: digest('5'),
      download_urls: { mirror: 'https://example.org/old.tar.gz' },
    },
  },
};

/**
 * Checked once by hand against CycloneDX's own JSON schema of version 1.6; this holds every byte of
 * it.
 */
const expected = {
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  serialNumber: 'urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff',
  version: 1,
  metadata: {
    timestamp: '2026-01-01T00:00:00Z',
    tools: { components: [{ type: 'application', name: 'aircher-models' }] },
    component: {
      type: 'data',
      'bom-ref': 'models-v1.0.0',
      name: 'acme',
      version: 'models-v1.0.0',
      properties: [{ name: 'aircher:manifest:sha256', value: digest('f') }],
    },
  },
  components: [
    {
      type: 'machine-learning-model',
      'bom-ref': 'mini@1.0.0',
      name: 'mini',
      version: '1.0.0',
      hashes: sha('1'),
      licenses: [{ expression: 'MIT OR Apache-2.0' }],
      pedigree: {
        ancestors: [
          {
            type: 'machine-learning-model',
            name: 'up/Stream-1',
            version: source.revision,
            purl: `pkg:huggingface/up/Stream-1@${source.revision}`,
          },
        ],
      },
      externalReferences: [
        { type: 'distribution', url: github, hashes: sha('1') },
        { type: 'distribution', url: hub, hashes: sha('1') },
      ],
      modelCard: { modelParameters: { task: 'feature-extraction' } },
      properties: [
        { name: 'aircher:release', value: 'models-v1.0.0' },
        { name: 'aircher:commercial_use', value: 'true' },
        { name: 'aircher:embedding:space', value: digest('4') },
        { name: 'aircher:embedding:dimensions', value: '384' },
        { name: 'aircher:tensors:parameters', value: '99' },
      ],
      components: [
        { type: 'file', 'bom-ref': 'mini@1.0.0/model.safetensors', name: 'model.safetensors', hashes: sha('2') },
        {
          type: 'file',
          'bom-ref': 'mini@1.0.0/1_Pooling/config.json',
          name: '1_Pooling/config.json',
          hashes: sha('3'),
        },
      ],
    },
    {
      type: 'machine-learning-model',
      'bom-ref': 'old@0.1.0',
      name: 'old',
      version: '0.1.0',
      hashes: sha('5'),
      externalReferences: [{ type: 'distribution', url: 'https://example.org/old.tar.gz', hashes: sha('5') }],
      modelCard: { modelParameters: { task: 'feature-extraction' } },
      properties: [],
      components: [],
    },
  ],
  dependencies: [{ ref: 'models-v1.0.0', dependsOn: ['mini@1.0.0', 'old@0.1.0'] }],
};

describe('the bill of models', () => {
  it('says in CycloneDX 1.6 what the manifest says: archives, files, digests, licences, sources', () => {
    assert.equal(JSON.stringify(billOfModels(manifest, digest('f'))), JSON.stringify(expected));
  });

  it('has a serial number of its own for each manifest, a UUID of version 8', () => {
    const serials = Array.from({ length: 50 }, (_, number) => {
      const { serialNumber } = billOfModels(manifest, sha256(String(number))) as { serialNumber: string };
      assert.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      return serialNumber;
    });
    assert.equal(new Set(serials).size, serials.length);
  });

  it('is printed by `bill` for the packed release, and the same for its manifest elsewhere, without a release.json', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const step of ['plan', 'pack', 'prove', 'manifest']) await workspace.run([step]);
    const own = await workspace.run(['bill']);
    assert.equal(own.exitCode, 0, own.stderr);
    const { components } = JSON.parse(own.stdout) as typeof expected;
    assert.deepEqual(
      components.map(({ name }) => name),
      ['alpha', 'beta'],
    );
    const bytes = await readFile(workspace.path('release/manifest.json'));
    await writeFile(workspace.path('copy.json'), bytes);
    const other = await workspace.run(['bill', 'copy.json', '--config', 'nowhere.json', '--out', 'nowhere']);
    assert.equal(other.stdout, own.stdout);
    assert.equal((await workspace.run(['bill', 'copy.json', '--json'])).stdout, own.stdout);
    assert.equal((await workspace.run(['bill', 'nothing.json'])).exitCode, 2);
    assert.equal((await workspace.run(['bill', 'manifests/release.json'])).exitCode, 3);
    assert.equal((await workspace.run(['bill', '--out', 'nowhere'])).exitCode, 3);
  });
});
