import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { safetensorsFile, type TinyModelOptions, tinyModelFiles, writeTinyModel } from '../fixtures/tiny-model.ts';
import { inspectDirectory, inspectTiny, temporaryDirectory, told, writeFiles } from './inspecting.ts';

/** A file of the tiny model with other members; undefined takes one away. */
function changed(path: string, members: Readonly<Record<string, unknown>>, options: TinyModelOptions = {}) {
  const json = JSON.parse(tinyModelFiles(options).get(path)?.toString() ?? '{}') as object;
  return { [path]: JSON.stringify({ ...json, ...members }) };
}

const sized = { hidden: 32, positions: 64 };

test('dimensions, token limit, pooling, normalisation and similarity come from the files', async (context) => {
  const { facts } = await inspectTiny(context, sized);
  const expected = {
    kind: 'dense',
    dimensions: 32,
    max_tokens: 64,
    pooling: 'mean',
    normalized: true,
    similarity: 'cosine',
    prompts: {},
    default_prompt_name: null,
  };
  assert.deepEqual(facts.embedding, expected);
});

test('a dense layer decides the dimensions, and no Normalize module means not normalised', async (context) => {
  const { facts, ...inspected } = await inspectTiny(context, { ...sized, dense: 12, normalize: false, pooling: 'cls' });
  assert.deepEqual(told(inspected), []);
  assert.equal(facts.embedding.dimensions, 12);
  assert.equal(facts.embedding.normalized, false);
  assert.equal(facts.embedding.pooling, 'cls');
});

test('a Normalize that something else follows does not make the vectors normalised', async (context) => {
  const { facts } = await inspectTiny(context, {
    dense: 12,
    files: {
      'modules.json': JSON.stringify(
        ['Transformer', 'Pooling', 'Normalize', 'Dense'].map((kind, idx) => ({
          idx,
          path: ['', '1_Pooling', '', '2_Dense'][idx],
          type: `sentence_transformers.models.${kind}`,
        })),
      ),
    },
  });
  assert.equal(facts.embedding.normalized, false);
});

test('the pooling config of sentence-transformers 6 says the same as the older one', async (context) => {
  const old = await inspectTiny(context, sized);
  const files = { '1_Pooling/config.json': '{"embedding_dimension": 32, "pooling_mode": "mean"}' };
  const renewed = await inspectTiny(context, { ...sized, files });
  assert.deepEqual(told(renewed), []);
  assert.deepEqual(renewed.facts.embedding, old.facts.embedding);
  assert.equal(renewed.facts.pooling, old.facts.pooling);
});

test('several pooling modes are told, and multiply the dimensions; no mode at all is told', async (context) => {
  const path = '1_Pooling/config.json';
  const several = await inspectTiny(context, { ...sized, files: changed(path, { pooling_mode_cls_token: true }) });
  assert.match(told(several)[0] ?? '', /^warning 1_Pooling\/config\.json: chooses several pooling modes \(cls, mean\)/);
  assert.equal(several.facts.embedding.dimensions, 64);
  assert.equal(several.facts.embedding.pooling, 'cls+mean');
  const none = await inspectTiny(context, { ...sized, files: changed(path, { pooling_mode_mean_tokens: false }) });
  assert.match(told(none)[0] ?? '', /^warning 1_Pooling\/config\.json: chooses no pooling mode/);
  assert.match(none.problems[0]?.hint ?? '', /such as "pooling_mode_mean_tokens": true/);
  const followed = changed(path, { pooling_mode_mean_tokens: true });
  assert.deepEqual(told(await inspectTiny(context, { ...sized, files: followed })), []);
});

test('a token limit that differs between files is told once, with every file, value and a remedy that works', async (context) => {
  const trap = {
    ...changed('tokenizer.json', { truncation: { max_length: 16 } }),
    ...changed('sentence_bert_config.json', { max_seq_length: 32 }),
  };
  const inspected = await inspectTiny(context, { ...sized, files: trap });
  assert.deepEqual(told(inspected), [
    'warning tokenizer.json $.truncation.max_length: loaders cut long texts at different places: 16 in tokenizer.json $.truncation.max_length, 32 in sentence_bert_config.json $.max_seq_length, 64 in tokenizer_config.json $.model_max_length, 64 in config.json $.max_position_embeddings',
  ]);
  assert.equal(inspected.facts.embedding.max_tokens, 32);
  assert.equal(
    inspected.problems[0]?.hint,
    'sentence-transformers takes 32; where the model was trained so, write 32 in tokenizer.json $.truncation.max_length and tokenizer_config.json $.model_max_length. Leave $.max_position_embeddings as it is: it is the size of a tensor.',
  );
  const followed = {
    ...trap,
    ...changed('tokenizer.json', { truncation: { max_length: 32 } }),
    ...changed('tokenizer_config.json', { model_max_length: 32 }),
  };
  assert.deepEqual(told(await inspectTiny(context, { ...sized, files: followed })), []);
});

test('limits that differ far beyond common texts are no trap: Qwen3, gte-Qwen2, e5-mistral', async (context) => {
  const limits: readonly (readonly [number | undefined, number, number, number])[] = [
    // max_seq_length, model_max_length, positions; what counts.
    [undefined, 131_072, 32_768, 32_768],
    [8192, 32_768, 131_072, 8192],
    [4096, 1e30, 32_768, 4096],
    [512, 512, 512, 512],
  ];
  for (const [sentence, tokenizer, positions, expected] of limits) {
    const files = {
      ...changed('sentence_bert_config.json', { max_seq_length: sentence }),
      ...changed('tokenizer_config.json', { model_max_length: tokenizer }),
      ...changed('tokenizer.json', { truncation: null }),
    };
    const { facts, ...inspected } = await inspectTiny(context, { hidden: 4, layers: 1, positions, files });
    assert.deepEqual(told(inspected), []);
    assert.equal(facts.embedding.max_tokens, expected);
  }
});

test('lengths that are written as texts are told, since nothing is derived from them', async (context) => {
  const files = {
    ...changed('config.json', { hidden_size: '32' }),
    ...changed('sentence_bert_config.json', { max_seq_length: '64' }),
    ...changed('tokenizer_config.json', { model_max_length: null }),
  };
  assert.deepEqual(told(await inspectTiny(context, { files })), [
    'warning config.json $.hidden_size: is "32", not a number: loaders fail at it, or take another',
    'warning sentence_bert_config.json $.max_seq_length: is "64", not a number: loaders fail at it, or take another',
  ]);
});

test('positions to spare are no disagreement where the tokenizer knows the limit, but too few are', async (context) => {
  const spare = await inspectTiny(context, { ...sized, positions: 512, maxTokens: 64 });
  assert.deepEqual(told(spare), []);
  const few = await inspectTiny(context, { ...sized, positions: 16, maxTokens: 64 });
  assert.match(told(few)[0] ?? '', /loaders cut long texts at different places: .* 16 in config\.json/);
  assert.match(few.problems[0]?.hint ?? '', /write 16 in .* sentence_bert_config\.json \$\.max_seq_length/);
  assert.equal(few.facts.embedding.max_tokens, 16);
  assert.deepEqual(told(await inspectTiny(context, { ...sized, positions: 16, maxTokens: 16 })), []);
});

test("without the library's config the tokenizer's limit counts as far as there are positions, then the positions", async (context) => {
  const maxTokens = async (files: TinyModelOptions['files']): Promise<number | null> =>
    (await inspectTiny(context, { ...sized, files: { 'sentence_bert_config.json': undefined, ...files } })).facts
      .embedding.max_tokens;
  assert.equal(await maxTokens(changed('tokenizer_config.json', { model_max_length: 48 })), 48);
  assert.equal(await maxTokens(changed('tokenizer_config.json', { model_max_length: 4096 })), 64);
  // What transformers writes where a tokenizer has no limit.
  assert.equal(
    await maxTokens({ 'tokenizer_config.json': '{"model_max_length": 1000000000000000019884624838656}' }),
    64,
  );
});

test('positions of RoBERTa begin behind the padding, those of T5 bound nothing', async (context) => {
  const bert = { positions: 514, maxTokens: 512 };
  const files = changed(
    'config.json',
    { architectures: ['RobertaModel'], model_type: 'roberta', pad_token_id: 1 },
    bert,
  );
  const roberta = await inspectTiny(context, { ...bert, files });
  assert.deepEqual(told(roberta), []);
  assert.equal(roberta.facts.embedding.max_tokens, 512);
  const config = { architectures: ['T5EncoderModel'], model_type: 't5', d_model: 32, num_layers: 1, n_positions: 8 };
  const query = 'encoder.block.0.layer.0.SelfAttention.q.weight';
  const tensors = [
    { name: 'shared.weight', shape: [64, 32] },
    { name: query, shape: [32, 32] },
  ];
  const t5 = await inspectTiny(context, {
    ...sized,
    files: { 'config.json': JSON.stringify(config), 'model.safetensors': safetensorsFile({ tensors }) },
  });
  assert.deepEqual(told(t5), []);
  assert.equal(t5.facts.embedding.max_tokens, 64);
});

test('dimensions that config, pooling, dense layer and tensors contradict are errors', async (context) => {
  const pooling = await inspectTiny(context, {
    ...sized,
    files: changed('1_Pooling/config.json', { word_embedding_dimension: 48 }),
  });
  assert.deepEqual(told(pooling), [
    'error 1_Pooling/config.json $.word_embedding_dimension: is 48, but config.json $.hidden_size is 32',
  ]);
  const dense = { ...sized, dense: 12 };
  const wrong = changed('2_Dense/config.json', { in_features: 16, out_features: 8 }, dense);
  assert.deepEqual(told(await inspectTiny(context, { ...dense, files: wrong })), [
    'error 2_Dense/config.json $.in_features: is 16, but the width behind 1_Pooling/config.json is 32',
    'error 2_Dense/config.json $.out_features: is 8, but the tensor linear.weight has the shape [12, 32]',
    'error 2_Dense/config.json $.in_features: is 16, but the tensor linear.weight has the shape [12, 32]',
  ]);
  const config = changed('config.json', { hidden_size: 48, vocab_size: 100 });
  assert.deepEqual(told(await inspectTiny(context, { ...sized, files: config })), [
    'error config.json $.hidden_size: is 48, but the tensor embeddings.word_embeddings.weight has the shape [64, 32]',
    'error config.json $.vocab_size: is 100, but the tensor embeddings.word_embeddings.weight has the shape [64, 32]',
    'error 1_Pooling/config.json $.word_embedding_dimension: is 32, but config.json $.hidden_size is 48',
  ]);
});

test('word embeddings narrower than the network, as in ALBERT, are no contradiction', async (context) => {
  const attention = 'encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight';
  const tensors = [
    { name: 'embeddings.word_embeddings.weight', shape: [64, 8] },
    { name: attention, shape: [32, 32] },
  ];
  const files = {
    ...changed('config.json', { architectures: ['AlbertModel'], model_type: 'albert', embedding_size: 8 }),
    'model.safetensors': safetensorsFile({ tensors }),
  };
  assert.deepEqual(told(await inspectTiny(context, { ...sized, files })), []);
});

test('parts that modules.json names and that are missing are errors; a Normalize needs none', async (context) => {
  const pooling = await inspectTiny(context, { files: { '1_Pooling/config.json': undefined } });
  assert.deepEqual(told(pooling), [
    'error modules.json $[1]: names Pooling in "1_Pooling", but that folder has no file',
  ]);
  const pickle = await inspectTiny(context, {
    dense: 8,
    files: { '2_Dense/model.safetensors': undefined, '2_Dense/pytorch_model.bin': 'p', 'config.json': undefined },
  });
  assert.deepEqual(told(pickle), [
    'error 2_Dense/pytorch_model.bin: is a pickle, which runs code when it is loaded, and no released file holds the same; lost without it: the weights of 2_Dense',
    'error modules.json $[0]: names Transformer in "", but config.json is missing',
    'error modules.json $[2]: names Dense in "2_Dense", but that folder has no safetensors',
  ]);
});

test('a transformer in a folder of its own is read there', async (context) => {
  const files: Record<string, string | Buffer | undefined> = {};
  for (const [path, bytes] of tinyModelFiles(sized)) {
    if (/modules|1_Pooling|README|LICENSE|config_sentence/.test(path)) continue;
    files[`0_Transformer/${path}`] = bytes;
    files[path] = undefined;
  }
  const module = (kind: string, path: string) => ({ path, type: `sentence_transformers.models.${kind}` });
  files['modules.json'] = JSON.stringify([module('Transformer', '0_Transformer'), module('Pooling', './1_Pooling/')]);
  const { facts, ...inspected } = await inspectTiny(context, { ...sized, files });
  assert.deepEqual(told(inspected), []);
  assert.equal(facts.embedding.dimensions, 32);
  assert.equal(facts.embedding.max_tokens, 64);
  const architectureOf = ({ weights }: typeof facts) => weights[0]?.architecture;
  assert.equal(architectureOf(facts), architectureOf((await inspectTiny(context, sized)).facts));
});

test('without modules.json pooling and normalisation are unknown, and that is told', async (context) => {
  const inspected = await inspectTiny(context, { files: { 'modules.json': undefined } });
  assert.match(told(inspected)[0] ?? '', /^warning \.: has no modules\.json, which 1_Pooling belongs to/);
  const { pooling, normalized, dimensions } = inspected.facts.embedding;
  assert.deepEqual([pooling, normalized, dimensions], [null, null, 32]);
});

test('prompts are facts, and a default prompt that is not among them is an error', async (context) => {
  const library = 'config_sentence_transformers.json';
  const prompts = { query: 'query: ', document: 'passage: ' };
  const good = await inspectTiny(context, { files: changed(library, { prompts, default_prompt_name: 'query' }) });
  assert.deepEqual(told(good), []);
  assert.deepEqual(good.facts.embedding.prompts, prompts);
  const bad = await inspectTiny(context, { files: changed(library, { prompts, default_prompt_name: 'search' }) });
  assert.deepEqual(told(bad), [
    `error ${library} $.default_prompt_name: names the prompt "search", which "prompts" doesn't have`,
  ]);
});

test('similarity is what the config says, cosine by default, and unknown outside the library', async (context) => {
  const library = 'config_sentence_transformers.json';
  const similarity = async (files: TinyModelOptions['files']): Promise<string | null> =>
    (await inspectTiny(context, { files })).facts.embedding.similarity;
  assert.equal(await similarity(changed(library, { similarity_fn_name: 'dot' })), 'dot');
  assert.equal(await similarity(changed(library, { similarity_fn_name: null })), 'cosine');
  assert.equal(await similarity({ [library]: undefined, 'modules.json': undefined }), null);
});

const realModel = process.env.AIRCHER_TEST_MODEL;

test('the real all-MiniLM-L6-v2 has 384 dimensions, 256 tokens, mean pooling, normalised, and a warning', {
  skip: realModel === undefined,
}, async () => {
  const root = realModel ?? '';
  await access(join(root, 'model.safetensors'));
  const { facts, ...inspected } = await inspectDirectory(root);
  assert.deepEqual(facts.embedding, {
    kind: 'dense',
    dimensions: 384,
    max_tokens: 256,
    pooling: 'mean',
    normalized: true,
    similarity: 'cosine',
    prompts: {},
    default_prompt_name: null,
  });
  assert.deepEqual(
    inspected.problems.map(({ level, path }) => [level, path]),
    [
      ['warning', '$.truncation.max_length'],
      ['warning', undefined],
    ],
  );
});

test('any JSON in the configs makes findings or facts, never an exception', async (context) => {
  const root = join(await temporaryDirectory(context), 'tiny');
  await writeTinyModel(root, { dense: 8 });
  const documents = [...tinyModelFiles({ dense: 8 })].filter(([path]) => path.endsWith('.json'));
  const choice = fc.constantFrom(...documents.map(([path, bytes]) => [path, JSON.parse(bytes.toString())] as const));
  await fc.assert(
    fc.asyncProperty(choice, fc.jsonValue(), fc.nat(), async ([path, whole], value, at) => {
      const keys = Object.keys(whole as object);
      const key = keys[at % keys.length] ?? '';
      await writeFiles(root, { [path]: JSON.stringify({ ...(whole as object), [key]: value }) });
      await inspectDirectory(root);
      await writeFiles(root, { [path]: JSON.stringify(value) });
      await inspectDirectory(root);
    }),
    { numRuns: 40 },
  );
});

test('what was staged from the Hub is named by the place where it lies', async (context) => {
  const root = join(await temporaryDirectory(context), 'staged');
  await writeTinyModel(root, { files: { 'config.json': '{' } });
  const source = { huggingface: 'owner/name', revision: '0'.repeat(40) };
  const { problems } = await inspectDirectory(root, { source });
  assert.equal(problems[0]?.file, `${join(root, 'config.json')} (model tiny)`);
});

test('broken values in every config make findings or unknown facts, never an exception', async (context: TestContext) => {
  const odd = [
    'null',
    '[]',
    '"text"',
    '3',
    '{"a": []}',
    '[null]',
    '{"prompts": 3, "truncation": 4, "hidden_size": "x"}',
  ];
  const paths = ['config.json', 'modules.json', '1_Pooling/config.json', 'tokenizer.json', 'tokenizer_config.json'];
  paths.push('sentence_bert_config.json', 'config_sentence_transformers.json', '2_Dense/config.json');
  for (const content of odd) {
    const files = Object.fromEntries(paths.map((path) => [path, content]));
    await inspectTiny(context, { dense: 8, files });
  }
});
