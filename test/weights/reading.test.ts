import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { isAircherError } from '../../src/core/errors.ts';
import type { OnnxFile } from '../../src/weights/read-onnx.ts';
import { type GgufTensor, ggufFile, ggufTensors } from '../fixtures/gguf-file.ts';
import { bytes, node, number, onnxFile, tensor, varint } from '../fixtures/onnx-file.ts';
import { temporaryDirectory } from '../model/inspecting.ts';
import { readAs } from './reading.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 60);
const four = Buffer.from('abcdefghijklmnop');

async function readOnnx(
  context: Parameters<typeof readAs>[0],
  file: Buffer,
  more: Readonly<Record<string, Uint8Array>> = {},
): Promise<OnnxFile> {
  const read = await readAs(context, { 'onnx/model.onnx': file, ...more });
  assert.ok(read?.format === 'onnx');
  return read;
}

test('an ONNX file tells its operators, inputs and outputs, and where its tensors stand', async (context) => {
  const initializers = [
    tensor({ name: 'raw', dims: [2, 2], raw: four }),
    tensor({ name: 'floats', dims: [2], floats: [1, 2] }),
    tensor({ name: 'int4', dims: [3], type: 22, raw: Buffer.from([1, 2]) }),
    tensor({ name: 'packed dims', more: [bytes(1, [varint(2), varint(1)])], raw: Buffer.from('12345678') }),
  ];
  const outputs = { sentence_embedding: ['batch', 384] };
  const file = onnxFile({ initializers, inputs: { input_ids: ['batch', 'sequence'], raw: [2, 2] }, outputs });
  const read = await readOnnx(context, file);
  assert.deepEqual(read.opsets, { '': 17 });
  assert.deepEqual(read.inputs, [{ name: 'input_ids', dtype: 'F32', dimensions: ['batch', 'sequence'] }]);
  assert.deepEqual(read.outputs, [{ name: 'sentence_embedding', dtype: 'F32', dimensions: ['batch', 384] }]);
  assert.deepEqual(read.typed, [{ name: 'floats', dtype: 'F32', shape: [2] }]);
  const at = (content: string): number => file.indexOf(content);
  const here = { file: 'onnx/model.onnx' };
  assert.deepEqual(read.tensors, [
    { name: 'raw', dtype: 'F32', shape: [2, 2], ...here, begin: at('abcd'), end: at('abcd') + 16 },
    { name: 'int4', dtype: 'I4', shape: [3], ...here, begin: at('\u0001\u0002'), end: at('\u0001\u0002') + 2 },
    { name: 'packed dims', dtype: 'F32', shape: [2, 1], ...here, begin: at('12345678'), end: at('12345678') + 8 },
  ]);
});

test('external data are found beside the graph, in folders below it, and twice in one place', async (context) => {
  const external = { location: 'sub/data', offset: '4', length: '16' };
  const initializers = [
    tensor({ name: 'a', dims: [4], external }),
    tensor({ name: 'b', dims: [2, 2], external }),
    tensor({ name: 'rest', dims: [1], external: { location: 'sub/data' } }),
  ];
  const read = await readOnnx(context, onnxFile({ initializers }), { 'onnx/sub/data': Buffer.alloc(20) });
  const [a, b, rest] = read.tensors;
  assert.deepEqual([a?.file, a?.begin, a?.end], ['onnx/sub/data', 4, 20]);
  assert.deepEqual([b?.begin, b?.end], [4, 20]);
  assert.deepEqual([rest?.begin, rest?.end], [0, 4]);
});

test('the graph is the same whoever made the file, wherever its weights lie, and other in any other byte', async (context) => {
  const graphOf = async (parts: Parameters<typeof onnxFile>[0], more = {}): Promise<string> =>
    (await readOnnx(context, onnxFile(parts), more)).graph;
  const weights = [tensor({ name: 'w', dims: [2], raw: Buffer.alloc(8) })];
  const constant = (content: Buffer) => node('Constant', [Buffer.concat([bytes(1, 'value'), bytes(5, content)])]);
  const usual = { initializers: weights, nodes: [constant(tensor({ dims: [1], floats: [1] }))] };
  const graph = await graphOf(usual);
  const notes = [bytes(14, [bytes(1, 'key'), bytes(2, 'value')]), bytes(3, '2.1'), bytes(6, 'a note')];
  const external = [tensor({ name: 'w', dims: [2], external: { location: 'data' } })];
  const same: Readonly<Record<string, Parameters<typeof onnxFile>[0]>> = {
    'another producer': { ...usual, producer: 'somebody else', inModel: notes },
    'notes in the graph': { ...usual, inGraph: [bytes(10, 'a note'), bytes(16, [bytes(1, 'key'), bytes(2, 'value')])] },
    'notes in a tensor': { ...usual, nodes: [constant(tensor({ dims: [1], floats: [1], more: [bytes(12, 'note')] }))] },
    'other weights': { ...usual, initializers: [tensor({ name: 'w', dims: [2], raw: Buffer.alloc(8, 1) })] },
    'weights in another file': { ...usual, initializers: external },
  };
  for (const [name, parts] of Object.entries(same)) {
    assert.equal(await graphOf(parts, { 'onnx/data': Buffer.alloc(8) }), graph, name);
  }
  const other: Readonly<Record<string, Parameters<typeof onnxFile>[0]>> = {
    'another constant': { ...usual, nodes: [constant(tensor({ dims: [1], floats: [2] }))] },
    'raw bytes of a constant': { ...usual, nodes: [constant(tensor({ dims: [1], raw: Buffer.alloc(4) }))] },
    'another operator': { ...usual, nodes: [constant(tensor({ dims: [1], floats: [1] })), node('Tanh')] },
    'an initializer of numbers': {
      ...usual,
      initializers: [...weights, tensor({ name: 'v', dims: [1], floats: [3] })],
    },
    'a sparse initializer': { ...usual, inGraph: [bytes(15, bytes(1, tensor({ dims: [1], raw: Buffer.alloc(4) })))] },
    'a subgraph': { ...usual, inGraph: [bytes(1, node('If', [bytes(6, bytes(1, node('Add')))]))] },
    'a function': { ...usual, inModel: [bytes(25, bytes(1, 'own'))] },
    'a version of operators': { ...usual, inModel: [bytes(8, [bytes(1, 'com.microsoft'), number(2, 1)])] },
    'the name of an output': { ...usual, outputs: { token_embeddings: ['batch', 'sequence', 32] } },
  };
  for (const [name, parts] of Object.entries(other)) assert.notEqual(await graphOf(parts), graph, name);
  const moved = { ...usual, inModel: [bytes(3, '1')] };
  assert.equal(await graphOf(moved), graph);
});

test('external data of a constant are weights, and their place in the file does not count', async (context) => {
  const constant = (offset: string) =>
    node('Constant', [bytes(5, tensor({ name: '', dims: [1], external: { location: 'data', offset } }))]);
  const read = async (offset: string) =>
    await readOnnx(context, onnxFile({ nodes: [constant(offset)] }), { 'onnx/data': Buffer.alloc(16) });
  const [one, other] = [await read('0'), await read('8')];
  assert.equal(one.graph, other.graph);
  assert.deepEqual([one.tensors[0]?.name, one.tensors[0]?.begin, other.tensors[0]?.begin], ['graph 0 ', 0, 8]);
});

test('a GGUF file tells its metadata, and its tensors slowest dimension first', async (context) => {
  const quantised: GgufTensor = { name: 'q', shape: [2, 64], type: 8, data: Buffer.alloc(136) };
  const file = ggufFile({ tensors: [...ggufTensors, quantised] });
  const read = await readAs(context, { 'model.gguf': file });
  assert.ok(read?.format === 'gguf');
  const start = file.length - 8192 - 128 - 160;
  const here = { file: 'model.gguf' };
  assert.deepEqual(read.tensors, [
    { name: 'token_embd.weight', dtype: 'F32', shape: [64, 32], ...here, begin: start, end: start + 8192 },
    { name: 'output_norm.weight', dtype: 'F32', shape: [32], ...here, begin: start + 8192, end: start + 8320 },
    { name: 'q', dtype: 'Q8_0', shape: [2, 64], ...here, begin: start + 8320, end: start + 8456 },
  ]);
  const value = (key: string): unknown => read.metadata.get(key)?.value;
  assert.deepEqual([value('bert.embedding_length'), value('general.name')], [32, 'tiny']);
  assert.deepEqual(value('tokenizer.ggml.tokens'), { length: 64 });
});

test('damaged files are read or refused, never anything else', async (context) => {
  const attribute = bytes(6, bytes(1, node('Add', [bytes(5, tensor({ dims: [1], raw: Buffer.alloc(4) }))])));
  const sound = { 'm.onnx': onnxFile({ nodes: [node('If', [attribute])] }), 'm.gguf': ggufFile() };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('m.onnx' as const, 'm.gguf' as const),
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.double({ min: 0.2, max: 1, noNaN: true }),
      async (path, flips, kept) => {
        const file = Buffer.from(sound[path]);
        // Most of a GGUF file is data, which nobody looks at.
        const looked = Math.min(file.length, 2000);
        for (const [place, value] of flips) file[Math.floor(place * (looked - 1))] = value;
        const damaged = file.subarray(0, Math.ceil(file.length * kept));
        await readAs(context, { [path]: damaged }).catch((error) => {
          assert.ok(isAircherError(error, 'invalid'), String(error));
        });
      },
    ),
    { numRuns },
  );
});

/** A hole in the file stands for the data of one initializer. */
async function writeHollowOnnx(path: string, size: number): Promise<void> {
  const head = Buffer.concat([number(1, size / 4), number(2, 1), bytes(8, 'w'), varint(9 * 8 + 2), varint(size)]);
  const graph = Buffer.concat([bytes(1, node('Gather')), varint(5 * 8 + 2), varint(head.length + size), head]);
  const output = bytes(12, bytes(1, 'y'));
  const start = Buffer.concat([number(1, 10), varint(7 * 8 + 2), varint(graph.length + size + output.length), graph]);
  await writeFile(path, start);
  await truncate(path, start.length + size);
  const handle = await open(path, 'a');
  await handle.write(output);
  await handle.close();
}

test('an ONNX file with 4 GB of weights in it is read in little memory: its weights are skipped', async (context) => {
  const root = await temporaryDirectory(context);
  const path = join(root, 'model.onnx');
  await writeHollowOnnx(path, 4 * 2 ** 30);
  const reader = fileURLToPath(new URL('read-in-child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [reader, path]);
  const { tensors, peakBytes } = JSON.parse(stdout);
  assert.equal(tensors[0].end - tensors[0].begin, 4 * 2 ** 30);
  assert.ok(peakBytes < 200e6, `${peakBytes} bytes`);
});
