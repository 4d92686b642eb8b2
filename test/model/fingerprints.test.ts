import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkFields } from '../../src/model/architecture.ts';
import { fingerprintNames, fingerprintsOf } from '../../src/model/fingerprints.ts';
import { safetensorsFile, type TinyModelOptions, tinyModelFiles } from '../fixtures/tiny-model.ts';
import { inspectTiny } from './inspecting.ts';
import { baseModels } from './spaces/base-models.ts';
import { differing, fingerprint, ModelFiles } from './spaces/model-files.ts';

/* What single changes do to the space is tried by test/docs/spaces.test.ts. */

const tiny: TinyModelOptions = { layers: 2, hidden: 16 };

function tinyModel(options: TinyModelOptions = {}): ModelFiles {
  return new ModelFiles(tinyModelFiles({ ...tiny, ...options }));
}

/** Names of the fingerprints that differ after `change`. */
async function differences(model: ModelFiles, change: (model: ModelFiles) => void): Promise<readonly string[]> {
  const before = await fingerprint(model);
  change(model);
  return differing(before, await fingerprint(model));
}

test('all weights in another dtype change weights and layout, and not the architecture', async () => {
  const [full, half] = [await fingerprint(tinyModel()), await fingerprint(tinyModel({ dtype: 'F16' }))];
  assert.deepEqual(differing(full, half), ['weights', 'layout']);
});

test('a computing precision other than the stored one counts', () => {
  assert.deepEqual(networkFields({ torch_dtype: 'float32' }, ['F32', 'I64']), {});
  assert.deepEqual(networkFields({ dtype: 'float32' }, ['F32']), {});
  assert.deepEqual(networkFields({ torch_dtype: 'bfloat16' }, ['F32']), { dtype: 'bfloat16' });
  assert.deepEqual(networkFields({ text_config: { dropout: 1, hidden_size: 8 } }, []), {
    text_config: { hidden_size: 8 },
  });
});

test('code of the model may mean anything by a field: there everything but the origin counts', () => {
  const own = { auto_map: { AutoModel: 'modeling.Model' }, is_decoder: false, dropout: 0.1, rope_theta: 10_000 };
  assert.deepEqual(networkFields({ ...own, transformers_version: '5', torch_dtype: 'float32' }, ['F32']), own);
});

test('null says nothing only where the model has no default of its own', () => {
  const said = (fields: object) => networkFields({ architectures: ['X'], ...fields }, []);
  assert.deepEqual(said({ model_type: 'mistral', sliding_window: null }).sliding_window, null);
  assert.deepEqual(said({ model_type: 'gpt_oss', rope_scaling: null }).rope_scaling, null);
  assert.notDeepEqual(
    said({ model_type: 'blip_text_model', is_decoder: false }),
    said({ model_type: 'blip_text_model' }),
  );
});

test('a language-model head that is tied or not counts where a class with a head was saved', () => {
  const said = (architecture: string, tied: boolean) =>
    networkFields({ architectures: [architecture], model_type: 'qwen3', tie_word_embeddings: tied }, []);
  assert.deepEqual(said('Qwen3Model', true), said('Qwen3Model', false));
  assert.notDeepEqual(said('Qwen3ForCausalLM', true), said('Qwen3ForCausalLM', false));
});

test('one changed character of code changes the architecture', async () => {
  const model = tinyModel();
  model.write('modeling.py', 'a = 1');
  assert.deepEqual(await differences(model, () => model.write('modeling.py', 'a = 2')), ['architecture']);
});

test('the parts of a router count by their folder', async () => {
  const model = baseModels.sentence();
  const parts = ['query_0_StaticEmbedding', 'document_0_StaticEmbedding'];
  for (const [seed, part] of parts.entries()) {
    const tensors = [{ name: 'embedding.weight', shape: [64, 16], seed: seed + 1 }];
    model.write(`${part}/model.safetensors`, safetensorsFile({ tensors }));
    model.write(`${part}/tokenizer.json`, model.text('tokenizer.json'));
  }
  const type = 'sentence_transformers.models.StaticEmbedding';
  model.json('router_config.json', () => ({
    types: Object.fromEntries(parts.map((part) => [part, type])),
    structure: { query: [parts[0]], document: [parts[1]] },
  }));
  model.json('modules.json', () => [{ path: '', type: 'sentence_transformers.models.Router' }]);
  const [query, document] = parts.map((part) => `${part}/model.safetensors`) as [string, string];
  const exchanged = await differences(model, () => {
    const [one, other] = [model.files.get(query), model.files.get(document)];
    model.write(query, other);
    model.write(document, one);
  });
  assert.deepEqual(exchanged, ['weights']);
  assert.deepEqual(await differences(model, () => model.weights(query, ([only]) => [{ ...only!, name: 'x' }])), [
    'weights',
    'layout',
  ]);
  const otherToken = (text: string): string => text.replace('word9', 'wort9');
  const path = `${parts[1]}/tokenizer.json`;
  assert.deepEqual(await differences(model, () => model.write(path, otherToken(model.text(path)))), ['tokenizer']);
});

test('where no file has the name that loaders look for, all that lie in the folder count', async () => {
  const model = tinyModel();
  model.rename('model.safetensors', 'weights.safetensors');
  const more = safetensorsFile({ tensors: [{ name: 'more', shape: [4] }] });
  assert.deepEqual(await differences(model, () => model.write('more.safetensors', more)), ['weights', 'layout']);
});

test('a tensor that two files of one module hold is an error', async () => {
  const model = tinyModel();
  model.rename('model.safetensors', 'a.safetensors');
  model.write('b.safetensors', safetensorsFile({ tensors: [{ name: 'pooler.dense.bias', shape: [16] }] }));
  const { errors } = await fingerprint(model);
  assert.deepEqual(errors, ['holds the tensor "pooler.dense.bias", which a.safetensors holds too']);
});

test('parts that a model does not have are null', async () => {
  const model = tinyModel();
  const configs = ['config.json', 'modules.json', 'sentence_bert_config.json', 'config_sentence_transformers.json'];
  const tokenizer = ['vocab.txt', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
  for (const path of [...configs, ...tokenizer]) model.write(path, undefined);
  const { fingerprints } = await fingerprint(model);
  assert.deepEqual(
    fingerprintNames.filter((name) => fingerprints[name] === null),
    ['tokenizer', 'pooling', 'architecture'],
  );
});

test('a file that was inspected but not packed makes no fingerprint', async (context) => {
  const { facts } = await inspectTiny(context, tiny);
  assert.throws(() => fingerprintsOf(facts, { files: [], tensors: new Map() }), /was inspected but not packed/);
});
