import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bertMetadata, ggufFile } from '../fixtures/gguf-file.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { bertTensors, safetensorsFile, type TinyModelOptions, tinyModelFiles } from '../fixtures/tiny-model.ts';
import { inspectTiny, told } from './inspecting.ts';
import { differing, type Fingerprinted, fingerprint, ModelFiles } from './spaces/model-files.ts';

const twin = safetensorsFile({ tensors: bertTensors({ dtype: 'F16' }) });
const onnx = 'onnx/model.onnx';
const gguf = 'tiny.gguf';
const other = (seed: number): Buffer => onnxFile({ initializers: [tensor({ dims: [2], raw: Buffer.alloc(8, seed) })] });

/** The tiny model, with a Dense and with weights in every format. */
function everyFormat(options: TinyModelOptions = {}): Readonly<TinyModelOptions> {
  return { dense: 16, ...options, files: { [onnx]: other(1), [gguf]: ggufFile(), ...options.files } };
}

async function weightsOf(context: Parameters<typeof inspectTiny>[0], options: TinyModelOptions, config: object = {}) {
  const inspected = await inspectTiny(context, options, config);
  return { weights: inspected.facts.weights, told: told(inspected), embedding: inspected.facts.embedding };
}

const defaults = (weights: readonly { path: string; default?: true }[]): readonly string[] =>
  weights.filter((one) => one.default).map(({ path }) => path);

test('each format is a rendition with all its files; the modules say which is the default', async (context) => {
  const { weights, told } = await weightsOf(context, everyFormat());
  assert.deepEqual(told, []);
  const dense = '2_Dense/model.safetensors';
  assert.deepEqual(
    weights.map(({ path, format, files }) => [path, format, files]),
    [
      ['model.safetensors', 'safetensors', [dense, 'model.safetensors']],
      [onnx, 'onnx', [dense, onnx]],
      [gguf, 'gguf', [dense, gguf]],
    ],
  );
  assert.deepEqual(defaults(weights), ['model.safetensors']);
  const [, graph, quantised] = weights;
  assert.deepEqual(graph?.tensors, { count: 3, parameters: 2 + 16 * 32 + 16, dtypes: { F32: 530 } });
  assert.deepEqual(graph?.graph?.outputs[0]?.dimensions, ['batch', 'sequence', 32]);
  assert.equal(quantised?.tensors.parameters, 64 * 32 + 32 + 16 * 32 + 16);
});

test('of shards the index is loaded, of a split GGUF the first part, of ONNX the graph with its data', async (context) => {
  const external = tensor({ dims: [2], external: { location: 'model.onnx_data' } });
  const files = {
    [onnx]: onnxFile({ initializers: [external] }),
    'onnx/model.onnx_data': Buffer.alloc(8),
    'tiny-00001-of-00002.gguf': ggufFile(),
    'tiny-00002-of-00002.gguf': ggufFile({
      metadata: { 'split.no': 1 },
      tensors: [{ name: 'more', shape: [2], data: Buffer.alloc(8) }],
    }),
  };
  const { weights, told } = await weightsOf(context, { shards: 2, files });
  assert.deepEqual(told, []);
  const index = 'model.safetensors.index.json';
  assert.deepEqual(
    weights.map(({ path, files }) => [path, files]),
    [
      [index, ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', index]],
      [onnx, [onnx, 'onnx/model.onnx_data']],
      ['tiny-00001-of-00002.gguf', ['tiny-00001-of-00002.gguf', 'tiny-00002-of-00002.gguf']],
    ],
  );
  assert.equal(weights[2]?.tensors.count, 3);
});

test('a part of a GGUF file that is missing is told', async (context) => {
  const { told } = await weightsOf(context, { files: { 'tiny-00001-of-00002.gguf': ggufFile() } });
  assert.deepEqual(told, [
    'error tiny-00001-of-00002.gguf: is in 2 parts, of which 1 are released: tiny-00001-of-00002.gguf',
  ]);
});

test('release.json names another default, also one that no module loads', async (context) => {
  const files = { 'model.fp16.safetensors': twin };
  for (const path of [onnx, gguf, 'model.safetensors']) {
    const { weights } = await weightsOf(context, everyFormat({ files }), { default_weights: path });
    assert.deepEqual(defaults(weights), [path]);
    assert.equal(weights.length, 3, 'the copy in another precision is a file like any other');
  }
  const named = await weightsOf(context, everyFormat({ files }), { default_weights: 'model.fp16.safetensors' });
  assert.deepEqual(named.told, []);
  assert.deepEqual(defaults(named.weights), ['model.fp16.safetensors']);
  assert.equal(named.weights.length, 4);
});

test('a default that is none of the weights is an error that lists them', async (context) => {
  const { told } = await weightsOf(context, everyFormat(), { default_weights: 'model.onnx' });
  assert.deepEqual(told, [
    `error release.json $.models.tiny.default_weights: names "model.onnx", which is none of the model's weights: model.safetensors, ${onnx}, ${gguf}`,
  ]);
});

test('several weights of which the modules load none need a default', async (context) => {
  const files = { 'model.safetensors': undefined, 'onnx/int8.onnx': other(2) };
  const { told } = await weightsOf(context, everyFormat({ files }));
  assert.deepEqual(told, [
    `error release.json $.models.tiny: has several weights, and no module says which one is meant: onnx/int8.onnx, ${onnx}, ${gguf}`,
  ]);
  const named = await weightsOf(context, everyFormat({ files }), { default_weights: 'onnx/int8.onnx' });
  assert.deepEqual([named.told, defaults(named.weights)], [[], ['onnx/int8.onnx']]);
});

test('weights in folders that no module names are files like any other, unless they are the only ones', async (context) => {
  const spare = safetensorsFile({ tensors: [{ name: 'spare', shape: [4] }] });
  const beside = await weightsOf(context, { files: { 'spare/model.safetensors': spare } });
  assert.deepEqual(
    beside.weights.map(({ path }) => path),
    ['model.safetensors'],
  );
  const alone = { 'model.safetensors': undefined, 'modules.json': undefined, 'spare/model.safetensors': spare };
  const only = await weightsOf(context, { files: alone });
  assert.deepEqual(defaults(only.weights), ['spare/model.safetensors']);
});

test('a model of ONNX alone is released, with and without configs', async (context) => {
  const files = { 'model.safetensors': undefined, [onnx]: other(1) };
  const whole = await weightsOf(context, { files });
  assert.deepEqual([whole.told, defaults(whole.weights)], [[], [onnx]]);
  assert.equal(whole.embedding.dimensions, 32);
  const bare = Object.fromEntries([...tinyModelFiles().keys()].map((path) => [path, undefined]));
  const outputs = { sentence_embedding: ['batch', 24] };
  const alone = await weightsOf(context, { files: { ...bare, LICENSE: 'x', 'model.onnx': onnxFile({ outputs }) } });
  assert.deepEqual(alone.told, ['warning .: has no tokenizer']);
  assert.deepEqual([alone.embedding.kind, alone.embedding.dimensions], ['dense', 24]);
});

test('a model of GGUF alone is released: dimensions, pooling and token limit stand in the file', async (context) => {
  const bare = Object.fromEntries([...tinyModelFiles().keys()].map((path) => [path, undefined]));
  const { told, embedding } = await weightsOf(context, { files: { ...bare, LICENSE: 'x', [gguf]: ggufFile() } });
  assert.deepEqual(told, []);
  const { kind, dimensions, max_tokens: maxTokens, pooling } = embedding;
  assert.deepEqual([kind, dimensions, maxTokens, pooling], ['dense', 32, 64, 'mean']);
  const rank = ggufFile({ metadata: { ...bertMetadata, 'bert.pooling_type': 4 } });
  const reranker = await weightsOf(context, { files: { ...bare, LICENSE: 'x', [gguf]: rank } });
  assert.equal(reranker.embedding.kind, 'reranker');
});

test('ONNX and GGUF files that contradict the configs are errors', async (context) => {
  const metadata = (change: object): Buffer => ggufFile({ metadata: { ...bertMetadata, ...change } });
  const tokens = (count: number): string[] => Array.from({ length: count }, (_, number) => String(number));
  const cases: readonly (readonly [Readonly<Record<string, Buffer>>, readonly string[]])[] = [
    [
      { [onnx]: onnxFile({ outputs: { last_hidden_state: ['b', 's', 48] } }) },
      [`error ${onnx}: gives 48 numbers as last_hidden_state, but config.json $.hidden_size is 32`],
    ],
    [
      { [onnx]: onnxFile({ outputs: { sentence_embedding: ['b', 48] } }) },
      [`error ${onnx}: gives 48 numbers as sentence_embedding, but the length of a vector by the configs is 32`],
    ],
    [
      { [gguf]: metadata({ 'bert.embedding_length': 48, 'bert.block_count': 6, 'bert.pooling_type': 2 }) },
      [
        `error ${gguf}: has an embedding_length of 48, but config.json $.hidden_size is 32`,
        `error ${gguf}: has a block_count of 6, but config.json $.num_hidden_layers is 2`,
        `error ${gguf}: has the pooling_type cls, but the modules' pooling is mean`,
      ],
    ],
    [
      { [gguf]: metadata({ 'bert.context_length': 32 }) },
      [
        `warning ${gguf}: has a context_length of 32, but the model takes 64 tokens by its configs: longer texts are cut elsewhere, or refused`,
      ],
    ],
    [
      { [gguf]: metadata({ 'tokenizer.ggml.tokens': tokens(65) }) },
      [`error ${gguf}: has 65 tokens, but embeddings of 64`],
    ],
    [
      { [gguf]: metadata({ 'tokenizer.ggml.tokens': tokens(60) }) },
      [`error ${gguf}: has 60 tokens, but tokenizer.json has ids up to 63`],
    ],
  ];
  for (const [files, expected] of cases) assert.deepEqual((await weightsOf(context, { files })).told, expected);
});

test('two graphs that divide one file of data in two ways are an error', async (context) => {
  const shared = (dims: number, offset: string): Buffer =>
    onnxFile({ initializers: [tensor({ dims: [dims], external: { location: 'data', offset } })] });
  const data = { 'onnx/data': Buffer.alloc(32) };
  const same = { 'onnx/a.onnx': shared(4, '0'), 'onnx/b.onnx': shared(4, '0'), ...data };
  assert.deepEqual((await weightsOf(context, { files: same })).told, []);
  const [line] = (await weightsOf(context, { files: { ...same, 'onnx/b.onnx': shared(4, '8') } })).told;
  assert.match(line ?? '', /^error \.: the tensors "w" and "w" overlap in onnx\/data: 0 to 16, 8 to 24$/);
});

/** The space of each rendition, by path. */
function spaces({ weights }: Fingerprinted): Readonly<Record<string, string>> {
  return Object.fromEntries(weights.map(({ path, space }) => [path, space]));
}

/** Paths of the renditions whose space a change moves. */
async function moved(change: (model: ModelFiles) => void): Promise<readonly string[]> {
  const model = new ModelFiles(tinyModelFiles(everyFormat()));
  const before = spaces(await fingerprint(model));
  change(model);
  const after = spaces(await fingerprint(model));
  return Object.keys(before).filter((path) => before[path] !== after[path]);
}

test('a change moves the spaces of the renditions that it concerns, and no other', async () => {
  const all = ['model.safetensors', onnx, gguf];
  const cases: Readonly<Record<string, readonly [(model: ModelFiles) => void, readonly string[]]>> = {
    'another initializer': [(model) => model.write(onnx, other(2)), [onnx]],
    'another producer of the graph': [
      (model) =>
        model.write(onnx, onnxFile({ producer: 'x', initializers: [tensor({ dims: [2], raw: Buffer.alloc(8, 1) })] })),
      [],
    ],
    'another tensor of the GGUF': [
      (model) =>
        model.write(
          gguf,
          ggufFile({ tensors: [{ name: 'token_embd.weight', shape: [64, 32], data: Buffer.alloc(8192) }] }),
        ),
      [gguf],
    ],
    'another name of the GGUF': [
      (model) => model.write(gguf, ggufFile({ metadata: { ...bertMetadata, 'general.name': 'renamed' } })),
      [],
    ],
    'another order of keys in the GGUF': [
      (model) => model.write(gguf, ggufFile({ metadata: Object.fromEntries(Object.entries(bertMetadata).reverse()) })),
      [],
    ],
    'a token of the GGUF': [
      (model) => model.write(gguf, ggufFile({ metadata: { ...bertMetadata, 'tokenizer.ggml.pre': 'other' } })),
      [gguf],
    ],
    'a scale in the GGUF': [
      (model) => model.write(gguf, ggufFile({ metadata: { ...bertMetadata, 'bert.attention.scale': 2 } })),
      [gguf],
    ],
    'one bit of the safetensors': [
      (model) =>
        model.weights('model.safetensors', ([first, ...rest]) => [
          { ...first!, data: Buffer.from(first!.data).fill(1, 0, 1) },
          ...rest,
        ]),
      ['model.safetensors'],
    ],
    'the activation in config.json': [
      (model) => model.json('config.json', (config) => ({ ...config, hidden_act: 'relu' })),
      ['model.safetensors'],
    ],
    'one bit of the dense layer': [
      (model) =>
        model.weights('2_Dense/model.safetensors', ([first, ...rest]) => [
          { ...first!, data: Buffer.from(first!.data).fill(1, 0, 1) },
          ...rest,
        ]),
      all,
    ],
    'a token of the vocabulary': [
      (model) => model.write('tokenizer.json', model.text('tokenizer.json').replace('word9', 'wort9')),
      all,
    ],
    'the pooling mode': [
      (model) =>
        model.json('1_Pooling/config.json', (config) => ({
          ...config,
          pooling_mode_mean_tokens: false,
          pooling_mode_cls_token: true,
        })),
      all,
    ],
    'copies of the tokenizer beside the graph': [
      (model) => model.write('onnx/tokenizer.json', model.text('tokenizer.json')),
      [],
    ],
    'another README': [(model) => model.write('README.md', 'other'), []],
  };
  for (const [name, [change, expected]] of Object.entries(cases)) {
    assert.deepEqual(await moved(change), expected, name);
  }
});

test('weights added in another format leave the fingerprints and the space of the default alone', async () => {
  const before = await fingerprint(new ModelFiles(tinyModelFiles({ dense: 16 })));
  const after = await fingerprint(new ModelFiles(tinyModelFiles(everyFormat())));
  assert.deepEqual(differing(before, after), []);
  assert.equal(before.space, after.space);
});
