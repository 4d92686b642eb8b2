import type { ModelConfig } from '../../src/contract/release-config.ts';
import type { EmbeddingFacts } from '../../src/model/facts.ts';

/*
 * Well-known models: which files their repositories have, what their configs say, and how their
 * tensors are named and shaped. Weights are cut to a tensor or two a layer, which `writeLayout`
 * writes as holes; a tokenizer is cut to its highest ids.
 */

export interface TensorList {
  /**
   * `#` in a name stands for each layer; a dtype other than `dtype` of the file follows a space.
   */
  readonly [name: string]: readonly number[];
}

export interface Layout {
  readonly name: string;
  /**
   * Configs by path; strings and other values are written as they are, undefined values of configs
   * are left out.
   */
  readonly files: Readonly<Record<string, unknown>>;
  /** Files whose content doesn't matter. */
  readonly more?: readonly string[];
  readonly weights: Readonly<
    Record<string, { readonly layers?: number; readonly dtype?: string; readonly tensors: TensorList }>
  >;
  readonly release?: Partial<ModelConfig>;
  /** What the gate says of it; `prompts` empty and no default prompt unless given. */
  readonly facts: Partial<EmbeddingFacts>;
  /** `level path` of everything that is told. */
  readonly told?: readonly string[];
}

const st = 'sentence_transformers.models.';

/** modules.json: `Kind` or `Kind@folder`; a class of another package is written whole. */
function modules(...kinds: readonly string[]): object {
  return kinds.map((kind, idx) => {
    const [type = '', path] = kind.split('@');
    const folder = path ?? (idx === 0 ? '' : `${idx}_${type.split('.').at(-1)}`);
    return { idx, name: String(idx), path: folder, type: type.includes('.') ? type : st + type };
  });
}

function pooling(dimension: number, mode: 'cls' | 'mean' | 'lasttoken'): object {
  const flag = (name: string): [string, boolean] => [
    `pooling_mode_${name}`,
    name === { cls: 'cls_token', mean: 'mean_tokens', lasttoken: 'lasttoken' }[mode],
  ];
  const flags = ['cls_token', 'mean_tokens', 'max_tokens', 'mean_sqrt_len_tokens', 'lasttoken'].map(flag);
  return { word_embedding_dimension: dimension, ...Object.fromEntries(flags) };
}

function dense(into: number, out: number, activation: string, bias = true): object {
  return { in_features: into, out_features: out, bias, activation_function: `torch.nn.modules.${activation}` };
}

/**
 * tokenizer.json: its highest id, special tokens behind the vocabulary, and the length at which it
 * cuts.
 */
function tokenizer(last: number, options: { readonly special?: number; readonly cut?: number } = {}): object {
  const { special, cut } = options;
  return {
    version: '1.0',
    truncation: cut === undefined ? null : { max_length: cut, strategy: 'LongestFirst', stride: 0 },
    added_tokens: special === undefined ? [] : [{ id: special, content: '<special>', special: true }],
    model: { type: 'WordPiece', vocab: { first: 0, last } },
  };
}

/** What transformers writes where a tokenizer has no limit. */
const noLimit = 1e30;

/** What every repository here has, with the limits of the three files that tell one. */
function common(highest: object, longest: number | undefined, sentence?: number): Record<string, unknown> {
  return {
    'tokenizer.json': highest,
    'tokenizer_config.json': { model_max_length: longest },
    'special_tokens_map.json': {},
    ...(sentence === undefined
      ? {}
      : { 'sentence_bert_config.json': { max_seq_length: sentence, do_lower_case: false } }),
  };
}

interface Bert {
  readonly hidden: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly positions: number;
}

/**
 * BERT and RoBERTa in their several sizes; `prefix` stands before the names of tensors where a head
 * was saved too.
 */
function bert(type: 'bert' | 'xlm-roberta', size: Bert, architecture?: string, prefix = '') {
  const { hidden, layers, vocabulary, positions } = size;
  const config = {
    architectures: [architecture ?? (type === 'bert' ? 'BertModel' : 'XLMRobertaModel')],
    model_type: type,
    hidden_size: hidden,
    intermediate_size: 4 * hidden,
    num_attention_heads: 12,
    num_hidden_layers: layers,
    vocab_size: vocabulary,
    max_position_embeddings: positions,
    type_vocab_size: type === 'bert' ? 2 : 1,
    pad_token_id: type === 'bert' ? 0 : 1,
    position_embedding_type: 'absolute',
  };
  const tensors: TensorList = {
    [`${prefix}embeddings.word_embeddings.weight`]: [vocabulary, hidden],
    [`${prefix}embeddings.position_embeddings.weight`]: [positions, hidden],
    [`${prefix}encoder.layer.#.attention.self.query.weight`]: [hidden, hidden],
    [`${prefix}encoder.layer.#.output.dense.bias`]: [hidden],
    [`${prefix}pooler.dense.weight`]: [hidden, hidden],
  };
  return { config, weights: { layers, tensors } };
}

interface Decoder extends Bert {
  readonly type: 'mistral' | 'qwen2' | 'qwen3' | 'gemma3_text';
  readonly architecture: string;
  readonly dtype?: string;
}

function decoder({ type, architecture, hidden, layers, vocabulary, positions, dtype = 'BF16' }: Decoder) {
  const config = {
    architectures: [architecture],
    model_type: type,
    hidden_size: hidden,
    num_attention_heads: 16,
    num_hidden_layers: layers,
    vocab_size: vocabulary,
    max_position_embeddings: positions,
    torch_dtype: dtype === 'BF16' ? 'bfloat16' : 'float16',
  };
  const tensors: TensorList = {
    'embed_tokens.weight': [vocabulary, hidden],
    'layers.#.self_attn.q_proj.weight': [hidden, hidden],
    ...(type === 'qwen2' ? { 'layers.#.self_attn.q_proj.bias': [hidden] } : {}),
    ...(type === 'qwen3' || type === 'gemma3_text' ? { 'layers.#.self_attn.q_norm.weight': [128] } : {}),
    ...(type === 'gemma3_text' ? { 'layers.#.pre_feedforward_layernorm.weight': [hidden] } : {}),
    'norm.weight': [hidden],
  };
  return { config, weights: { layers, dtype, tensors } };
}

function modernBert(vocabulary: number) {
  const config = {
    architectures: ['ModernBertModel'],
    model_type: 'modernbert',
    hidden_size: 768,
    num_hidden_layers: 22,
    vocab_size: vocabulary,
    max_position_embeddings: 8192,
  };
  const tensors: TensorList = {
    'embeddings.tok_embeddings.weight': [vocabulary, 768],
    'layers.#.attn.Wqkv.weight': [2304, 768],
    'layers.#.mlp.Wi.weight': [2304, 768],
  };
  return { config, weights: { layers: 22, dtype: 'F16', tensors } };
}

const linear = (out: number, into: number, bias = true) => ({
  tensors: { 'linear.weight': [out, into], ...(bias ? { 'linear.bias': [out] } : {}) },
});

const base = { hidden: 768, layers: 12, vocabulary: 30522, positions: 512 };
const large = { ...base, hidden: 1024, layers: 24 };
const xlmLarge = { ...large, vocabulary: 250002, positions: 514 };

const miniLm = bert('bert', { ...base, hidden: 384, layers: 6 });
const multilingualMiniLm = bert('bert', { ...base, hidden: 384, vocabulary: 250037 });
const labse = bert('bert', { ...base, vocabulary: 501153 });
const bgeSmall = bert('bert', { ...base, hidden: 384 });
const bgeM3 = bert('xlm-roberta', { ...xlmLarge, positions: 8194 });
const bertBase = bert('bert', base);
const bertLarge = bert('bert', large);
const e5Large = bert('xlm-roberta', xlmLarge);
const e5Mistral = decoder({
  type: 'mistral',
  architecture: 'MistralModel',
  hidden: 4096,
  layers: 32,
  vocabulary: 32000,
  positions: 32768,
  dtype: 'F16',
});
const gteQwen = decoder({
  type: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  hidden: 1536,
  layers: 28,
  vocabulary: 151646,
  positions: 131072,
});
const qwenSmall = decoder({
  type: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  hidden: 1024,
  layers: 28,
  vocabulary: 151669,
  positions: 32768,
});
const qwenLarge = decoder({
  type: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  hidden: 4096,
  layers: 36,
  vocabulary: 151665,
  positions: 40960,
});
const gemma = decoder({
  type: 'gemma3_text',
  architecture: 'Gemma3TextModel',
  hidden: 768,
  layers: 24,
  vocabulary: 262144,
  positions: 2048,
});
const jina2 = bert('bert', { ...base, vocabulary: 30528, positions: 8192 }, 'JinaBertForMaskedLM');
const jina3 = bert('xlm-roberta', { ...xlmLarge, positions: 8194 });
const splade = bert('bert', base, 'BertForMaskedLM', 'bert.');
const colbert = bert('bert', base, 'HF_ColBERT', 'bert.');
const crossEncoder = bert('bert', { ...base, hidden: 384, layers: 6 }, 'BertForSequenceClassification', 'bert.');
const bgeReranker = bert(
  'xlm-roberta',
  { ...xlmLarge, positions: 8194 },
  'XLMRobertaForSequenceClassification',
  'roberta.',
);

const onnx = ['onnx/config.json', 'onnx/model.onnx', 'onnx/tokenizer.json'];
const asked = 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:';

/** `q` in quantised tensors of `weights`, with the scale beside each. */
function quantised(weights: ReturnType<typeof decoder>['weights'], dtype: string, scale: string) {
  const tensors = Object.entries(weights.tensors).flatMap(([name, shape]) =>
    name.endsWith('q_proj.weight')
      ? [
          [`${name} ${dtype}`, shape],
          [scale, [shape[0] ?? 1, 1]],
        ]
      : [[name, shape]],
  );
  return { ...weights, tensors: Object.fromEntries(tensors) as TensorList };
}

export const layouts: readonly Layout[] = [
  {
    name: 'sentence-transformers/all-MiniLM-L6-v2',
    files: {
      ...common(tokenizer(30521, { cut: 128 }), 512, 256),
      'config.json': miniLm.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(384, 'mean'),
      'config_sentence_transformers.json': { __version__: { sentence_transformers: '2.0.0' } },
      'data_config.json': [],
    },
    more: [
      ...['train_script.py', 'pytorch_model.bin', 'rust_model.ot', 'tf_model.h5', 'vocab.txt', 'onnx/model.onnx'],
      ...['onnx/model_O4.onnx', 'openvino/openvino_model.bin', 'openvino/openvino_model.xml'],
    ],
    weights: { 'model.safetensors': miniLm.weights },
    facts: { dimensions: 384, normalized: true, max_tokens: 256, pooling: 'mean' },
    told: ['warning train_script.py', 'warning pytorch_model.bin', 'warning tokenizer.json'],
  },
  {
    name: 'sentence-transformers/all-mpnet-base-v2',
    files: {
      ...common(tokenizer(30526, { cut: 128 }), 512, 384),
      'config.json': {
        ...{ architectures: ['MPNetForMaskedLM'], model_type: 'mpnet', hidden_size: 768, num_hidden_layers: 12 },
        ...{ vocab_size: 30527, max_position_embeddings: 514, pad_token_id: 1, relative_attention_num_buckets: 32 },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'mean'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'train_script.py', 'data_config.json', 'vocab.txt'],
    weights: {
      'model.safetensors': {
        layers: 12,
        tensors: {
          'embeddings.word_embeddings.weight': [30527, 768],
          'embeddings.position_embeddings.weight': [514, 768],
          'encoder.layer.#.attention.attn.q.weight': [768, 768],
          'encoder.relative_attention_bias.weight': [32, 12],
        },
      },
    },
    facts: { dimensions: 768, normalized: true, max_tokens: 384, pooling: 'mean' },
    told: ['warning train_script.py', 'warning pytorch_model.bin', 'warning tokenizer.json'],
  },
  {
    name: 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2',
    files: {
      ...common(tokenizer(250036, { cut: 128 }), 512, 128),
      'config.json': multilingualMiniLm.config,
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': pooling(384, 'mean'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'tf_model.h5', 'unigram.json', 'sentencepiece.bpe.model'],
    weights: { 'model.safetensors': multilingualMiniLm.weights },
    facts: { dimensions: 384, normalized: false, max_tokens: 128, pooling: 'mean' },
    told: ['warning pytorch_model.bin', 'warning tokenizer.json'],
  },
  {
    name: 'sentence-transformers/LaBSE',
    files: {
      ...common(tokenizer(501152), 512, 256),
      'config.json': labse.config,
      'modules.json': modules('Transformer', 'Pooling', 'Dense', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'cls'),
      '2_Dense/config.json': dense(768, 768, 'activation.Tanh'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', '2_Dense/pytorch_model.bin', 'vocab.txt'],
    weights: { 'model.safetensors': labse.weights, '2_Dense/model.safetensors': linear(768, 768) },
    facts: { dimensions: 768, normalized: true, max_tokens: 256, pooling: 'cls' },
    told: ['warning 2_Dense/pytorch_model.bin', 'warning pytorch_model.bin', 'warning sentence_bert_config.json'],
  },
  {
    name: 'sentence-transformers/distiluse-base-multilingual-cased-v2',
    files: {
      ...common(tokenizer(119546, { cut: 128 }), 128, 128),
      'config.json': {
        ...{ architectures: ['DistilBertModel'], model_type: 'distilbert', dim: 768, n_layers: 6, n_heads: 12 },
        ...{ vocab_size: 119547, max_position_embeddings: 512, pad_token_id: 0, activation: 'gelu' },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Dense'),
      '1_Pooling/config.json': pooling(768, 'mean'),
      '2_Dense/config.json': dense(768, 512, 'activation.Tanh'),
      'config_sentence_transformers.json': {},
    },
    more: ['vocab.txt'],
    weights: {
      'model.safetensors': {
        layers: 6,
        tensors: {
          'embeddings.word_embeddings.weight': [119547, 768],
          'embeddings.position_embeddings.weight': [512, 768],
          'transformer.layer.#.attention.q_lin.weight': [768, 768],
        },
      },
      '2_Dense/model.safetensors': linear(512, 768),
    },
    facts: { dimensions: 512, normalized: false, max_tokens: 128, pooling: 'mean' },
  },
  {
    name: 'sentence-transformers/sentence-t5-base',
    files: {
      ...common(tokenizer(32099), 512, 256),
      'config.json': {
        ...{
          architectures: ['T5EncoderModel'],
          model_type: 't5',
          d_model: 768,
          num_layers: 12,
          num_decoder_layers: 12,
        },
        ...{ vocab_size: 32128, n_positions: 512, d_kv: 64, is_encoder_decoder: true },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Dense', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'mean'),
      '2_Dense/config.json': dense(768, 768, 'linear.Identity', false),
      'config_sentence_transformers.json': {},
    },
    more: ['spiece.model', 'rust_model.ot', '2_Dense/rust_model.ot'],
    weights: {
      'model.safetensors': {
        layers: 12,
        tensors: {
          'shared.weight': [32128, 768],
          'encoder.block.#.layer.0.SelfAttention.q.weight': [768, 768],
          'encoder.block.#.layer.1.DenseReluDense.wi.weight': [3072, 768],
        },
      },
      '2_Dense/model.safetensors': linear(768, 768, false),
    },
    facts: { dimensions: 768, normalized: true, max_tokens: 256, pooling: 'mean' },
    told: ['warning sentence_bert_config.json'],
  },
  {
    name: 'sentence-transformers/clip-ViT-B-32',
    files: {
      'modules.json': modules('CLIPModel@0_CLIPModel'),
      'config_sentence_transformers.json': {},
      '0_CLIPModel/config.json': {
        architectures: ['CLIPModel'],
        model_type: 'clip',
        projection_dim: 512,
        text_config: { hidden_size: 512, num_hidden_layers: 12, vocab_size: 49408, max_position_embeddings: 77 },
        vision_config: { hidden_size: 768, num_hidden_layers: 12, patch_size: 32, image_size: 224 },
      },
      '0_CLIPModel/preprocessor_config.json': { feature_extractor_type: 'CLIPFeatureExtractor', size: 224 },
      '0_CLIPModel/tokenizer_config.json': { model_max_length: 77 },
      '0_CLIPModel/vocab.json': { first: 0, last: 49407 },
    },
    more: ['0_CLIPModel/merges.txt', '0_CLIPModel/special_tokens_map.json', '0_CLIPModel/pytorch_model.bin'],
    weights: {
      '0_CLIPModel/model.safetensors': {
        layers: 12,
        tensors: {
          'text_model.embeddings.token_embedding.weight': [49408, 512],
          'text_model.embeddings.position_embedding.weight': [77, 512],
          'text_model.encoder.layers.#.self_attn.q_proj.weight': [512, 512],
          'text_model.encoder.layers.#.self_attn.q_proj.bias': [512],
          'vision_model.embeddings.position_embedding.weight': [50, 768],
          'vision_model.encoder.layers.#.self_attn.q_proj.weight': [768, 768],
          'text_projection.weight': [512, 512],
          'visual_projection.weight': [512, 768],
        },
      },
    },
    facts: { dimensions: 512, normalized: false, max_tokens: 77, pooling: null },
    told: ['warning 0_CLIPModel/pytorch_model.bin'],
  },
  {
    name: 'BAAI/bge-small-en-v1.5',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': bgeSmall.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(384, 'cls'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'onnx/model.onnx'],
    weights: { 'model.safetensors': bgeSmall.weights },
    facts: { dimensions: 384, normalized: true, max_tokens: 512, pooling: 'cls' },
    told: ['warning pytorch_model.bin'],
  },
  {
    // As it must be released: its network converted, its two other heads decided on.
    name: 'BAAI/bge-m3',
    files: {
      ...common(tokenizer(250001), 8192, 8192),
      'config.json': bgeM3.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'cls'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'colbert_linear.pt', 'sparse_linear.pt', 'sentencepiece.bpe.model', ...onnx],
    weights: { 'model.safetensors': bgeM3.weights },
    release: { exclude: ['*_linear.pt', 'pytorch_model.bin'] },
    facts: { dimensions: 1024, normalized: true, max_tokens: 8192, pooling: 'cls' },
  },
  {
    name: 'intfloat/e5-base-v2',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': bertBase.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'mean'),
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'handler.py', 'onnx/model.onnx'],
    weights: { 'model.safetensors': bertBase.weights },
    facts: { dimensions: 768, normalized: true, max_tokens: 512, pooling: 'mean' },
    told: ['warning handler.py', 'warning pytorch_model.bin'],
  },
  {
    name: 'intfloat/multilingual-e5-large',
    files: {
      ...common(tokenizer(250001), 512, 512),
      'config.json': e5Large.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'mean'),
    },
    more: ['pytorch_model.bin', 'sentencepiece.bpe.model', 'onnx/model.onnx', 'onnx/model.onnx_data'],
    weights: { 'model.safetensors': e5Large.weights },
    facts: { dimensions: 1024, normalized: true, max_tokens: 512, pooling: 'mean' },
    told: ['warning pytorch_model.bin'],
  },
  {
    name: 'intfloat/e5-mistral-7b-instruct',
    files: {
      ...common(tokenizer(31999), noLimit, 4096),
      'config.json': e5Mistral.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(4096, 'lasttoken'),
      'config_sentence_transformers.json': { prompts: { web_search_query: asked }, default_prompt_name: null },
    },
    more: ['tokenizer.model', 'added_tokens.json'],
    weights: {
      'model-00001-of-00002.safetensors': { ...e5Mistral.weights, layers: 20 },
      'model-00002-of-00002.safetensors': {
        layers: 12,
        dtype: 'F16',
        tensors: { 'layers.#+20.self_attn.q_proj.weight': [4096, 4096] },
      },
    },
    facts: {
      ...{ dimensions: 4096, normalized: true, max_tokens: 4096, pooling: 'lasttoken' },
      prompts: { web_search_query: asked },
    },
  },
  {
    name: 'thenlper/gte-base',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': bertBase.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'mean'),
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'onnx/model.onnx'],
    weights: { 'model.safetensors': { ...bertBase.weights, dtype: 'F16' } },
    facts: { dimensions: 768, normalized: true, max_tokens: 512, pooling: 'mean' },
    told: ['warning pytorch_model.bin'],
  },
  {
    name: 'thenlper/gte-large',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': bertLarge.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'mean'),
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'onnx/model.onnx'],
    weights: { 'model.safetensors': { ...bertLarge.weights, dtype: 'F16' } },
    facts: { dimensions: 1024, normalized: true, max_tokens: 512, pooling: 'mean' },
    told: ['warning pytorch_model.bin'],
  },
  {
    name: 'Alibaba-NLP/gte-Qwen2-1.5B-instruct',
    files: {
      ...common(tokenizer(151642, { special: 151645 }), 32768, 8192),
      'tokenizer_config.json': {
        model_max_length: 32768,
        auto_map: { AutoTokenizer: ['tokenization_qwen.Qwen2Tokenizer', 'tokenization_qwen.Qwen2TokenizerFast'] },
      },
      'config.json': { ...gteQwen.config, auto_map: { AutoModel: 'modeling_qwen.Qwen2Model' } },
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1536, 'lasttoken'),
      'config_sentence_transformers.json': { prompts: { query: asked }, default_prompt_name: null },
    },
    more: ['modeling_qwen.py', 'tokenization_qwen.py', 'merges.txt', 'vocab.json', 'scripts/eval_mteb.py'],
    weights: {
      'model-00001-of-00002.safetensors': { ...gteQwen.weights, layers: 14 },
      'model-00002-of-00002.safetensors': {
        layers: 14,
        dtype: 'BF16',
        tensors: { 'layers.#+14.self_attn.q_proj.weight': [1536, 1536] },
      },
    },
    release: { allow_code: true },
    facts: {
      ...{ dimensions: 1536, normalized: true, max_tokens: 8192, pooling: 'lasttoken' },
      prompts: { query: asked },
    },
  },
  {
    name: 'Alibaba-NLP/gte-modernbert-base',
    files: {
      ...common(tokenizer(50279, { special: 50284 }), 8192, 8192),
      'config.json': modernBert(50368).config,
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': pooling(768, 'cls'),
      'config_sentence_transformers.json': {},
    },
    more: ['onnx/model.onnx'],
    weights: { 'model.safetensors': modernBert(50368).weights },
    facts: { dimensions: 768, normalized: false, max_tokens: 8192, pooling: 'cls' },
  },
  {
    name: 'nomic-ai/nomic-embed-text-v1.5',
    files: {
      ...common(tokenizer(30521), 8192, 8192),
      'config.json': {
        ...{ architectures: ['NomicBertModel'], model_type: 'nomic_bert', n_embd: 768, n_layer: 12, n_head: 12 },
        ...{ vocab_size: 30528, n_positions: 8192, pad_vocab_size_multiple: 64, rotary_emb_fraction: 1 },
        auto_map: {
          AutoConfig: 'nomic-ai/nomic-bert-2048--configuration_hf_nomic_bert.NomicBertConfig',
          AutoModel: 'nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel',
        },
      },
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': pooling(768, 'mean'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'onnx/model.onnx', 'onnx/model_q4.onnx'],
    weights: {
      'model.safetensors': {
        layers: 12,
        tensors: {
          'embeddings.word_embeddings.weight': [30528, 768],
          'encoder.layers.#.attn.Wqkv.weight': [2304, 768],
        },
      },
    },
    release: { allow_code: true },
    facts: { dimensions: 768, normalized: false, max_tokens: 8192, pooling: 'mean' },
    told: ['warning pytorch_model.bin', 'warning config.json', 'warning config.json'],
  },
  {
    name: 'jinaai/jina-embeddings-v2-base-en',
    files: {
      ...common(tokenizer(30527), 2147483648, 8192),
      'config.json': {
        ...jina2.config,
        position_embedding_type: 'alibi',
        auto_map: { AutoModel: 'jinaai/jina-bert-implementation--modeling_bert.JinaBertModel' },
      },
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': pooling(768, 'mean'),
      'config_sentence_transformers.json': {},
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'model.onnx', 'model-w-mean-pooling.onnx', 'coreml/Manifest.json'],
    weights: {
      'model.safetensors': {
        layers: 12,
        dtype: 'F16',
        tensors: {
          'embeddings.word_embeddings.weight': [30528, 768],
          'encoder.layer.#.attention.self.query.weight': [768, 768],
          'encoder.layer.#.mlp.gated_layers.weight': [6144, 768],
        },
      },
    },
    release: { allow_code: true },
    facts: { dimensions: 768, normalized: false, max_tokens: 8192, pooling: 'mean' },
    told: ['warning pytorch_model.bin', 'warning config.json'],
  },
  {
    name: 'jinaai/jina-embeddings-v3',
    files: {
      ...common(tokenizer(250001), 8194, 8194),
      'config.json': {
        ...jina3.config,
        auto_map: { AutoModel: 'jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA' },
        lora_adaptations: ['retrieval.query', 'retrieval.passage', 'separation', 'classification', 'text-matching'],
        matryoshka_dimensions: [32, 64, 128, 256, 512, 768, 1024],
        truncate_dim: null,
      },
      'modules.json': modules('custom_st.Transformer@', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'mean'),
      'config_sentence_transformers.json': { prompts: { 'retrieval.query': 'Represent the query: ' } },
    },
    more: ['custom_st.py', 'pytorch_model.bin', 'onnx/model.onnx', 'onnx/model.onnx_data'],
    weights: {
      'model.safetensors': {
        layers: 24,
        dtype: 'BF16',
        tensors: {
          'roberta.embeddings.word_embeddings.parametrizations.weight.original': [250002, 1024],
          'roberta.encoder.layers.#.mixer.Wqkv.parametrizations.weight.original': [3072, 1024],
        },
      },
    },
    release: { allow_code: true },
    facts: {
      ...{ dimensions: 1024, normalized: true, max_tokens: 8194, pooling: 'mean' },
      prompts: { 'retrieval.query': 'Represent the query: ' },
    },
    told: ['warning pytorch_model.bin', 'warning config.json'],
  },
  {
    name: 'mixedbread-ai/mxbai-embed-large-v1',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': bertLarge.config,
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': pooling(1024, 'cls'),
      'config_sentence_transformers.json': {
        prompts: { query: 'Represent this sentence for searching relevant passages: ', passage: '' },
        default_prompt_name: null,
      },
    },
    more: ['vocab.txt', 'gguf/mxbai-embed-large-v1-f16.gguf', 'onnx/model.onnx'],
    weights: { 'model.safetensors': { ...bertLarge.weights, dtype: 'F16' } },
    facts: {
      ...{ dimensions: 1024, normalized: false, max_tokens: 512, pooling: 'cls' },
      prompts: { query: 'Represent this sentence for searching relevant passages: ', passage: '' },
    },
  },
  {
    name: 'Snowflake/snowflake-arctic-embed-l-v2.0',
    files: {
      ...common(tokenizer(250001), 8192, 8192),
      'config.json': bgeM3.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'cls'),
      'config_sentence_transformers.json': { prompts: { query: 'query: ' }, similarity_fn_name: 'cosine' },
    },
    more: ['onnx/model.onnx', 'onnx/model.onnx_data'],
    weights: { 'model.safetensors': bgeM3.weights },
    facts: {
      ...{ dimensions: 1024, normalized: true, max_tokens: 8192, pooling: 'cls' },
      prompts: { query: 'query: ' },
    },
  },
  {
    name: 'Qwen/Qwen3-Embedding-0.6B',
    files: {
      ...common(tokenizer(151642, { special: 151668 }), 131072),
      'config.json': qwenSmall.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': { ...pooling(1024, 'lasttoken'), include_prompt: true },
      'config_sentence_transformers.json': { prompts: { query: asked, document: '' }, similarity_fn_name: 'cosine' },
    },
    more: ['generation_config.json', 'merges.txt', 'vocab.json'],
    weights: { 'model.safetensors': qwenSmall.weights },
    facts: {
      ...{ dimensions: 1024, normalized: true, max_tokens: 32768, pooling: 'lasttoken' },
      prompts: { query: asked, document: '' },
    },
  },
  {
    name: 'Qwen/Qwen3-Embedding-8B',
    files: {
      ...common(tokenizer(151642, { special: 151664 }), 131072),
      'config.json': qwenLarge.config,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': { ...pooling(4096, 'lasttoken'), include_prompt: true },
      'config_sentence_transformers.json': { prompts: { query: asked, document: '' }, similarity_fn_name: 'cosine' },
    },
    more: ['generation_config.json', 'merges.txt', 'vocab.json'],
    weights: {
      'model-00001-of-00004.safetensors': { ...qwenLarge.weights, layers: 9 },
      ...Object.fromEntries(
        [2, 3, 4].map((part) => [
          `model-0000${part}-of-00004.safetensors`,
          {
            layers: 9,
            dtype: 'BF16',
            tensors: { [`layers.#+${9 * (part - 1)}.self_attn.q_proj.weight`]: [4096, 4096] },
          },
        ]),
      ),
    },
    facts: {
      ...{ dimensions: 4096, normalized: true, max_tokens: 40960, pooling: 'lasttoken' },
      prompts: { query: asked, document: '' },
    },
  },
  {
    // Its tokenizer has a placeholder for images, one id beyond the embedding.
    name: 'google/embeddinggemma-300m',
    files: {
      ...common(tokenizer(262143, { special: 262144 }), 2048, 2048),
      'config.json': gemma.config,
      'modules.json': modules('Transformer', 'Pooling', 'Dense', 'Dense', 'Normalize'),
      '1_Pooling/config.json': { ...pooling(768, 'mean'), include_prompt: true },
      '2_Dense/config.json': dense(768, 3072, 'linear.Identity', false),
      '3_Dense/config.json': dense(3072, 768, 'linear.Identity', false),
      'config_sentence_transformers.json': {
        model_type: 'SentenceTransformer',
        prompts: { query: 'task: search result | query: ', document: 'title: none | text: ' },
        similarity_fn_name: 'cosine',
      },
    },
    more: ['generation_config.json', 'tokenizer.model', 'added_tokens.json'],
    weights: {
      'model.safetensors': gemma.weights,
      '2_Dense/model.safetensors': linear(3072, 768, false),
      '3_Dense/model.safetensors': linear(768, 3072, false),
    },
    facts: {
      ...{ dimensions: 768, normalized: true, max_tokens: 2048, pooling: 'mean' },
      prompts: { query: 'task: search result | query: ', document: 'title: none | text: ' },
    },
    told: ['warning tokenizer.json'],
  },
  {
    name: 'sentence-transformers/static-retrieval-mrl-en-v1',
    files: {
      'modules.json': modules('StaticEmbedding@0_StaticEmbedding'),
      'config_sentence_transformers.json': { similarity_fn_name: 'cosine' },
      '0_StaticEmbedding/tokenizer.json': tokenizer(30521),
    },
    weights: { '0_StaticEmbedding/model.safetensors': { tensors: { 'embedding.weight': [30522, 1024] } } },
    facts: { dimensions: 1024, normalized: false, max_tokens: null, pooling: 'mean' },
  },
  {
    name: 'minishlab/potion-base-8M',
    files: {
      'config.json': {
        ...{ model_type: 'model2vec', architectures: ['StaticModel'], hidden_dim: 256, seq_length: 1000000 },
        ...{ tokenizer_name: 'baai/bge-base-en-v1.5', apply_pca: 256, apply_zipf: true, normalize: true },
      },
      'modules.json': modules('StaticEmbedding@.', 'Normalize@1_Normalize'),
      'tokenizer.json': tokenizer(29527),
    },
    more: ['onnx/model.onnx'],
    weights: { 'model.safetensors': { tensors: { embeddings: [29528, 256] } } },
    facts: { dimensions: 256, normalized: true, max_tokens: null, pooling: 'mean' },
  },
  {
    // model2vec before it wrote modules.json, and with a vocabulary that shares rows.
    name: 'minishlab/M2V_base_output',
    files: {
      'config.json': {
        ...{ model_type: 'model2vec', architectures: ['StaticModel'], hidden_dim: 256, normalize: true },
        vocabulary_quantization: 10000,
      },
      'tokenizer.json': tokenizer(29527),
    },
    weights: {
      'model.safetensors': {
        tensors: { embeddings: [10000, 256], 'mapping I64': [29528], weights: [29528] },
      },
    },
    facts: { dimensions: 256, normalized: true, max_tokens: null, pooling: 'mean', similarity: null },
  },
  {
    name: 'naver/splade-v3',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'config.json': splade.config,
      'modules.json': modules(
        'sentence_transformers.sparse_encoder.models.MLMTransformer@',
        'sentence_transformers.sparse_encoder.models.SpladePooling',
      ),
      '1_SpladePooling/config.json': { pooling_strategy: 'max', activation_function: 'relu' },
      'config_sentence_transformers.json': { model_type: 'SparseEncoder', similarity_fn_name: 'dot', prompts: {} },
    },
    more: ['vocab.txt'],
    weights: { 'model.safetensors': splade.weights },
    facts: { kind: 'sparse', max_tokens: 512, pooling: 'max', similarity: 'dot' },
  },
  {
    name: 'colbert-ir/colbertv2.0',
    files: {
      ...common(tokenizer(30521), 512),
      'config.json': colbert.config,
      'artifact.metadata': { query_maxlen: 32, doc_maxlen: 180, dim: 128, attend_to_mask_tokens: false },
    },
    more: ['pytorch_model.bin', 'vocab.txt'],
    weights: {
      'model.safetensors': {
        ...colbert.weights,
        tensors: { ...colbert.weights.tensors, 'linear.weight': [128, 768] },
      },
    },
    facts: { kind: 'multi-vector', max_tokens: 180, pooling: null, similarity: 'maxsim' },
    told: ['warning pytorch_model.bin'],
  },
  {
    name: 'lightonai/GTE-ModernColBERT-v1',
    files: {
      ...common(tokenizer(50279, { special: 50369 }), 299, 299),
      'config.json': modernBert(50370).config,
      'modules.json': modules('Transformer', 'pylate.models.Dense.Dense'),
      '1_Dense/config.json': dense(768, 128, 'linear.Identity', false),
      'config_sentence_transformers.json': {
        ...{ query_prefix: '[Q] ', document_prefix: '[D] ', query_length: 32, document_length: 300 },
        ...{ similarity_fn_name: 'MaxSim', prompts: {}, do_query_expansion: true, skiplist_words: ['!', '.'] },
      },
    },
    weights: { 'model.safetensors': modernBert(50370).weights, '1_Dense/model.safetensors': linear(128, 768, false) },
    facts: {
      ...{ kind: 'multi-vector', max_tokens: 300, pooling: null, similarity: 'maxsim' },
      prompts: { query: '[Q] ', document: '[D] ' },
    },
  },
  {
    name: 'cross-encoder/ms-marco-MiniLM-L6-v2',
    files: {
      ...common(tokenizer(30521), 512),
      'config.json': {
        ...crossEncoder.config,
        id2label: { 0: 'LABEL_0' },
        sentence_transformers: { activation_fn: 'torch.nn.modules.linear.Identity', version: '4.0.1' },
      },
    },
    more: ['pytorch_model.bin', 'vocab.txt', 'flax_model.msgpack', 'onnx/model.onnx'],
    weights: {
      'model.safetensors': {
        ...crossEncoder.weights,
        tensors: { ...crossEncoder.weights.tensors, 'classifier.weight': [1, 384] },
      },
    },
    facts: { kind: 'reranker', max_tokens: 512, pooling: null, similarity: null },
    told: ['warning pytorch_model.bin'],
  },
  {
    name: 'BAAI/bge-reranker-v2-m3',
    files: {
      ...common(tokenizer(250001), 8192),
      'config.json': { ...bgeReranker.config, id2label: { 0: 'LABEL_0' } },
    },
    more: ['sentencepiece.bpe.model', 'assets/BEIR-bge-m3.png'],
    weights: {
      'model.safetensors': {
        ...bgeReranker.weights,
        tensors: { ...bgeReranker.weights.tensors, 'classifier.out_proj.weight': [1, 1024] },
      },
    },
    facts: { kind: 'reranker', max_tokens: 8192, pooling: null, similarity: null },
  },
  {
    name: 'a cross-encoder as sentence-transformers 6 saves it',
    files: {
      ...common(tokenizer(30521), 512),
      'config.json': crossEncoder.config,
      'modules.json': modules('sentence_transformers.base.modules.transformer.Transformer@'),
      'sentence_bert_config.json': { transformer_task: 'sequence-classification', module_output_name: 'scores' },
      'config_sentence_transformers.json': {
        model_type: 'CrossEncoder',
        activation_fn: 'torch.nn.modules.activation.Sigmoid',
      },
    },
    weights: { 'model.safetensors': crossEncoder.weights },
    facts: { kind: 'reranker', max_tokens: 512, pooling: null, similarity: null },
  },
  {
    name: 'sentence-transformers/average_word_embeddings_glove.6B.300d',
    files: {
      'modules.json': modules('WordEmbeddings@0_WordEmbeddings', 'Pooling'),
      'config_sentence_transformers.json': {},
      '0_WordEmbeddings/wordembedding_config.json': {
        tokenizer_class: 'sentence_transformers.models.tokenizer.WhitespaceTokenizer.WhitespaceTokenizer',
        update_embeddings: false,
        max_seq_length: 1000000,
      },
      '0_WordEmbeddings/whitespacetokenizer_config.json': { vocab: ['PADDING_TOKEN', 'the'], stop_words: [] },
      '1_Pooling/config.json': pooling(300, 'mean'),
    },
    more: ['0_WordEmbeddings/pytorch_model.bin'],
    weights: { '0_WordEmbeddings/model.safetensors': { tensors: { 'emb_layer.weight': [400001, 300] } } },
    facts: { dimensions: 300, normalized: false, max_tokens: 1000000, pooling: 'mean' },
    told: ['warning 0_WordEmbeddings/pytorch_model.bin'],
  },
  {
    name: 'Qwen3-Embedding-0.6B in int8, by bitsandbytes',
    files: {
      ...common(tokenizer(151642, { special: 151668 }), 131072),
      'config.json': {
        ...qwenSmall.config,
        quantization_config: { quant_method: 'bitsandbytes', load_in_8bit: true, llm_int8_threshold: 6 },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(1024, 'lasttoken'),
    },
    weights: { 'model.safetensors': quantised(qwenSmall.weights, 'I8', 'layers.#.self_attn.q_proj.SCB F32') },
    facts: { dimensions: 1024, normalized: true, max_tokens: 32768, pooling: 'lasttoken' },
  },
  {
    name: 'Qwen3-Embedding-8B in fp8, by compressed-tensors',
    files: {
      ...common(tokenizer(151642, { special: 151664 }), 131072),
      'config.json': {
        ...qwenLarge.config,
        quantization_config: { quant_method: 'compressed-tensors', format: 'float-quantized' },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(4096, 'lasttoken'),
    },
    more: ['recipe.yaml'],
    weights: {
      'model.safetensors': quantised(qwenLarge.weights, 'F8_E4M3', 'layers.#.self_attn.q_proj.weight_scale BF16'),
    },
    facts: { dimensions: 4096, normalized: true, max_tokens: 40960, pooling: 'lasttoken' },
  },
  {
    name: 'google/rembert',
    files: {
      ...common(tokenizer(250299), 256),
      'config.json': {
        ...{ architectures: ['RemBertModel'], model_type: 'rembert', hidden_size: 1152, num_hidden_layers: 32 },
        ...{ input_embedding_size: 256, output_embedding_size: 1664, vocab_size: 250300, max_position_embeddings: 512 },
      },
    },
    more: ['sentencepiece.model'],
    weights: {
      'model.safetensors': {
        layers: 32,
        tensors: {
          'embeddings.word_embeddings.weight': [250300, 256],
          'embeddings.position_embeddings.weight': [512, 256],
          'encoder.layer.#.attention.self.query.weight': [1152, 1152],
        },
      },
    },
    facts: { dimensions: 1152, normalized: null, max_tokens: 256, pooling: null, similarity: null },
    told: ['warning .'],
  },
  {
    name: 'a LoRA adapter as sentence-transformers saves it',
    files: {
      ...common(tokenizer(30521), 512, 512),
      'adapter_config.json': {
        ...{ peft_type: 'LORA', base_model_name_or_path: 'BAAI/bge-base-en-v1.5', revision: null },
        ...{ task_type: 'FEATURE_EXTRACTION', r: 16, lora_alpha: 32, target_modules: ['query', 'value'] },
      },
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': pooling(768, 'cls'),
    },
    weights: {
      'adapter_model.safetensors': {
        layers: 12,
        tensors: { 'base_model.model.encoder.layer.#.attention.self.query.lora_A.weight': [16, 768] },
      },
    },
    facts: { dimensions: 768, normalized: true, max_tokens: 512, pooling: 'cls' },
    told: ['warning adapter_config.json'],
  },
];
