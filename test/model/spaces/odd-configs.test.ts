import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseModels } from './base-models.ts';
import { differing, fingerprint } from './model-files.ts';

const configs = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'modules.json', '1_Pooling/config.json'];

test('configs of any form make a fingerprint, or an error, and never a crash', async () => {
  const odd = [null, 1, '', [], {}, { type: null }, [[1]], { model: [], added_tokens: {}, truncation: 1, vocab: null }];
  for (const path of [
    ...configs,
    'special_tokens_map.json',
    'added_tokens.json',
    'adapter_config.json',
    'chat_template.json',
  ]) {
    for (const value of odd) {
      const model = baseModels.messages();
      model.write(path, JSON.stringify(value));
      await fingerprint(model);
    }
  }
  const oddFields = [
    ...[{ rope_scaling: [1] }, { rope_parameters: { full_attention: { a: 1 } } }, { num_hidden_layers: 9e15 }],
    ...[{ model_type: '__proto__' }, { text_config: { model_type: 'toString' } }, { architectures: [null] }],
    ...[
      { hidden_size: 'x', head_dim: 4 },
      { num_attention_heads: 0, head_dim: 4 },
    ],
  ];
  for (const fields of oddFields) {
    for (const type of ['bert', 'gemma3_text', 'llama', 'qwen2', 'modernbert', 't5']) {
      const model = baseModels.sentence();
      model.json('config.json', (config) => ({ ...config, model_type: type, ...fields }));
      await fingerprint(model);
    }
  }
});

test('a token named __proto__ counts like any other', async () => {
  const of = (vocab: string) => {
    const model = baseModels.sentence();
    model.write('tokenizer.json', `{"model": {"type": "WordLevel", "unk_token": "a", "vocab": {${vocab}}}}`);
    return fingerprint(model);
  };
  const [one, two] = [await of('"a": 0, "__proto__": 1'), await of('"a": 0, "__proto__": 2')];
  assert.deepEqual(differing(one, two), ['tokenizer']);
});

test("what of a module's files is too large to be kept counts all the same", async () => {
  const of = (last: string) => {
    const model = baseModels.sentence();
    const words = Array.from({ length: 400_000 }, (_, number) => `word${number}`);
    model.json('2_Dense/words.json', () => [...words, last]);
    return fingerprint(model);
  };
  assert.deepEqual(differing(await of('a'), await of('b')), ['pooling']);
});
