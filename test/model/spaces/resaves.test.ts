import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BaseModel, baseModels } from './base-models.ts';
import { differing, fingerprint, type ModelFiles } from './model-files.ts';
import { type TriedChange, triedChanges } from './tried-changes.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 30);

/** Ways to save a model again, each with a number that decides the details. */
const resaves: Readonly<Record<string, (model: ModelFiles, seed: number) => void>> = {
  'order of keys': (model, seed) => eachJson(model, (value) => JSON.stringify(shuffledKeys(value, seed))),
  'white space': (model, seed) => eachJson(model, (value) => JSON.stringify(value, null, seed % 9)),
  'order of tensors': (model, seed) =>
    eachWeights(model, (path) => model.weights(path, (tensors) => shuffled(tensors, seed))),
  shards: (model, seed) => {
    if (model.files.has('model.safetensors')) model.shard(1 + (seed % 9));
  },
  'escapes in JSON': (model) =>
    eachJson(model, (value) => JSON.stringify(value).replace(/[^\p{ASCII}]/gu, (c) => [...encodeUtf16(c)].join(''))),
  'names of pooling and dtype': (model) => {
    model.json('1_Pooling/config.json', ({ word_embedding_dimension: old, embedding_dimension = old, ...config }) => ({
      embedding_dimension,
      pooling_mode: config.pooling_mode ?? (config.pooling_mode_cls_token ? 'cls' : ['mean']),
    }));
    if (!model.files.has('config.json')) return;
    model.json('config.json', ({ torch_dtype: old, dtype = old, ...rest }) => ({ ...rest, dtype }));
  },
  'either form of merges': (model, seed) =>
    model.json('tokenizer.json', ({ model: pairs }) => {
      if (pairs.merges === undefined) return;
      const parts = pairs.merges.map((merge: string | string[]) =>
        typeof merge === 'string' ? merge.split(' ') : merge,
      );
      pairs.merges = seed % 2 === 0 ? parts : parts.map((pair: string[]) => pair.join(' '));
    }),
  'defaults written out': (model) => {
    model.json('tokenizer.json', (tokenizer) => {
      tokenizer.truncation.direction = 'Right';
      tokenizer.post_processor ??= null;
    });
    model.json('tokenizer_config.json', (config) => {
      Object.assign(config, { split_special_tokens: false, truncation_side: 'right', padding_side: 'right' });
    });
    for (const path of ['config.json', 'adapter_config.json']) {
      if (!model.files.has(path)) continue;
      const values =
        path === 'config.json' ? { is_decoder: false, pruned_heads: {} } : { use_dora: false, alpha_pattern: {} };
      model.json(path, (config) => ({ ...values, ...config }));
    }
  },
};

function eachJson(model: ModelFiles, write: (value: unknown) => string): void {
  for (const path of [...model.files.keys()]) {
    if (path.endsWith('.json')) model.write(path, write(JSON.parse(model.text(path))));
  }
}

function eachWeights(model: ModelFiles, change: (path: string) => void): void {
  for (const path of [...model.files.keys()]) if (path.endsWith('.safetensors')) change(path);
}

/** An order that the seed decides: by a multiplicative hash of the place. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const rank = (place: number): number => Math.imul(place + 1, (seed | 1) * 2654435761) >>> 0;
  return items
    .map((item, place) => ({ item, rank: rank(place) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

function shuffledKeys(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffledKeys(item, seed));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    shuffled(Object.entries(value), seed).map(([key, member]): [string, unknown] => [
      key,
      shuffledKeys(member, seed + 1),
    ]),
  );
}

function* encodeUtf16(character: string): Generator<string> {
  for (let at = 0; at < character.length; at++) yield `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
}

const someResaves = fc.array(fc.tuple(fc.constantFrom(...Object.keys(resaves)), fc.nat()), {
  minLength: 1,
  maxLength: 5,
});

function saveAgain(model: ModelFiles, chosen: readonly (readonly [string, number])[]): void {
  for (const [name, seed] of chosen) resaves[name]!(model, seed);
}

/** Changes that make another model, of the table in docs/spaces.md. */
const meaningful = Object.entries(triedChanges).slice(Object.keys(triedChanges).indexOf('one bit of one weight'));

const spaces = new Map<BaseModel, Awaited<ReturnType<typeof fingerprint>>>();
for (const name of Object.keys(baseModels) as BaseModel[]) spaces.set(name, await fingerprint(baseModels[name]()));

test('any way of saving a model again keeps the space', async () => {
  const someModel = fc.constantFrom(...(Object.keys(baseModels) as BaseModel[]));
  await fc.assert(
    fc.asyncProperty(someModel, someResaves, async (name, chosen) => {
      const model = baseModels[name]();
      saveAgain(model, chosen);
      const after = await fingerprint(model);
      assert.deepEqual(differing(spaces.get(name)!, after), []);
      assert.equal(after.space, spaces.get(name)?.space);
    }),
    { numRuns },
  );
});

test('any change of the model changes the space, also in a model that was saved again', async () => {
  const someChange = fc.constantFrom<[string, TriedChange]>(...meaningful);
  await fc.assert(
    fc.asyncProperty(someChange, someResaves, async ([, { of = 'sentence', make }], chosen) => {
      const model = baseModels[of]();
      make(model);
      saveAgain(model, chosen);
      assert.notEqual((await fingerprint(model)).space, spaces.get(of)?.space);
    }),
    { numRuns },
  );
});

test('any bit of any weight counts, and any token', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat({ max: 7 }), fc.nat(), async (place, bit, token) => {
      const model = baseModels.sentence();
      model.weights('model.safetensors', (tensors) => {
        const { data } = tensors[place % tensors.length]!;
        data[place % data.length]! ^= 1 << bit;
        return tensors;
      });
      model.json('tokenizer.json', ({ model: { vocab } }) => {
        const name = Object.keys(vocab)[token % Object.keys(vocab).length]!;
        vocab[`${name}'`] = vocab[name];
        delete vocab[name];
      });
      assert.deepEqual(differing(spaces.get('sentence')!, await fingerprint(model)), ['weights', 'tokenizer']);
    }),
    { numRuns },
  );
});
