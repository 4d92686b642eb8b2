import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject } from '../contract/json-values.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';

/*
 * The architecture's fingerprint takes every field of config.json but those listed here. The other way round, a list of fields that
 * count, would miss what the next architecture brings, and two networks that differ in such a field would share an embedding
 * space: wrong search results that nobody sees. A field that counts without need costs a version number, which everybody sees.
 * Fields were read off the configurations of transformers 4 and 5: BERT, RoBERTa, XLM-R, MPNet, DistilBERT, ALBERT, ELECTRA, DeBERTa, T5,
 * NomicBERT, GTE, ModernBERT, EuroBERT, Qwen 2 and 3, Mistral, Gemma 3.
 */

/** Fields of config.json that change no vector, each with the reason. They count neither there nor in its `…_config` objects. */
export const ignoredFields: Readonly<Record<string, string>> = {
  _name_or_path: 'where the model was loaded from',
  name_or_path: 'where the model was loaded from',
  _commit_hash: 'where the model was loaded from',
  transformers_version: 'which version wrote the file',
  'transformers.js_config': 'settings of another runtime for its own weights',
  unsloth_version: 'which version wrote the file',
  unsloth_fixed: 'which program wrote the file',
  use_cache: 'caching while text is generated',
  gradient_checkpointing: 'training only',
  initializer_range: 'random weights before training',
  initializer_factor: 'random weights before training',
  initializer_cutoff_factor: 'random weights before training',
  attention_dropout: 'dropout, off outside training',
  attention_probs_dropout_prob: 'dropout, off outside training',
  attn_pdrop: 'dropout, off outside training',
  classifier_dropout: 'dropout, off outside training',
  classifier_dropout_prob: 'dropout, off outside training',
  dropout: 'dropout, off outside training',
  dropout_rate: 'dropout, off outside training',
  embd_pdrop: 'dropout, off outside training',
  embedding_dropout: 'dropout, off outside training',
  hidden_dropout_prob: 'dropout, off outside training',
  mlp_dropout: 'dropout, off outside training',
  pooler_dropout: 'dropout, off outside training',
  qa_dropout: 'dropout, off outside training',
  resid_pdrop: 'dropout, off outside training',
  seq_classif_dropout: 'dropout, off outside training',
  summary_last_dropout: 'dropout, off outside training',
  layerdrop: 'dropout, off outside training',
  id2label: 'labels of a classifier',
  label2id: 'labels of a classifier',
  num_labels: 'labels of a classifier',
  problem_type: 'labels of a classifier',
  finetuning_task: 'labels of a classifier',
  task_specific_params: 'settings for generating text',
  classifier_activation: "a classifier's head",
  classifier_bias: "a classifier's head",
  classifier_pooling: "a classifier's head",
  sparse_prediction: 'how a language-model head is trained',
  sparse_pred_ignore_index: 'how a language-model head is trained',
  repad_logits_with_grad: 'how a language-model head is trained',
  tie_word_embeddings: 'the language-model head, which makes no vectors',
  output_attentions: 'what is handed out beside the vectors',
  output_hidden_states: 'what is handed out beside the vectors',
  return_dict: 'the form in which results are handed out',
  torchscript: 'how the program is run',
  reference_compile: 'how the program is run',
  deterministic_flash_attn: 'how the program is run',
  chunk_size_feed_forward: 'the same sums in smaller pieces',
  pretraining_tp: 'the same sums in smaller pieces',
};

/** Values that say the same as leaving the field out: newer versions of transformers write them, older ones don't, or the other way round. */
export const defaultValues: Readonly<Record<string, unknown>> = {
  position_embedding_type: 'absolute',
  is_decoder: false,
  add_cross_attention: false,
  bos_token_id: null,
  eos_token_id: null,
  rope_scaling: null,
  pruned_heads: {},
};

/** Names in config.json of the dtypes that safetensors files hold. */
const dtypeNames: Readonly<Record<string, string>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/**
 * What of config.json decides the vectors. `dtype` (`torch_dtype` before transformers 5) is the precision that loaders compute in; left
 * out, it is that of the stored tensors, so it counts where it is another one. `storedDtypes` are the dtypes of all tensors.
 */
export function networkFields(config: JsonObject, storedDtypes: Iterable<string>): JsonObject {
  const stored = [...storedDtypes].map((dtype) => dtypeNames[dtype]).filter((name) => name !== undefined);
  return strip(config, stored.length === 1 ? stored[0] : undefined);
}

function strip(config: JsonObject, stored: string | undefined): JsonObject {
  const kept: [string, unknown][] = [];
  for (const [name, value] of Object.entries(config)) {
    if (Object.hasOwn(ignoredFields, name)) continue;
    if (Object.hasOwn(defaultValues, name) && canonicalJson(value) === canonicalJson(defaultValues[name])) continue;
    if (name === 'dtype' || name === 'torch_dtype') {
      const dtype = typeof value === 'string' ? value.replace(/^torch\./, '') : value;
      if (dtype !== null && dtype !== stored) kept.push(['dtype', dtype]);
    } else if (name.endsWith('_config') && isObject(value)) {
      kept.push([name, strip(value, stored)]);
    } else {
      kept.push([name, value]);
    }
  }
  return Object.fromEntries(kept);
}

export function architectureFingerprint(config: JsonObject, storedDtypes: Iterable<string>): Sha256 {
  return sha256(canonicalJson(networkFields(config, storedDtypes)));
}
