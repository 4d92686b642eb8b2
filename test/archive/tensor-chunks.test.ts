import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PackedArchive } from '../../src/archive/pack-archive.ts';
import { tensorDigest } from '../../src/archive/tensor-digests.ts';
import { ggufFile } from '../fixtures/gguf-file.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { noise, packTree, type Tree, temporaryDirectory, writeTree } from './fixtures.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 8);
const KiB = 1024;
const MiB = 1024 * KiB;

type Data = Readonly<Record<string, Buffer>>;

/** Bytes as initializers of a graph, in it or, aligned to `alignment`, in a file beside it. */
function onnxTree(data: Data, alignment?: number): Tree {
  const initializers: Buffer[] = [];
  const parts: Buffer[] = [];
  let next = 0;
  for (const [name, raw] of Object.entries(data)) {
    const shape = { name, dims: [raw.length], type: 3 };
    if (alignment === undefined) initializers.push(tensor({ ...shape, raw }));
    else {
      const external = { location: 'weights.bin', offset: String(next), length: String(raw.length) };
      initializers.push(tensor({ ...shape, external }));
      const padded = Math.ceil(raw.length / alignment) * alignment;
      parts.push(raw, Buffer.alloc(padded - raw.length));
      next += padded;
    }
  }
  const graph = { 'model.onnx': onnxFile({ initializers }) };
  return alignment === undefined ? graph : { ...graph, 'weights.bin': Buffer.concat(parts) };
}

function ggufTree(data: Data): Tree {
  const tensors = Object.entries(data).map(([name, bytes]) => ({ name, shape: [bytes.length], type: 24, data: bytes }));
  return { 'model.gguf': ggufFile({ tensors }) };
}

const trees: Readonly<Record<string, (data: Data) => Tree>> = {
  'in the graph': onnxTree,
  'in a file of data': (data) => onnxTree(data, 4096),
  'in a GGUF file': ggufTree,
};

async function packed(directory: string, name: string, tree: Tree): Promise<PackedArchive> {
  await writeTree(join(directory, name), tree);
  return await packTree(join(directory, name), 'tar', join(directory, `${name}.tar`));
}

/** Lengths of a file's chunks. */
function lengths({ index }: PackedArchive, path: string): readonly number[] {
  const number = index.files.findIndex((file) => file.path === path);
  return index.chunks.filter((chunk) => chunk[2] === number).map((chunk) => chunk[4]);
}

const data: Data = { large: noise(MiB + 9, 1), small: noise(10, 2), tiny: noise(4, 3), other: noise(64 * KiB, 4) };

test('chunks begin and end with the tensors; padding is a chunk of its own, and descriptions in a graph are merged', async (context) => {
  const directory = await temporaryDirectory(context);
  const beside = await packed(directory, 'beside', onnxTree(data, 4096));
  const cuts = [MiB, 9, 4096 - 9, 10, 4096 - 10, 4, 4096 - 4, 64 * KiB];
  assert.deepEqual(lengths(beside, 'weights.bin'), cuts);
  const inside = lengths(await packed(directory, 'inside', onnxTree(data)), 'model.onnx');
  assert.deepEqual(inside.slice(1, 3), [MiB, 9]);
  assert.equal(inside[4], 64 * KiB);
  assert.equal(inside.length, 6);
  const gguf = lengths(await packed(directory, 'gguf', ggufTree(data)), 'model.gguf');
  assert.deepEqual(gguf.slice(1), [MiB, 9, 32 - 9, 10, 32 - 10, 4, 32 - 4, 64 * KiB]);
});

test('ranges that two graphs share are cut once', async (context) => {
  const directory = await temporaryDirectory(context);
  const tree = onnxTree(data, 4096);
  const both = await packed(directory, 'both', { ...tree, 'again.onnx': tree['model.onnx']! });
  assert.deepEqual(lengths(both, 'weights.bin'), lengths(await packed(directory, 'one', tree), 'weights.bin'));
  assert.deepEqual(both.tensors.get('again.onnx'), both.tensors.get('model.onnx'));
});

test('the digest of a tensor is that of its data alone, in every format; another tensor changes its own chunks', async (context) => {
  const directory = await temporaryDirectory(context);
  const size = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(0, 65535, 65536, MiB, MiB + 1, 2 * MiB + 3));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 8 }), fc.nat(), async (sizes, seed) => {
      const made: Data = Object.fromEntries(sizes.map((bytes, n) => [`t${n}`, noise(bytes, seed + n)]));
      const chosen = `t${seed % sizes.length}`;
      const other = { ...made, [chosen]: noise(made[chosen]!.length, seed + 100) };
      for (const treeOf of Object.values(trees)) {
        const before = await packed(directory, String(run++), treeOf(made));
        const [found] = before.tensors.values();
        const expected = Object.entries(made).map(([name, bytes]) => [name, tensorDigest(bytes)]);
        assert.deepEqual(
          found?.map(({ name, sha256 }) => [name, sha256]),
          expected,
        );
        const after = await packed(directory, String(run++), treeOf(other));
        const known = new Set(before.index.chunks.map((chunk) => chunk[5]));
        const fresh = after.index.chunks.filter((chunk) => !known.has(chunk[5]));
        const bytes = fresh.reduce((sum, chunk) => sum + chunk[4], 0);
        const large = made[chosen]!.length >= 64 * KiB;
        assert.ok(large ? bytes === made[chosen]!.length : bytes <= MiB, `${bytes} bytes of ${made[chosen]!.length}`);
      }
    }),
    { numRuns },
  );
});

/** Written down once; whoever changes them makes everybody fetch everything again. */
const golden: Readonly<Record<string, string>> = {
  'in the graph': 'd1c8cbaabfb3e43ef926ea15cf6d1c109890b1732b45664fde8c6da39648659b',
  'in a file of data': '3e71d6718ffb2cb532b7ef4009dbb776bc6feb764520f9d7e8791808dd611f8f',
  'in a GGUF file': '2eba041eac2266f0152f458747ca2678322d8b74ed55a774dc6c0f7aa7f320b7',
};

for (const [name, treeOf] of Object.entries(trees)) {
  test(`weights ${name} are cut as ever: the digest of the index`, async (context) => {
    const { indexSha256 } = await packed(await temporaryDirectory(context), 'model', treeOf(data));
    assert.equal(indexSha256, golden[name]);
  });
}
