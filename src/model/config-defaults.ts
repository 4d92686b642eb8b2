/*
 * The fields of config.json that say nothing about the vectors. Every field counts but those listed
 * here.
 *
 * A list of the fields that do count would be worse. It would lack what the next architecture
 * brings, so two networks that differ in such a field would share an embedding space. That gives
 * wrong search results, and nobody sees why. A field that counts without need only costs a version
 * number, which everybody sees.
 *
 * Sources: the configurations that transformers 4.41.2, 4.57.1 and 5.24.0 write for 80
 * architectures, each read and written again by the others, and the signatures of their
 * configuration classes.
 */

/** Fields of any config.json that say where it comes from. */
export const originFields: Readonly<Record<string, string>> = {
  ...because('where the model was loaded from', ['_name_or_path', 'name_or_path', '_commit_hash']),
  ...because('which program wrote the file', ['transformers_version', 'unsloth_version', 'unsloth_fixed']),
};

/**
 * Fields of config.json that change no vector, each with the reason. They don't count there, nor in
 * its `…_config` objects. A model with code of its own (`auto_map`) may use any field for anything:
 * of its config only `originFields` don't count.
 */
export const ignoredFields: Readonly<Record<string, string>> = {
  ...originFields,
  ...because('settings of another runtime for its own weights', ['transformers.js_config']),
  ...because('caching while text is generated', ['use_cache', 'cache_implementation']),
  ...because('training only', ['gradient_checkpointing']),
  ...because('random weights before training', [
    'initializer_range',
    'initializer_factor',
    'initializer_cutoff_factor',
  ]),
  ...because('dropout, off outside training', [
    ...['attention_dropout', 'attention_probs_dropout_prob', 'attn_pdrop', 'classifier_dropout'],
    ...['classifier_dropout_prob', 'dropout', 'dropout_rate', 'embd_pdrop', 'embedding_dropout', 'hidden_dropout_prob'],
    ...['mlp_dropout', 'pooler_dropout', 'qa_dropout', 'resid_pdrop', 'seq_classif_dropout', 'summary_last_dropout'],
    'layerdrop',
  ]),
  ...because('names of labels, and the loss that they are trained by', [
    ...['id2label', 'label2id', 'num_labels', 'problem_type', 'finetuning_task'],
  ]),
  ...because('settings for generating text', [
    ...['task_specific_params', 'max_length', 'min_length', 'do_sample', 'early_stopping', 'num_beams'],
    ...['num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty'],
    ...['length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids'],
    ...['num_return_sequences', 'output_scores', 'return_dict_in_generate', 'forced_bos_token_id'],
    ...['forced_eos_token_id', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens'],
    'begin_suppress_tokens',
  ]),
  ...because('how a language-model head is trained', [
    ...['sparse_prediction', 'sparse_pred_ignore_index', 'repad_logits_with_grad'],
  ]),
  ...because('what is handed out beside the vectors', ['output_attentions', 'output_hidden_states']),
  ...because('the form in which results are handed out', ['return_dict']),
  ...because('how the program is run', [
    ...['torchscript', 'reference_compile', 'deterministic_flash_attn', '_attn_implementation_autoset', 'use_bfloat16'],
  ]),
  ...because('the same sums in smaller pieces', ['chunk_size_feed_forward', 'pretraining_tp']),
  ...because("the tokenizer's; it counts there", ['tokenizer_class']),
};

function because(reason: string, fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, reason]));
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Values that say the same as leaving the field out. They hold for every model, unless its row in
 * `defaultsByModel` has another value. They are the defaults of the base class of transformers'
 * configurations (4.41 to 4.57). Those versions leave such fields out; 5.24 writes them.
 *
 * The token ids are null here. That is safe: networks that use such an id (RoBERTa the padding's,
 * CLIP the end's) fail where it is null, so null never decides a vector.
 */
export const defaultsOfAll: Values = {
  add_cross_attention: false,
  bos_token_id: null,
  cross_attention_hidden_size: null,
  decoder_start_token_id: null,
  eos_token_id: null,
  is_decoder: false,
  pad_token_id: null,
  prefix: null,
  pruned_heads: {},
  sep_token_id: null,
  text_config_dict: null,
  tie_encoder_decoder: false,
  use_bidirectional_attention: null,
  vision_config_dict: null,
};

const siglipText: Values = {
  ...{ bos_token_id: 49406, eos_token_id: 49407, hidden_act: 'gelu_pytorch_tanh', hidden_size: 768 },
  ...{ intermediate_size: 3072, layer_norm_eps: 1e-6, max_position_embeddings: 64, num_attention_heads: 12 },
  ...{ num_hidden_layers: 12, pad_token_id: 1, vocab_size: 32000 },
};
const tied: Values = { tie_word_embeddings: true };
const absolute: Values = { ...tied, position_embedding_type: 'absolute' };
const encoder: Values = { ...absolute, pad_token_id: 0, layer_norm_eps: 1e-12 };
const t5: Values = { ...tied, scale_decoder_outputs: true, relative_attention_max_distance: 128 };
const theta10000: Values = { rope_parameters: { rope_theta: 10_000, rope_type: 'default' } };

/**
 * The same by `model_type`: fields that some versions write and others leave out, or that came
 * later. Each value is the default of the model's configuration class in every version from 4.41.2
 * to 5.24.0 that has the field. A field whose default differs between versions (Qwen 2's sliding
 * window) must not be listed.
 */
export const defaultsByModel: Readonly<Record<string, Values>> = {
  albert: absolute,
  bert: encoder,
  blip_text_model: { is_decoder: true },
  camembert: absolute,
  deberta: { ...tied, pad_token_id: 0, legacy: true, pooler_hidden_act: 'gelu' },
  'deberta-v2': { ...tied, pad_token_id: 0, legacy: true, pooler_hidden_act: 'gelu' },
  distilbert: { ...tied, pad_token_id: 0 },
  electra: encoder,
  gemma2: { ...tied, ...theta10000 },
  gemma3_text: tied,
  gemma: { ...tied, ...theta10000 },
  llama: { ...theta10000, attention_bias: false, mlp_bias: false },
  longt5: t5,
  mistral: theta10000,
  modernbert: absolute,
  mpnet: { ...tied, pad_token_id: 1 },
  mt5: { scale_decoder_outputs: true, relative_attention_max_distance: 128 },
  pix2struct_text_model: { is_decoder: true },
  prophetnet: { add_cross_attention: true },
  qwen2: theta10000,
  qwen2_moe: { qkv_bias: true },
  roberta: absolute,
  t5,
  umt5: t5,
  'xlm-roberta': absolute,
  // Parts of two-tower models: transformers 4.41 writes only what differs from these values, later
  // versions write all of them.
  clip_text_model: {
    ...{
      bos_token_id: 49406,
      eos_token_id: 49407,
      hidden_act: 'quick_gelu',
      hidden_size: 512,
      intermediate_size: 2048,
    },
    ...{ is_encoder_decoder: false, layer_norm_eps: 1e-5, max_position_embeddings: 77, num_attention_heads: 8 },
    ...{ num_hidden_layers: 12, pad_token_id: 1, projection_dim: 512, tie_word_embeddings: true, vocab_size: 49408 },
  },
  clip_vision_model: {
    ...{ hidden_act: 'quick_gelu', hidden_size: 768, image_size: 224, intermediate_size: 3072 },
    ...{ is_encoder_decoder: false, layer_norm_eps: 1e-5, num_attention_heads: 12, num_channels: 3 },
    ...{ num_hidden_layers: 12, patch_size: 32, projection_dim: 512 },
  },
  siglip_text_model: siglipText,
  siglip2_text_model: siglipText,
  siglip2_vision_model: { vision_use_head: true },
  siglip_vision_model: {
    ...{ hidden_act: 'gelu_pytorch_tanh', hidden_size: 768, image_size: 224, intermediate_size: 3072 },
    ...{ layer_norm_eps: 1e-6, num_attention_heads: 12, num_channels: 3, num_hidden_layers: 12, patch_size: 16 },
    vision_use_head: true,
  },
};

/**
 * The same for adapter_config.json. Source: `LoraConfig` and its base classes in peft 0.11, 0.15
 * and 0.18.
 */
export const adapterDefaults: Values = {
  alpha_pattern: {},
  bias: 'none',
  ensure_weight_tying: false,
  fan_in_fan_out: false,
  init_lora_weights: true,
  loftq_config: {},
  lora_bias: false,
  megatron_core: 'megatron.core',
  qalora_group_size: 16,
  rank_pattern: {},
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
};

/** Fields of adapter_config.json that change no vector of a trained adapter. */
export const ignoredAdapterFields: Readonly<Record<string, string>> = {
  ...because('which program wrote the file', ['peft_version']),
  ...because('how the program is run', ['inference_mode', 'runtime_config']),
  ...because('dropout, off outside training', ['lora_dropout']),
};
