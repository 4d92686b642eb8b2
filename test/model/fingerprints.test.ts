import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { packArchive } from '../../src/archive/pack.ts';
import type { ModelConfig } from '../../src/contract/release-config.ts';
import { networkFields } from '../../src/model/architecture.ts';
import { fingerprintNames, fingerprintsOf, type ModelFingerprints } from '../../src/model/fingerprints.ts';
import { inspectModel } from '../../src/model/inspect-model.ts';
import { listSourceFiles } from '../../src/model/source-files.ts';
import { type TinyModelOptions, tinyModelFiles, writeTinyModel } from '../fixtures/tiny-model.ts';
import { temporaryDirectory } from './inspecting.ts';

const base: TinyModelOptions = { layers: 2, hidden: 16 };

async function fingerprint(context: TestContext, options: TinyModelOptions) {
  const directory = await temporaryDirectory(context);
  const root = join(directory, 'tiny');
  await writeTinyModel(root, options);
  const config: ModelConfig = {
    version: '1.0.0',
    license: 'Apache-2.0',
    source: { directory: root },
    allow_code: true,
  };
  const { files } = await listSourceFiles({ model: 'tiny', root, allowCode: true });
  const { facts } = await inspectModel({ model: 'tiny', config, files });
  const output = join(directory, 'tiny.tar');
  const packed = await packArchive({ model: 'tiny', files, format: 'tar', output, mtimeSeconds: 0 });
  // Facts are kept as JSON between inspecting and packing.
  return fingerprintsOf(JSON.parse(JSON.stringify(facts)), packed);
}

/** Names of the fingerprints that differ from those of the base model; `space` where that does. */
async function differences(context: TestContext, options: TinyModelOptions): Promise<string[]> {
  const before = await fingerprint(context, base);
  const after = await fingerprint(context, { ...base, ...options });
  const names = fingerprintNames.filter((name) => before.fingerprints[name] !== after.fingerprints[name]);
  return before.space === after.space ? names : [...names, 'space'];
}

function json(path: string, members: Readonly<Record<string, unknown>>): Record<string, string> {
  const whole = JSON.parse(tinyModelFiles(base).get(path)?.toString() ?? '{}') as object;
  return { [path]: JSON.stringify({ ...whole, ...members }) };
}

test('metadata, README, licence, white space and the order of keys keep the embedding space', async (context) => {
  const config = tinyModelFiles(base).get('config.json')?.toString() ?? '';
  const reversed = JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(config) as object).reverse()));
  const files = { 'README.md': '# New', LICENSE: 'New', 'config.json': reversed };
  assert.deepEqual(await differences(context, { metadata: { format: 'pt', note: 'x'.repeat(40) }, files }), []);
});

test('one retrained layer changes the weights alone, and the space', async (context) => {
  assert.deepEqual(await differences(context, { retrained: { 1: 7 } }), ['weights', 'space']);
});

test('added tensors and another dtype change weights and layout', async (context) => {
  const extraTensors = [{ name: 'extra.weight', shape: [4, 4] }];
  assert.deepEqual(await differences(context, { extraTensors }), ['weights', 'layout', 'space']);
  assert.deepEqual(await differences(context, { dtype: 'F16' }), ['weights', 'layout', 'space']);
});

test('one token of the vocabulary changes the tokenizer', async (context) => {
  const of = (path: string): string => tinyModelFiles(base).get(path)?.toString().replaceAll('word9', 'wort9') ?? '';
  const expected = ['tokenizer', 'space'];
  assert.deepEqual(await differences(context, { files: { 'tokenizer.json': of('tokenizer.json') } }), expected);
  // Beside a tokenizer.json nobody reads it.
  assert.deepEqual(await differences(context, { files: { 'vocab.txt': of('vocab.txt') } }), []);
});

test('pooling mode, Normalize and prompts change the pooling, the token limit the tokenizer', async (context) => {
  const expected = ['pooling', 'space'];
  assert.deepEqual(await differences(context, { pooling: 'cls' }), expected);
  assert.deepEqual(await differences(context, { normalize: false }), expected);
  const prompts = json('config_sentence_transformers.json', { prompts: { query: 'query: ' } });
  assert.deepEqual(await differences(context, { files: prompts }), expected);
  const limit = json('sentence_bert_config.json', { max_seq_length: 8 });
  assert.deepEqual(await differences(context, { files: limit }), ['tokenizer', 'space']);
});

test('a model that a newer sentence-transformers saved again keeps the space', async (context) => {
  const library = { __version__: { sentence_transformers: '6.0.0' }, prompts: { query: '', document: '' } };
  const files = {
    ...json('config_sentence_transformers.json', { ...library, model_type: 'SentenceTransformer' }),
    '1_Pooling/config.json': '{"embedding_dimension": 16, "pooling_mode": "mean", "include_prompt": true}',
    '2_Normalize/config.json':
      '{"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}',
    'modules.json': JSON.stringify([
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.base.modules.transformer.Transformer' },
      {
        idx: 1,
        name: '1',
        path: '1_Pooling',
        type: 'sentence_transformers.sentence_transformer.modules.pooling.Pooling',
      },
      { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.base.modules.normalize.Normalize' },
    ]),
    ...json('config.json', {
      transformers_version: '5.0.0',
      torch_dtype: undefined,
      dtype: 'float32',
      bos_token_id: null,
    }),
  };
  assert.deepEqual(await differences(context, { files }), []);
});

test('a field of config.json that nobody knows counts, dropout and other training settings do not', async (context) => {
  const unknown = json('config.json', { rope_twist: 3 });
  assert.deepEqual(await differences(context, { files: unknown }), ['architecture', 'space']);
  const neutral = json('config.json', { hidden_dropout_prob: 0, _name_or_path: '/home/me/x', id2label: { 0: 'a' } });
  assert.deepEqual(await differences(context, { files: neutral }), []);
});

test('a computing precision other than the stored one counts', () => {
  assert.deepEqual(networkFields({ torch_dtype: 'float32' }, ['F32', 'I64']), {});
  assert.deepEqual(networkFields({ dtype: 'float32' }, ['F32']), {});
  assert.deepEqual(networkFields({ torch_dtype: 'bfloat16' }, ['F32']), { dtype: 'bfloat16' });
  assert.deepEqual(networkFields({ text_config: { dropout: 1, hidden_size: 8 } }, []), {
    text_config: { hidden_size: 8 },
  });
});

test('one changed character of code changes the architecture', async (context) => {
  const code = async (text: string): Promise<ModelFingerprints> =>
    (await fingerprint(context, { ...base, files: { 'modeling.py': text } })).fingerprints;
  assert.notEqual((await code('a = 1')).architecture, (await code('a = 2')).architecture);
});

test('parts that a model does not have are null', async (context) => {
  const gone = ['config.json', 'modules.json', 'sentence_bert_config.json', 'config_sentence_transformers.json'];
  const tokenizer = ['vocab.txt', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
  const files = Object.fromEntries([...gone, ...tokenizer].map((path) => [path, undefined]));
  const { fingerprints } = await fingerprint(context, { ...base, files });
  assert.deepEqual(
    fingerprintNames.filter((name) => fingerprints[name] === null),
    ['tokenizer', 'pooling', 'architecture'],
  );
});

test('a file that was inspected but not packed makes no fingerprint', async (context) => {
  const root = join(await temporaryDirectory(context), 'tiny');
  await writeTinyModel(root, base);
  const config: ModelConfig = { version: '1.0.0', license: 'Apache-2.0', source: { directory: root } };
  const { files } = await listSourceFiles({ model: 'tiny', root });
  const { facts } = await inspectModel({ model: 'tiny', config, files });
  assert.throws(() => fingerprintsOf(facts, { files: [], tensors: new Map() }), /was inspected but not packed/);
});
