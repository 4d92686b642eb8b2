import { canonicalJson } from '../contract/canonical-json.ts';
import { countOf, isObject, type JsonObject, textOf } from '../contract/json-values.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import {
  adapterDefaults,
  defaultsByModel,
  defaultsOfAll,
  ignoredAdapterFields,
  ignoredFields,
  originFields,
} from './config-defaults.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { canonicalRope } from './rope-fields.ts';

/** Names in config.json of the dtypes that safetensors files hold. */
const dtypeNames: Readonly<Record<string, string>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** The `model_type` of each part of a two-tower model, which old config.json files leave out. */
const partTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  clip: { text_config: 'clip_text_model', vision_config: 'clip_vision_model' },
  siglip: { text_config: 'siglip_text_model', vision_config: 'siglip_vision_model' },
  siglip2: { text_config: 'siglip2_text_model', vision_config: 'siglip2_vision_model' },
};

/**
 * Digest of what a folder's config.json says about the network, and its adapter_config.json where
 * there is one. Null where there is neither. `storedDtypes`: the dtypes of all tensors.
 */
export function architectureOf(view: ModelView, directory: string, storedDtypes: Iterable<string>): Sha256 | null {
  const config = documentOf(view, inDirectory(directory, 'config.json'));
  const adapter = documentOf(view, inDirectory(directory, 'adapter_config.json'));
  if (config === undefined && adapter === undefined) return null;
  const network = config === undefined ? undefined : networkFields(config, storedDtypes);
  return sha256(canonicalJson({ network, adapter: adapter === undefined ? undefined : adapterFields(adapter) }));
}

/**
 * The fields of config.json that decide the vectors, in the same form whichever version of
 * transformers wrote them. Fields that say nothing (config-defaults.ts) are left out, and so are
 * fields that follow from the others.
 *
 * `dtype` (`torch_dtype` before transformers 5) is the precision that loaders compute in. A config
 * without it means the dtype of the stored tensors. So it is left out where it says just that.
 * `storedDtypes`: the dtypes of all tensors.
 */
export function networkFields(config: JsonObject, storedDtypes: Iterable<string>): JsonObject {
  const stored = [...storedDtypes].map((dtype) => dtypeNames[dtype]).filter((name) => name !== undefined);
  return fieldsOf(config, textOf(config.model_type), stored.length === 1 ? stored[0] : undefined);
}

function fieldsOf(config: JsonObject, type: string | undefined, stored: string | undefined): JsonObject {
  const typed = canonicalDtype(config, stored);
  if (config.auto_map !== undefined) return without(typed, (name) => Object.hasOwn(originFields, name));
  const own = type !== undefined && Object.hasOwn(defaultsByModel, type) ? defaultsByModel[type] : undefined;
  const defaults: JsonObject = { ...defaultsOfAll, ...own };
  const said = without(withoutDerived(canonicalRope(typed, type), type), (name, value) => {
    return Object.hasOwn(ignoredFields, name) || isDefault(defaults, name, value);
  });
  const parts = Object.entries(said).flatMap(([name, value]): [string, unknown][] => {
    if (!name.endsWith('_config') || name === 'quantization_config' || !isObject(value)) return [[name, value]];
    const usual = type === undefined || !Object.hasOwn(partTypes, type) ? undefined : partTypes[type]?.[name];
    const { model_type: partType = usual, ...part } = fieldsOf(value, textOf(value.model_type) ?? usual, stored);
    if (partType !== usual) return [[name, { ...part, model_type: partType }]];
    return usual !== undefined && Object.keys(part).length === 0 ? [] : [[name, part]];
  });
  return Object.fromEntries(parts);
}

function without(object: JsonObject, drops: (name: string, value: unknown) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name, value]) => !drops(name, value)));
}

function canonicalDtype(
  { torch_dtype: old, dtype = old, ...rest }: JsonObject,
  stored: string | undefined,
): JsonObject {
  const name = typeof dtype === 'string' ? dtype.replace(/^torch\./, '') : dtype;
  return name === undefined || name === null || name === stored ? rest : { ...rest, dtype: name };
}

/**
 * Newer versions of transformers write fields that older ones compute from other fields. Leaves out
 * those whose value is what would be computed.
 */
function withoutDerived(config: JsonObject, type = ''): JsonObject {
  const kept: Record<string, unknown> = { ...config };
  const drop = (name: string, derived: unknown): void => {
    if (Object.hasOwn(kept, name) && isSame(kept[name], derived)) delete kept[name];
  };
  const layers = countOf(config.num_hidden_layers) ?? 0;
  const everyNth = (n: number, first: string, others: string, shift = 0): string[] =>
    Array.from({ length: Math.min(layers, mostLayers) }, (_, layer) => ((layer + shift) % n === 0 ? first : others));
  // This field is about a language-model head, and these classes have none.
  if (isHeadless(config.architectures)) delete kept.tie_word_embeddings;
  switch (type) {
    case 'llama':
    case 'mistral':
    case 'mixtral':
      drop('head_dim', null);
      drop('head_dim', (countOf(config.hidden_size) ?? 0) / (countOf(config.num_attention_heads) ?? 1));
      break;
    case 'qwen2':
    case 'qwen2_moe':
    case 'qwen3':
    case 'qwen3_moe':
      if (config.use_sliding_window === true) break;
      // Loaders read these only where the sliding window is used. transformers 4.57 writes null for
      // it, and a type for each layer.
      delete kept.sliding_window;
      delete kept.max_window_layers;
      drop('layer_types', everyNth(1, 'full_attention', ''));
      break;
    case 'gemma2':
      drop('layer_types', everyNth(2, 'full_attention', 'sliding_attention', 1));
      break;
    case 'gemma3_text': {
      const pattern = countOf(config.sliding_window_pattern) ?? countOf(config._sliding_window_pattern) ?? 6;
      const types = everyNth(pattern, 'full_attention', 'sliding_attention', 1);
      if (config.layer_types !== undefined && !isSame(config.layer_types, types)) break;
      delete kept.layer_types;
      delete kept.sliding_window_pattern;
      delete kept._sliding_window_pattern;
      if (pattern !== 6) kept.sliding_window_pattern = pattern;
      break;
    }
    case 'modernbert':
      drop(
        'layer_types',
        everyNth(countOf(config.global_attn_every_n_layers) ?? 3, 'full_attention', 'sliding_attention'),
      );
      break;
    case 't5':
    case 'mt5':
    case 'umt5':
    case 'longt5': {
      const said = textOf(config.feed_forward_proj) ?? '';
      drop('is_gated_act', said.startsWith('gated-'));
      drop('dense_act_fn', said === 'gated-gelu' ? 'gelu_new' : said.split('-').at(-1));
      break;
    }
    case 'deberta':
    case 'deberta-v2':
      drop('pooler_hidden_size', config.hidden_size);
      if (typeof config.pos_att_type === 'string') kept.pos_att_type = config.pos_att_type.toLowerCase().split('|');
      break;
    case 'siglip_text_model':
      drop('projection_size', config.hidden_size ?? defaultsByModel.siglip_text_model?.hidden_size);
  }
  return kept;
}

function isHeadless(architectures: unknown): boolean {
  return (
    Array.isArray(architectures) &&
    architectures.length > 0 &&
    architectures.every((name) => /Model$/.test(String(name)))
  );
}

/** No model has more layers. A hostile number must not make us build a list of its length. */
const mostLayers = 10_000;

/**
 * What adapter_config.json says that changes vectors: the scale, the base model, which layers are
 * adapted. peft writes sets in any order, so they are sorted.
 */
function adapterFields(adapter: JsonObject): JsonObject {
  const kept = without(adapter, (name, value) => {
    return value === null || Object.hasOwn(ignoredAdapterFields, name) || isDefault(adapterDefaults, name, value);
  });
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [name, adapterSets.has(name) ? sorted(value) : value]),
  );
}

const adapterSets = new Set(['target_modules', 'exclude_modules', 'modules_to_save']);

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.map(canonicalJson).sort() : value;
}

function isDefault(defaults: JsonObject, name: string, value: unknown): boolean {
  return Object.hasOwn(defaults, name) && isSame(defaults[name], value);
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one ?? null) === canonicalJson(other ?? null);
}
