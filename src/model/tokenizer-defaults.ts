/*
 * The parts of a tokenizer's files that say nothing about the ids that it makes. As with
 * config.json, everything counts that isn't listed here. Sources: the serialization of tokenizers
 * 0.19 to 0.23 (`#[serde(default)]`, and the readers of older forms), tokenizers that transformers
 * 4.41.2, 4.57.1 and 5.24.0 saved again, and the signatures of their classes.
 */

type Values = Readonly<Record<string, unknown>>;

/**
 * Top-level members of tokenizer.json that change no id. `padding`: padding is masked out.
 * `decoder`: it turns ids back into text.
 */
export const ignoredInTokenizer: ReadonlySet<string> = new Set(['version', 'padding', 'decoder']);

/**
 * Values in tokenizer.json that say the same as leaving the member out, by the `type` of the part.
 * Null always does.
 */
export const partDefaults: Readonly<Record<string, Values>> = {
  BPE: {
    ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false },
    ...{ continuing_subword_prefix: '', end_of_word_suffix: '' },
  },
  WordPiece: { continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
  Unigram: { byte_fallback: false },
  ByteLevel: { use_regex: true },
  Metaspace: { prepend_scheme: 'always', split: true },
  truncation: { direction: 'Right', strategy: 'LongestFirst', stride: 0 },
};

/** Old versions leave out the model's `type`. It is known from a member that only this type has. */
export const typeByMember: Readonly<Record<string, string>> = {
  merges: 'BPE',
  max_input_chars_per_word: 'WordPiece',
  unk_id: 'Unigram',
};

/** Members that concern only the positions of tokens in the text, not their ids. */
export const ignoredInParts: Readonly<Record<string, readonly string[]>> = {
  ByteLevel: ['trim_offsets'],
  RobertaProcessing: ['trim_offsets', 'add_prefix_space'],
};

/** Fields of tokenizer_config.json that change no id, each with the reason. */
export const ignoredSettings: Readonly<Record<string, string>> = {
  ...because('where the tokenizer was loaded from', [
    ...['name_or_path', 'special_tokens_map_file', 'tokenizer_file', 'vocab_file', 'merges_file', 'is_local'],
    ...['local_files_only', 'files_loaded', 'backend'],
  ]),
  ...because('for the way back from ids to text', [
    ...['clean_up_tokenization_spaces', 'spaces_between_special_tokens', 'errors'],
  ]),
  ...because('the place of tokens in the text', ['trim_offsets']),
  ...because('of padding, which attention leaves out', ['pad_to_multiple_of', 'pad_token_type_id']),
  ...because("copied from tokenizer.json's truncation and padding, and not read", [
    ...['max_length', 'stride', 'truncation_strategy'],
  ]),
  ...because('counted as the token limit', ['model_max_length']),
  ...because('counted where a chat template is used', ['chat_template', 'use_default_system_prompt']),
};

function because(reason: string, fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, reason]));
}

/**
 * Values in tokenizer_config.json that say the same as leaving the field out, whatever the class.
 */
export const settingDefaults: Values = {
  do_basic_tokenize: true,
  from_slow: false,
  init_inputs: [],
  never_split: null,
  padding_side: 'right',
  sp_model_kwargs: {},
  split_special_tokens: false,
};

const bert: Values = {
  ...{ unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' },
  ...{ do_lower_case: true, tokenize_chinese_chars: true, strip_accents: null },
};
const roberta: Values = {
  ...{ bos_token: '<s>', eos_token: '</s>', sep_token: '</s>', cls_token: '<s>', unk_token: '<unk>' },
  ...{ pad_token: '<pad>', mask_token: '<mask>', add_prefix_space: false },
};
const xlmRoberta: Values = { ...roberta, add_prefix_space: true };
const t5: Values = {
  eos_token: '</s>',
  unk_token: '<unk>',
  pad_token: '<pad>',
  extra_ids: 100,
  add_prefix_space: null,
};
const deberta: Values = {
  ...{ bos_token: '[CLS]', eos_token: '[SEP]', sep_token: '[SEP]', cls_token: '[CLS]', unk_token: '[UNK]' },
  ...{ pad_token: '[PAD]', mask_token: '[MASK]' },
};

/**
 * The values that a tokenizer class of transformers takes where tokenizer_config.json leaves a
 * field out. Classes are named without `Fast`, as in newer versions. A default is listed only if
 * 4.41.2, 4.57.1 and 5.24.0 agree on it, or if older versions don't have the field.
 */
export const classDefaults: Readonly<Record<string, Values>> = {
  BertTokenizer: bert,
  MobileBertTokenizer: bert,
  MPNetTokenizer: {
    ...{ ...bert, bos_token: '<s>', eos_token: '</s>', sep_token: '</s>', cls_token: '<s>' },
    ...{ pad_token: '<pad>', mask_token: '<mask>' },
  },
  RobertaTokenizer: roberta,
  XLMRobertaTokenizer: xlmRoberta,
  AlbertTokenizer: {
    ...{ bos_token: '[CLS]', eos_token: '[SEP]', unk_token: '<unk>', sep_token: '[SEP]', pad_token: '<pad>' },
    ...{ cls_token: '[CLS]', mask_token: '[MASK]', do_lower_case: true, keep_accents: false, remove_space: true },
    add_prefix_space: true,
  },
  T5Tokenizer: t5,
  DebertaTokenizer: { ...deberta, add_prefix_space: false },
  DebertaV2Tokenizer: { ...deberta, add_prefix_space: true, do_lower_case: false, split_by_punct: false },
  GPT2Tokenizer: {
    unk_token: '<|endoftext|>',
    bos_token: '<|endoftext|>',
    eos_token: '<|endoftext|>',
    add_prefix_space: false,
  },
  // unk_token isn't listed: a null in the file means that there is none.
  Qwen2Tokenizer: {
    eos_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
    add_prefix_space: false,
    add_bos_token: false,
  },
  LlamaTokenizer: {
    ...{ unk_token: '<unk>', bos_token: '<s>', eos_token: '</s>', padding_side: 'left', add_bos_token: true },
    add_eos_token: false,
  },
  GemmaTokenizer: {
    ...{ unk_token: '<unk>', bos_token: '<bos>', eos_token: '<eos>', pad_token: '<pad>', mask_token: '<mask>' },
    ...{ padding_side: 'left', add_bos_token: true, add_eos_token: false },
  },
  CLIPTokenizer: {
    ...{
      unk_token: '<|endoftext|>',
      bos_token: '<|startoftext|>',
      eos_token: '<|endoftext|>',
      pad_token: '<|endoftext|>',
    },
  },
  XLNetTokenizer: { padding_side: 'left' },
};

/** transformers 5.24 writes these classes under another name. The code was the same before. */
export const classNames: Readonly<Record<string, string>> = {
  DistilBertTokenizer: 'BertTokenizer',
  ElectraTokenizer: 'BertTokenizer',
  LongformerTokenizer: 'RobertaTokenizer',
  TokenizersBackend: 'PreTrainedTokenizer',
};

/**
 * The class by `model_type`, for models where neither tokenizer_config.json nor config.json names
 * one (`TOKENIZER_MAPPING_NAMES`).
 */
export const classOfModel: Readonly<Record<string, string>> = {
  albert: 'AlbertTokenizer',
  bert: 'BertTokenizer',
  clip: 'CLIPTokenizer',
  'deberta-v2': 'DebertaV2Tokenizer',
  deberta: 'DebertaTokenizer',
  distilbert: 'BertTokenizer',
  electra: 'BertTokenizer',
  gemma: 'GemmaTokenizer',
  gemma3_text: 'GemmaTokenizer',
  longformer: 'RobertaTokenizer',
  mpnet: 'MPNetTokenizer',
  qwen2: 'Qwen2Tokenizer',
  qwen3: 'Qwen2Tokenizer',
  roberta: 'RobertaTokenizer',
  t5: 'T5Tokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
};
