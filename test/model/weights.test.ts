import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { safetensorsFile, tinyModelFiles } from '../fixtures/tiny-model.ts';
import { inspectDirectory, inspectTiny, told } from './inspecting.ts';

const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
const index = 'model.safetensors.index.json';
const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';

test('a sound model passes without a word, and its tensors are counted', async (context) => {
  const inspected = await inspectTiny(context, { layers: 1, hidden: 8, vocabulary: 16, positions: 16 });
  assert.deepEqual(told(inspected), []);
  // Embeddings 16×8 + 16×8 + 2×8 + 2×8; a layer 4×(8×8+8) + 32×8+32 + 8×32+8 + 4×8; pooler 8×8+8.
  const [only] = inspected.facts.weights;
  assert.deepEqual(only?.tensors, { count: 23, parameters: 1232, dtypes: { F32: 1232 } });
  assert.deepEqual(only?.loaded, [{ path: 'model.safetensors', module: '0' }]);
});

test('Git LFS pointers are told as what they are, with the command that gets the files', async (context) => {
  const inspected = await inspectTiny(context, { files: { 'model.safetensors': pointer, 'tokenizer.json': pointer } });
  assert.deepEqual(told(inspected), [
    'error model.safetensors: is a Git LFS pointer, not the file itself',
    'error tokenizer.json: is a Git LFS pointer, not the file itself',
  ]);
  assert.match(inspected.problems[0]?.hint ?? '', /git lfs pull/);
});

test('empty weights, tokenizers and JSON files are told; other files may be empty', async (context) => {
  const files = { 'model.safetensors': '', 'vocab.txt': '', 'config.json': '', 'notes.txt': '' };
  assert.deepEqual(told(await inspectTiny(context, { files })), [
    'error config.json: is empty',
    'error model.safetensors: is empty',
    'error vocab.txt: is empty',
  ]);
});

test('a model without any weights, or with safetensors that hold no tensor, is refused', async (context) => {
  const modules = { 'modules.json': undefined };
  const none = await inspectTiny(context, { files: { ...modules, 'model.safetensors': undefined } });
  assert.ok(told(none).includes('error .: has no weights: no .safetensors, .onnx, .gguf file is released'));
  const hollow = await inspectTiny(context, {
    files: { ...modules, 'model.safetensors': safetensorsFile({ tensors: [] }) },
  });
  assert.ok(told(hollow).includes('error .: has no weights: its files hold no tensor'));
});

test('a safetensors header that names a tensor twice, or __proto__, is refused with a remedy', async (context) => {
  const tensor = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  for (const json of [`{"a":${tensor},"a":${tensor}}`, `{"__proto__":${tensor}}`]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const file = Buffer.concat([length, Buffer.from(json), Buffer.alloc(4)]);
    const { problems } = await inspectTiny(context, { files: { 'model.safetensors': file } });
    assert.match(problems[0]?.file ?? '', /model\.safetensors$/);
    assert.match(problems[0]?.hint ?? '', /get it again, or write it again/, problems[0]?.message);
  }
});

test('a safetensors file that is cut short or no such file is told with its path and the reason', async (context) => {
  const whole = tinyModelFiles().get('model.safetensors') ?? Buffer.of();
  const cut = await inspectTiny(context, { files: { 'model.safetensors': whole.subarray(0, whole.length - 4) } });
  assert.match(
    told(cut)[0] ?? '',
    /^error model\.safetensors: the tensors take \d+ bytes, the file has \d+ behind its header$/,
  );
  assert.equal(told(cut).length, 1);
  const page = await inspectTiny(context, { files: { 'model.safetensors': '<!DOCTYPE html><html>not found</html>' } });
  assert.equal(told(page)[0], 'error model.safetensors: a web page or the like, not weights');
});

test('every broken JSON file is told, with the line: an error where loaders read it, else a warning', async (context) => {
  const files = {
    'config.json': '{\n  "hidden_size": 32,\n  oops\n}',
    'trainer_state.json': '{"loss": NaN}',
    'adapter_config.json': '{"lora_alpha": NaN}',
    'marked.json': '\ufeff{}',
    '1_Pooling/config.json': Buffer.from([0x22, 0xe9, 0x22]),
  };
  const inspected = await inspectTiny(context, { files });
  const lines = told(inspected).join('\n');
  assert.match(lines, /error config\.json: is not valid JSON: .*line 3/);
  assert.match(lines, /warning trainer_state\.json: is not valid JSON: Unexpected token/);
  assert.match(lines, /error adapter_config\.json: is not valid JSON: Unexpected token/);
  assert.match(lines, /warning marked\.json: is not valid JSON: it begins with a byte order mark/);
  assert.match(lines, /error 1_Pooling\/config\.json: is not UTF-8 text/);
  assert.equal(inspected.problems.length, 5);
});

test('JSON that nests without end, and configs of many megabytes, are refused without being walked', async (context) => {
  const nested = `{"x": ${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  const files = {
    'config.json': nested,
    'tokenizer.json': nested,
    'results.json': nested,
    'modules.json': `[${' '.repeat(5_000_000)}]`,
  };
  const deep = 'is nested more than 64 deep, which no file of a model has';
  assert.deepEqual(told(await inspectTiny(context, { files })).slice(0, 4), [
    `error config.json: ${deep}`,
    'error modules.json: has 5000002 bytes, more than the limit of 4194304',
    `warning results.json: ${deep}`,
    `error tokenizer.json: ${deep}`,
  ]);
});

test('a vocabulary may hold __proto__ and the same key twice: no loader minds', async (context) => {
  const files = { 'vocab.json': '{"__proto__": 1, "a": 2, "a": 3}' };
  assert.deepEqual(told(await inspectTiny(context, { files })), []);
});

test('a sharded model passes, and has the same tensors as in one file', async (context) => {
  const whole = await inspectTiny(context);
  const sharded = await inspectTiny(context, { shards: 3 });
  assert.deepEqual(told(sharded), []);
  const [one, other] = [sharded, whole].map(({ facts }) => facts.weights[0]);
  assert.deepEqual(one?.tensors, other?.tensors);
  assert.equal(one?.loaded.length, 3);
});

test('a missing shard is told by name, and its tensors are not told one by one', async (context) => {
  const inspected = await inspectTiny(context, { shards: 2, files: { [second]: undefined } });
  assert.deepEqual(told(inspected), [`error ${index} $.weight_map: names "${second}", which is missing`]);
});

test('shards without their index are told', async (context) => {
  const inspected = await inspectTiny(context, { shards: 2, files: { [index]: undefined } });
  assert.deepEqual(told(inspected), [
    `error ${first}: is a shard that no index names`,
    `error ${second}: is a shard that no index names`,
  ]);
});

test('tensors in another shard than the index says, unknown to it, or in two shards are told', async (context) => {
  const tensor = (name: string) => ({ name, shape: [2] });
  const files = {
    [first]: safetensorsFile({ tensors: [tensor('a'), tensor('both'), tensor('extra')] }),
    [second]: safetensorsFile({ tensors: [tensor('both'), tensor('b')] }),
    'config.json': '{"hidden_size": 32}',
    [index]: JSON.stringify({ weight_map: { a: first, 'b.weight': second, b: first, both: second } }),
  };
  assert.deepEqual(told(await inspectTiny(context, { shards: 2, files })), [
    `error ${index} $.weight_map["b.weight"]: ${second} doesn't hold this tensor`,
    `error ${index} $.weight_map.b: ${first} doesn't hold this tensor`,
    `error ${index} $.weight_map: doesn't name the tensor "extra" of ${first}`,
    `error ${index} $.weight_map.both: the tensor stands in ${first} and ${second}`,
  ]);
});

test('an index that is no map, or stands beside the whole file, is told', async (context) => {
  const list = await inspectTiny(context, { shards: 2, files: { [index]: '{"weight_map": [1]}' } });
  assert.ok(told(list).includes(`error ${index} $.weight_map: must map names of tensors to names of files`));
  const whole = tinyModelFiles().get('model.safetensors') ?? Buffer.of();
  const both = await inspectTiny(context, { shards: 2, files: { 'model.safetensors': whole } });
  assert.deepEqual(told(both), [
    `error ${index}: stands beside model.safetensors: some loaders take the one, some the other`,
  ]);
});

test('either half of the hint about a whole file beside shards ends the finding', async (context) => {
  const whole = tinyModelFiles().get('model.safetensors') ?? Buffer.of();
  const options = { shards: 2, files: { 'model.safetensors': whole } };
  for (const exclude of [['model.safetensors'], ['*.index.json', 'model-0*']]) {
    assert.deepEqual(told(await inspectTiny(context, options, { exclude })), []);
  }
});

test('weights are never read: a sparse file of 100 GB is inspected in a moment', async (context) => {
  const { root } = await inspectTiny(context);
  const bytes = 100 * 2 ** 30;
  const header = JSON.stringify({ big: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } });
  const handle = await open(join(root, 'model.safetensors'), 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await handle.write(Buffer.concat([length, Buffer.from(header)]));
  await handle.truncate(8 + header.length + bytes);
  await handle.close();
  const before = process.memoryUsage().rss;
  const start = performance.now();
  const { facts } = await inspectDirectory(root);
  assert.equal(facts.weights[0]?.tensors.parameters, bytes);
  assert.ok(performance.now() - start < 10_000);
  assert.ok(process.memoryUsage().rss - before < 50e6);
});
