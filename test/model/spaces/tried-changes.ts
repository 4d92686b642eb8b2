import type { WrittenTensor } from '../../fixtures/tiny-model.ts';
import type { BaseModel } from './base-models.ts';
import type { ModelFiles } from './model-files.ts';

/**
 * The changes of docs/spaces.md, which has their outcome, by their words there. Each is tried on a
 * `sentence` model, or on the one that is named.
 */
export interface TriedChange {
  readonly of?: BaseModel;
  readonly make: (model: ModelFiles) => void;
}

const weights = 'model.safetensors';

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, member]): [string, unknown] => [key, reversed(member)])
      .reverse(),
  );
}

function eachJson(model: ModelFiles, change: (value: unknown) => string): void {
  for (const path of [...model.files.keys()]) {
    if (path.endsWith('.json')) model.write(path, change(JSON.parse(model.text(path))));
  }
}

function changed(tensor: WrittenTensor): WrittenTensor {
  const data = Buffer.from(tensor.data);
  data[0] = data[0]! ^ 1;
  return { ...tensor, data };
}

function positions(count: number, first = 0): WrittenTensor {
  const data = Buffer.alloc(count * 8);
  for (let at = 0; at < count; at++) data.writeBigInt64LE(BigInt(at + first), at * 8);
  return { name: 'embeddings.position_ids', dtype: 'I64', shape: [1, count], data };
}

export const triedChanges: Readonly<Record<string, TriedChange>> = {
  // Files that loaders don't read for the vectors.
  'README, licence, metadata of the safetensors header': {
    make: (model) => {
      model.write('README.md', '# New words\n');
      model.write('LICENSE', 'New words.\n');
      model.weights(weights, (tensors) => tensors);
    },
  },
  'a tokenizer, or weights, in a folder that no module names': {
    make: (model) => {
      model.write('onnx/tokenizer.json', model.text('tokenizer.json'));
      model.write('onnx/vocab.txt', model.text('vocab.txt'));
      model.write('checkpoint/model.safetensors', model.files.get(weights));
      model.write('model.fp16.safetensors', model.files.get('2_Dense/model.safetensors'));
    },
  },
  // Saved again.
  'order of keys, white space and line ends in every JSON file': {
    make: (model) =>
      eachJson(model, (value) => `${JSON.stringify(reversed(value), null, 4).replaceAll('\n', '\r\n')}\r\n`),
  },
  'weights cut into shards, or in another order': {
    make: (model) => {
      model.weights('2_Dense/model.safetensors', (tensors) => tensors.toReversed());
      model.shard(4);
    },
  },
  '`embeddings.position_ids` added or dropped, as long as it counts from 0': {
    make: (model) => model.weights(weights, (tensors) => [positions(64), ...tensors]),
  },
  'folders of modules renamed': {
    make: (model) => {
      model.rename('2_Dense', '2_Projection');
      model.json('modules.json', (modules) => {
        modules[2].path = '2_Projection';
        modules[4].path = '4_Length';
      });
    },
  },
  'configs saved by another version of transformers': {
    make: (model) =>
      model.json('config.json', (config) => {
        const { torch_dtype: dtype, position_embedding_type: _, ...rest } = config;
        const written = {
          dtype,
          add_cross_attention: false,
          is_decoder: false,
          bos_token_id: null,
          eos_token_id: null,
        };
        return { ...rest, ...written, tie_word_embeddings: true, transformers_version: '5.24.0' };
      }),
  },
  'tokenizer saved by another version of transformers': {
    make: (model) => {
      for (const path of ['vocab.txt', 'special_tokens_map.json']) model.write(path, undefined);
      model.json('tokenizer.json', (tokenizer) => {
        tokenizer.truncation.direction = 'Right';
      });
      model.json('tokenizer_config.json', (config) => ({
        ...config,
        ...{ backend: 'tokenizers', is_local: true, local_files_only: false, max_length: 64, stride: 0 },
        ...{ padding_side: 'right', truncation_side: 'right', truncation_strategy: 'longest_first' },
        ...{ unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' },
        ...{ strip_accents: null, tokenize_chinese_chars: true },
      }));
    },
  },
  'merges as text or as pairs': {
    of: 'bytePairs',
    make: (model) =>
      model.json('tokenizer.json', ({ model: pairs }) => {
        pairs.merges = pairs.merges.map((merge: string) => merge.split(' '));
        delete pairs.fuse_unk;
        pairs.byte_fallback = false;
        pairs.ignore_merges = false;
      }),
  },
  'modules saved by sentence-transformers 5.4 or later': {
    make: (model) => {
      const base = 'sentence_transformers.base.modules.';
      model.json('modules.json', (modules) => {
        modules[0].type = `${base}transformer.Transformer`;
        modules[1].type = 'sentence_transformers.sentence_transformer.modules.pooling.Pooling';
        modules[2].type = `${base}dense.Dense`;
        modules[3].type = `${base}dense.Dense`;
        modules[4].type = `${base}normalize.Normalize`;
      });
      model.json('1_Pooling/config.json', () => ({
        embedding_dimension: 16,
        pooling_mode: 'mean',
        include_prompt: true,
      }));
      model.json('sentence_bert_config.json', () => ({
        transformer_task: 'feature-extraction',
        modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
        module_output_name: 'token_embeddings',
      }));
      for (const path of ['2_Dense', '3_Dense']) {
        model.json(`${path}/config.json`, (config) => {
          config.module_input_name = 'sentence_embedding';
          config.module_output_name = null;
        });
      }
      model.json('config_sentence_transformers.json', (config) => {
        config.__version__ = { sentence_transformers: '6.2.0' };
        config.model_type = 'SentenceTransformer';
        config.prompts.document = '';
      });
    },
  },
  'an adapter saved by another version of peft': {
    of: 'adapter',
    make: (model) =>
      model.json('adapter_config.json', (config) => {
        config.target_modules.reverse();
        config.peft_version = '0.18.0';
        config.use_qalora = false;
        config.arrow_config = null;
      }),
  },
  'padding of the tokenizer; dropout and labels in config.json': {
    make: (model) => {
      model.json('tokenizer.json', (tokenizer) => {
        tokenizer.padding = {
          strategy: 'BatchLongest',
          direction: 'Right',
          pad_id: 0,
          pad_type_id: 0,
          pad_token: '[PAD]',
        };
      });
      model.json('config.json', (config) => {
        config.hidden_dropout_prob = 0;
        config.id2label = { 0: 'a' };
      });
    },
  },
  'a chat template or preprocessor that no module uses': {
    make: (model) => {
      model.write('chat_template.jinja', '{{ messages }}');
      model.json('preprocessor_config.json', () => ({ do_resize: true }));
    },
  },
  'the chat template in a file instead of tokenizer_config.json': {
    of: 'messages',
    make: (model) =>
      model.json('tokenizer_config.json', (config) => {
        model.write('chat_template.jinja', config.chat_template);
        delete config.chat_template;
      }),
  },
  // Another model.
  'one bit of one weight': {
    make: (model) => model.weights(weights, ([first, ...rest]) => [changed(first!), ...rest]),
  },
  'one bit of one weight of a dense layer': {
    make: (model) => model.weights('3_Dense/model.safetensors', ([first, ...rest]) => [changed(first!), ...rest]),
  },
  'the weights of two modules of one shape exchanged': {
    make: (model) => {
      model.rename('2_Dense/model.safetensors', 'held');
      model.rename('3_Dense/model.safetensors', '2_Dense/model.safetensors');
      model.rename('held', '3_Dense/model.safetensors');
    },
  },
  'two tensors of one shape exchanged': {
    make: (model) =>
      model.weights(weights, (tensors) => {
        const [one, two] = tensors.filter(({ name }) => /layer\.[01]\.attention\.self\.query\.weight/.test(name));
        return tensors.map((tensor) => {
          if (tensor === one) return { ...one!, data: two!.data };
          return tensor === two ? { ...two!, data: one!.data } : tensor;
        });
      }),
  },
  'another tensor': {
    make: (model) => model.weights(weights, (tensors) => [...tensors, { ...positions(4), name: 'embeddings.more' }]),
  },
  'another dtype of one tensor': {
    // F16 has half the bytes; what they are doesn't matter here.
    make: (model) =>
      model.weights(weights, ([first, ...rest]) => [
        { ...first!, dtype: 'F16', data: first!.data.subarray(first!.data.length / 2) },
        ...rest,
      ]),
  },
  'position ids that do not count from 0': {
    make: (model) => model.weights(weights, (tensors) => [positions(64, 1), ...tensors]),
  },
  'one token of the vocabulary': {
    make: (model) => model.write('tokenizer.json', model.text('tokenizer.json').replace('word9', 'wort9')),
  },
  'two ids of the vocabulary exchanged': {
    make: (model) =>
      model.json('tokenizer.json', ({ model: { vocab } }) => {
        [vocab.word9, vocab.word8] = [vocab.word8, vocab.word9];
      }),
  },
  'the order of two merges': {
    of: 'bytePairs',
    make: (model) => model.json('tokenizer.json', ({ model: pairs }) => void pairs.merges.reverse()),
  },
  'one flag of the normalizer': {
    make: (model) =>
      model.json('tokenizer.json', ({ normalizer }) => {
        normalizer.lowercase = false;
      }),
  },
  'one flag in tokenizer_config.json that a loader obeys': {
    make: (model) =>
      model.json('tokenizer_config.json', (config) => {
        config.do_lower_case = false;
      }),
  },
  'one special token': {
    make: (model) =>
      model.json(
        'tokenizer.json',
        ({ added_tokens: added }) => void added.push({ id: 9, content: 'word9', special: true }),
      ),
  },
  'one flag of a special token': {
    make: (model) =>
      model.json('tokenizer.json', ({ added_tokens: [, , , , mask] }) => {
        mask.lstrip = true;
      }),
  },
  "the tokenizer's truncation": {
    make: (model) =>
      model.json('tokenizer.json', ({ truncation }) => {
        truncation.max_length = 32;
      }),
  },
  'the token limit of sentence_bert_config.json': {
    make: (model) =>
      model.json('sentence_bert_config.json', (config) => {
        config.max_seq_length = 32;
      }),
  },
  'a chat template that is used': {
    of: 'messages',
    make: (model) =>
      model.json('tokenizer_config.json', (config) => {
        config.chat_template += ' ';
      }),
  },
  'a preprocessor that is used': {
    of: 'messages',
    make: (model) =>
      model.json('preprocessor_config.json', ({ size }) => {
        size.height = 448;
      }),
  },
  'the pooling mode': {
    make: (model) =>
      model.json('1_Pooling/config.json', (config) => {
        config.pooling_mode_mean_tokens = false;
        config.pooling_mode_cls_token = true;
      }),
  },
  'Normalize left out': {
    make: (model) => model.json('modules.json', (modules) => modules.slice(0, -1)),
  },
  'another default prompt': {
    make: (model) =>
      model.json('config_sentence_transformers.json', (config) => {
        config.default_prompt_name = 'query';
      }),
  },
  'one letter of a prompt': {
    make: (model) =>
      model.json('config_sentence_transformers.json', ({ prompts }) => {
        prompts.query = 'Query: ';
      }),
  },
  '`truncate_dim`': {
    make: (model) =>
      model.json('config_sentence_transformers.json', (config) => {
        config.truncate_dim = 8;
      }),
  },
  'the activation of a dense layer': {
    make: (model) =>
      model.json('2_Dense/config.json', (config) => {
        config.activation_function = 'torch.nn.modules.linear.Identity';
      }),
  },
  'a field of config.json that this program does not know': {
    make: (model) =>
      model.json('config.json', (config) => {
        config.rope_twist = 3;
      }),
  },
  'a computing precision that is not the stored one': {
    make: (model) =>
      model.json('config.json', (config) => {
        config.torch_dtype = 'bfloat16';
      }),
  },
  'the scale of an adapter': {
    of: 'adapter',
    make: (model) =>
      model.json('adapter_config.json', (config) => {
        config.lora_alpha = 16;
      }),
  },
  'the base of an adapter': {
    of: 'adapter',
    make: (model) =>
      model.json('adapter_config.json', (config) => {
        config.base_model_name_or_path = 'sentence-transformers/all-MiniLM-L12-v2';
      }),
  },
};
