import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ChunkIndex } from '../../src/contract/chunk-index.ts';
import { type BertShape, writeBertWeights } from '../fixtures/bert-model.ts';
import { packTree } from './fixtures.ts';

/** Twelve layers as in BERT, narrower: 22 MB. Bigger by environment, for a soak. */
const model: BertShape = {
  layers: 12,
  hidden: Number(process.env.AIRCHER_TEST_BERT_HIDDEN ?? 192),
  vocabulary: Number(process.env.AIRCHER_TEST_BERT_VOCABULARY ?? 2000),
};

const directory = mkdtempSync(join(tmpdir(), 'aircher-deltas-'));
let original: ChunkIndex;
before(async () => {
  original = await index('original', model);
});
after(() => rmSync(directory, { recursive: true, force: true }));

async function index(name: string, shape: BertShape): Promise<ChunkIndex> {
  const tree = join(directory, name);
  await mkdir(tree);
  await writeBertWeights(join(tree, 'model.safetensors'), shape);
  return (await packTree(tree, 'tar.gz', join(directory, `${name}.tar.gz`), 'bert')).index;
}

/** Share of the new archive's bytes, in percent, whose chunks the old one lacks. */
function missing(from: ChunkIndex, to: ChunkIndex): number {
  const known = new Set(from.chunks.map((chunk) => chunk[5]));
  const bytes = to.chunks.reduce((sum, chunk) => sum + (known.has(chunk[5]) ? 0 : chunk[1]), 0);
  return (bytes / to.archive.size_bytes) * 100;
}

const parametersOfLayer = 12 * model.hidden ** 2 + 13 * model.hidden;
const parameters = 12 * parametersOfLayer + (model.vocabulary + 512 + 4 + model.hidden + 1) * model.hidden;

test('40 bytes of new metadata cost no tensor data', async () => {
  const renamed = await index('metadata', { ...model, metadata: { note: 'x'.repeat(40) } });
  const share = missing(original, renamed);
  assert.ok(share < 0.1, `${share} %`);
  const data = (side: ChunkIndex): string[] => side.chunks.filter((chunk) => chunk[3] > 0).map((chunk) => chunk[5]);
  assert.deepEqual(data(renamed), data(original));
});

test('two retrained layers of twelve cost their own share, and at most one point more', async () => {
  const retrained = { 'layer.10.': 1, 'layer.11.': 1 };
  const share = missing(original, await index('retrained', { ...model, retrained }));
  const own = ((2 * parametersOfLayer) / parameters) * 100;
  assert.ok(share >= own * 0.9 && share <= own + 1, `${share} % for ${own} %`);
});

test('two added tensors cost their own share, and at most one point more', async () => {
  const added = { 'embeddings.a_projection.weight': [model.hidden, model.hidden], 'zz.dense.bias': [model.hidden] };
  const share = missing(original, await index('added', { ...model, added }));
  const own = ((model.hidden ** 2 + model.hidden) / parameters) * 100;
  assert.ok(share >= own * 0.9 && share <= own + 1, `${share} % for ${own} %`);
});
