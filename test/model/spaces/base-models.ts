import { safetensorsFile, tinyModelFiles } from '../../fixtures/tiny-model.ts';
import { ModelFiles } from './model-files.ts';

/** Models that changes are tried on. */
export const baseModels = { sentence, bytePairs, adapter, messages } as const;
export type BaseModel = keyof typeof baseModels;

const library = 'sentence_transformers.models.';

/** BERT, mean pooling, two dense layers of one shape, Normalize, a prompt. */
function sentence(): ModelFiles {
  const model = new ModelFiles(tinyModelFiles({ layers: 2, hidden: 16, dense: 16 }));
  for (const [path, seed] of [
    ['2_Dense', 1],
    ['3_Dense', 2],
  ] as const) {
    const tensors = [
      { name: 'linear.weight', shape: [16, 16], seed },
      { name: 'linear.bias', shape: [16], seed },
    ];
    model.write(`${path}/model.safetensors`, safetensorsFile({ tensors }));
    model.write(`${path}/config.json`, model.text('2_Dense/config.json'));
  }
  model.json('modules.json', ([transformer, pooling]) => [
    transformer,
    pooling,
    { idx: 2, name: '2', path: '2_Dense', type: `${library}Dense` },
    { idx: 3, name: '3', path: '3_Dense', type: `${library}Dense` },
    { idx: 4, name: '4', path: '4_Normalize', type: `${library}Normalize` },
  ]);
  model.json('config_sentence_transformers.json', (config) => {
    config.prompts = { query: 'query: ' };
  });
  return model;
}

/** The same with a byte-pair tokenizer, as merges are written by old versions of tokenizers. */
function bytePairs(): ModelFiles {
  const model = sentence();
  model.json('tokenizer.json', (tokenizer) => {
    tokenizer.normalizer = { type: 'NFC' };
    tokenizer.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true };
    tokenizer.model = {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab: { a: 0, b: 1, c: 2, ab: 3, abc: 4 },
      merges: ['a b', 'ab c'],
    };
  });
  model.write('vocab.txt', undefined);
  return model;
}

/** A LoRA adapter: the network comes from elsewhere. */
function adapter(): ModelFiles {
  const model = sentence();
  model.write('config.json', undefined);
  model.write('model.safetensors', undefined);
  const shapes = { 'layer.0.query.lora_A.weight': [4, 16], 'layer.0.query.lora_B.weight': [16, 4] };
  const tensors = Object.entries(shapes).map(([name, shape]) => ({ name, shape }));
  model.write('adapter_model.safetensors', safetensorsFile({ tensors }));
  model.json('adapter_config.json', () => ({
    base_model_name_or_path: 'sentence-transformers/all-MiniLM-L6-v2',
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: 8,
    lora_dropout: 0.1,
    modules_to_save: null,
    peft_type: 'LORA',
    r: 4,
    target_modules: ['query', 'value'],
    task_type: 'FEATURE_EXTRACTION',
    use_rslora: false,
  }));
  return model;
}

/** A model that puts its texts into a chat template, and takes images too. */
function messages(): ModelFiles {
  const model = sentence();
  model.json('sentence_bert_config.json', () => ({
    transformer_task: 'feature-extraction',
    modality_config: { message: { method: 'forward', method_output_name: 'last_hidden_state', format: 'structured' } },
    module_output_name: 'token_embeddings',
  }));
  model.json('tokenizer_config.json', (config) => {
    config.chat_template = '{% for message in messages %}{{ message.content }}{% endfor %}';
  });
  model.json('preprocessor_config.json', () => ({ do_resize: true, size: { height: 224, width: 224 } }));
  return model;
}
