import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { canonicalJson } from '../../../src/contract/canonical-json.ts';
import type { JsonObject } from '../../../src/contract/json-values.ts';
import { networkFields } from '../../../src/model/architecture.ts';
import { baseModels } from './base-models.ts';
import { fingerprint } from './model-files.ts';

/** Files that other versions of transformers saved again, by version; see the README there. */
const golden = new URL('../../golden/resaved/', import.meta.url);

async function read<T>(folder: string): Promise<Map<string, Record<string, T>>> {
  const names = await readdir(new URL(folder, golden));
  const entries = names.map(
    async (name): Promise<[string, Record<string, T>]> => [
      name.replace('.json', ''),
      JSON.parse(await readFile(new URL(`${folder}/${name}`, golden), 'utf8')),
    ],
  );
  return new Map(await Promise.all(entries));
}

const configs = await read<JsonObject>('configs');
const tokenizers = await read<Record<string, unknown>>('tokenizers');

/** Where saving again makes another model: what differs, and why. */
const otherModels: Readonly<Record<string, string>> = {
  // Halved on loading: `sliding_window // 2 + 1`.
  'embeddinggemma, saved by 4.57.1': 'sliding_window',
};

for (const [name, versions] of configs) {
  test(`${name}: config.json says the same in the words of ${Object.keys(versions).length} versions`, () => {
    const [[, first = {}] = []] = Object.entries(versions);
    const expected = networkFields(first, ['F32']);
    for (const [version, config] of Object.entries(versions)) {
      const { [otherModels[`${name}, ${version}`] ?? '']: other, ...fields } = networkFields(config, ['F32']);
      if (other !== undefined) assert.notEqual(canonicalJson(other), canonicalJson(expected.sliding_window));
      else assert.deepEqual(fields, expected, version);
    }
  });

  test(`${name}: one changed number counts, in the words of each version`, () => {
    for (const [version, config] of Object.entries(versions)) {
      const before = canonicalJson(networkFields(config, ['F32']));
      for (const [path, changed] of changedNumbers(config)) {
        if (ignored.test(path)) continue;
        assert.notEqual(canonicalJson(networkFields(changed, ['F32'])), before, `${version}: ${path}`);
      }
    }
  });
}

/** Numbers that don't count, in these configs. */
const ignored =
  /dropout|initializer|pdrop|num_labels|task_specific|sparse_pred|pretraining|transformers_version|max_window_layers|\.sliding_window$|top_|temperature|penalty|_ngram|num_beam|num_return|max_length|min_length|chunk_size|id2label|label2id/;

/** The config with one of its numbers changed, for each of them, with its path. */
function* changedNumbers(value: JsonObject, path = ''): Generator<[string, JsonObject]> {
  for (const [key, member] of Object.entries(value)) {
    const at = `${path}.${key}`;
    if (typeof member === 'number') yield [at, { ...value, [key]: member + 1 }];
    else if (typeof member === 'object' && member !== null && !Array.isArray(member)) {
      for (const [inner, changed] of changedNumbers(member as JsonObject, at))
        yield [inner, { ...value, [key]: changed }];
    }
  }
}

for (const [name, versions] of tokenizers) {
  test(`${name}: the tokenizer stays the same when other versions save it again`, async () => {
    const digests = new Map<string, string | null>();
    for (const [version, files] of Object.entries(versions)) {
      const model = baseModels.sentence();
      for (const path of ['vocab.txt', 'special_tokens_map.json']) model.write(path, undefined);
      for (const [path, content] of Object.entries(files)) {
        model.write(path, typeof content === 'string' ? content : JSON.stringify(content));
      }
      digests.set(version, (await fingerprint(model)).fingerprints.tokenizer);
    }
    // transformers 5 drops add_eos_token, without which 4.57 makes other ids of the same files.
    const others = name === 'gemma' ? /5\.24/ : undefined;
    const [first] = digests.values();
    for (const [version, digest] of digests) {
      if (others?.test(version)) assert.notEqual(digest, first, version);
      else assert.equal(digest, first, version);
    }
  });
}
