import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { bertTensors, safetensorsFile, type TinyModelOptions, tinyModelFiles } from '../fixtures/tiny-model.ts';
import { type Inspected, inspectTiny, told } from './inspecting.ts';

/** A file of the tiny model (2 layers, 32 wide, 64 words and positions) with other members. */
function changed(path: string, members: Readonly<Record<string, unknown>>, options: TinyModelOptions = {}) {
  const json = JSON.parse(tinyModelFiles(options).get(path)?.toString() ?? '{}') as object;
  return { [path]: JSON.stringify({ ...json, ...members }) };
}

const word = 'embeddings.word_embeddings.weight';
const position = 'embeddings.position_embeddings.weight';

test('more or fewer layers than the weights have is an error, since loaders fill the rest with random numbers', async (context) => {
  const six = await inspectTiny(context, { files: changed('config.json', { num_hidden_layers: 6 }) });
  assert.deepEqual(told(six), [
    'error config.json $.num_hidden_layers: is 6, but the weights have 2 layers (encoder.layer.…): loaders fill the others with random numbers',
  ]);
  const one = await inspectTiny(context, { files: changed('config.json', { num_hidden_layers: 1 }) });
  assert.deepEqual(told(one), [
    'error config.json $.num_hidden_layers: is 1, but the weights have 2 layers (encoder.layer.…): loaders leave the others out',
  ]);
  const hole = bertTensors({ layers: 3 }).filter(({ name }) => !name.includes('layer.1.'));
  const files = {
    'model.safetensors': safetensorsFile({ tensors: hole }),
    ...changed('config.json', { num_hidden_layers: 3 }),
  };
  assert.deepEqual(told(await inspectTiny(context, { files })), [
    'error config.json $.num_hidden_layers: is 3, but the weights have no encoder.layer.1: loaders fill it with random numbers',
  ]);
  const bare = bertTensors().filter(({ name }) => !name.includes('layer'));
  const none = await inspectTiny(context, { files: { 'model.safetensors': safetensorsFile({ tensors: bare }) } });
  assert.deepEqual(told(none), [
    'error config.json $.model_type: is "bert", but the weights have no attention of such a network',
  ]);
});

test('layers are counted over all shards, and not where one is missing', async (context) => {
  assert.deepEqual(told(await inspectTiny(context, { layers: 5, shards: 3 })), []);
  const files = { 'model-00002-of-00003.safetensors': undefined };
  const missing = await inspectTiny(context, { layers: 5, shards: 3, files });
  assert.equal(missing.problems.length, 1);
});

test('rows of the token and position embeddings that config.json contradicts are errors', async (context) => {
  const files = changed('config.json', { vocab_size: 60, max_position_embeddings: 32 });
  assert.deepEqual(told(await inspectTiny(context, { maxTokens: 32, files })), [
    `error config.json $.vocab_size: is 60, but the tensor ${word} has the shape [64, 32]`,
    `error config.json $.max_position_embeddings: is 32, but the tensor ${position} has the shape [64, 32]`,
  ]);
  const padded = changed('config.json', { vocab_size: 60, pad_vocab_size_multiple: 16 });
  assert.deepEqual(told(await inspectTiny(context, { files: padded })), []);
});

test('the model type of other tensors, and of another class than the weights were saved as, is an error', async (context) => {
  const typed = async (model_type: string, architectures?: string[]): Promise<string[]> =>
    told(await inspectTiny(context, { files: changed('config.json', { model_type, architectures }) }));
  const of = (type: string) =>
    `error config.json $.model_type: is "${type}", but the tensors are named as those of bert, roberta, xlm-roberta, xlm-roberta-xl`;
  for (const type of ['distilbert', 't5', 'qwen3', 'albert', 'modernbert'])
    assert.deepEqual(await typed(type), [of(type)]);
  assert.deepEqual(await typed('electra', ['BertForMaskedLM']), [
    'error config.json $.model_type: is "electra", but the weights were saved as BertForMaskedLM',
  ]);
  // An architecture that isn't known here may name its tensors as it likes.
  assert.deepEqual(await typed('a-new-one', ['NewModel']), []);
  assert.deepEqual(await typed('bert', ['JinaBertModel']), []);
});

test('decoders are told apart by the norms and biases of their attention', async (context) => {
  const weights = (...names: string[]) => ({
    'model.safetensors': safetensorsFile({
      tensors: names.map((name) => ({ name: `layers.0.self_attn.${name}`, shape: [2] })),
    }),
  });
  const kept = ['llama', 'mistral', 'qwen2', 'qwen3'] as const;
  const models = {
    llama: ['q_proj.weight'],
    mistral: ['q_proj.weight'],
    qwen2: ['q_proj.weight', 'q_proj.bias'],
    qwen3: ['q_proj.weight', 'q_norm.weight'],
  };
  for (const type of kept) {
    for (const saved of kept) {
      const files = {
        ...weights(...models[saved]),
        ...changed('config.json', { model_type: type, architectures: undefined, num_hidden_layers: 1 }),
      };
      const fits = models[type].join() === models[saved].join();
      assert.equal(told(await inspectTiny(context, { files })).length, fits ? 0 : 1, `${type} over ${saved}`);
    }
  }
});

test('a tokenizer with ids beyond the embedding is an error; special tokens beyond it are a warning', async (context) => {
  const ids = async (files: TinyModelOptions['files']): Promise<string[]> =>
    told(await inspectTiny(context, { files }));
  const message = (id: number) =>
    `has ids up to ${id}, but the tensor ${word} has 64 rows: texts with such tokens fail`;
  const vocab = { first: 0, last: 64 };
  assert.deepEqual(await ids(changed('tokenizer.json', { model: { type: 'WordPiece', vocab } })), [
    `error tokenizer.json: ${message(64)}`,
  ]);
  const unigram = Array.from({ length: 70 }, (_, number) => [`piece${number}`, -1]);
  assert.deepEqual(await ids(changed('tokenizer.json', { model: { type: 'Unigram', vocab: unigram } })), [
    `error tokenizer.json: ${message(69)}`,
  ]);
  assert.deepEqual(
    await ids(changed('tokenizer.json', { added_tokens: [{ id: 80, content: '<image>', special: true }] })),
    [
      `warning tokenizer.json: has a special token with the id 80, but the tensor ${word} has 64 rows: a text that spells it out fails`,
    ],
  );
  assert.deepEqual(
    await ids(changed('tokenizer.json', { added_tokens: [{ id: 80, content: 'word', special: false }] })),
    [`error tokenizer.json: ${message(80)}`],
  );
  const list = Array.from({ length: 66 }, (_, number) => `word${number}`).join('\n');
  assert.deepEqual(await ids({ 'tokenizer.json': undefined, 'vocab.txt': `${list}\n` }), [
    `error vocab.txt: ${message(65)}`,
  ]);
  const map = JSON.stringify({ a: 0, b: 64 });
  assert.deepEqual(await ids({ 'tokenizer.json': undefined, 'vocab.txt': undefined, 'vocab.json': map }), [
    `error vocab.json: ${message(64)}`,
  ]);
});

test('the ids of a tokenizer of many megabytes are known too', async (context) => {
  const vocab = Object.fromEntries(Array.from({ length: 300_000 }, (_, id) => [`a word of the vocabulary ${id}`, id]));
  const { problems } = await inspectTiny(context, { files: changed('tokenizer.json', { model: { vocab } }) });
  assert.match(problems[0]?.message ?? '', /has ids up to 299999/);
});

/**
 * Follows hints of the form "write N" where the finding stands, until nothing is told; each file
 * stays a file of its own.
 */
async function follow(context: TestContext, options: TinyModelOptions): Promise<Inspected> {
  let files = { ...options.files };
  for (let round = 0; round < 4; round++) {
    const inspected = await inspectTiny(context, { ...options, files });
    const hints = inspected.problems.filter(({ hint }) => /, write \d+/.test(hint ?? ''));
    if (hints.length === 0) return inspected;
    for (const { file = '', path = '', hint = '' } of hints) {
      const name = file.slice(inspected.root.length + 1).replace(/ \(model.*/, '');
      const key = path.split('.').at(-1) ?? '';
      const before = files[name] ?? tinyModelFiles(options).get(name) ?? '{}';
      const json = JSON.parse(before.toString()) as object;
      files = { ...files, [name]: JSON.stringify({ ...json, [key]: Number(/write (\d+)/.exec(hint)?.[1]) }) };
    }
  }
  return inspectTiny(context, { ...options, files });
}

test('every hint that names a number mends the model when it is followed', async (context) => {
  const dense = { dense: 12 };
  const wrong = {
    ...changed('config.json', { num_hidden_layers: 5, vocab_size: 99, max_position_embeddings: 512 }, dense),
    ...changed('2_Dense/config.json', { in_features: 32, out_features: 8 }, dense),
    ...changed('1_Pooling/config.json', { word_embedding_dimension: 48 }, dense),
  };
  const before = await inspectTiny(context, { ...dense, files: wrong });
  assert.equal(before.problems.filter(({ level }) => level === 'error').length, 6);
  const after = await follow(context, { ...dense, files: wrong });
  assert.deepEqual(told(after), []);
  assert.equal(after.facts.embedding.dimensions, 12);
});

test('whatever config.json says of layers, rows and width, only what the weights hold passes', async (context) => {
  const near = fc.integer({ min: 1, max: 4 });
  await fc.assert(
    fc.asyncProperty(near, near, near, near, async (layers, hidden, vocabulary, positions) => {
      const real = { layers: 2, hidden: 16, vocabulary: 24, positions: 32 };
      const said = { layers, hidden: hidden * 8, vocabulary: vocabulary * 8, positions: positions * 8 };
      const files = {
        ...changed('config.json', {
          num_hidden_layers: said.layers,
          hidden_size: said.hidden,
          vocab_size: said.vocabulary,
          max_position_embeddings: said.positions,
        }),
      };
      const { problems } = await inspectTiny(context, { ...real, maxTokens: 8, files });
      const fits = JSON.stringify(said) === JSON.stringify(real);
      assert.equal(
        problems.some(({ level }) => level === 'error'),
        !fits,
      );
    }),
    { numRuns: 40, examples: [[2, 2, 3, 4]] },
  );
});
