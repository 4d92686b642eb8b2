import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import { architectureOf, networkFields } from './architecture.ts';
import { isShardIndex, isTokenizerFile } from './file-kinds.ts';
import { colbertMetadata, documentOf, type ModelView } from './model-view.ts';
import { isNetwork, type Module } from './modules.ts';
import { dimensionKeys, libraryConfigName, modeFlags, poolingModes, transformerConfigPath } from './pooling.ts';

/**
 * sentence-transformers 5.4 renamed these keys of modules' configs (`config_key_renames` there):
 * old name to new.
 */
const renamedKeys: Readonly<Record<string, string>> = {
  word_embedding_dimension: 'embedding_dimension',
  in_word_embedding_dimension: 'in_embedding_dimension',
};

/**
 * Values that sentence-transformers takes where a module's config has no such key. Versions differ
 * in which of them they write.
 */
const moduleDefaults: Readonly<Record<string, unknown>> = {
  include_prompt: true,
  module_input_name: 'sentence_embedding',
  module_output_name: 'sentence_embedding',
  use_residual: false,
};

/**
 * The method that is called and the output that is used where a transformer's config doesn't say
 * it, by task (`TRANSFORMER_TASK_DEFAULTS` of 6.2).
 */
const taskOutputs: Readonly<Record<string, readonly [method: string, module: string]>> = {
  'feature-extraction': ['last_hidden_state', 'token_embeddings'],
  'sequence-classification': ['logits', 'scores'],
  'text-generation': ['logits', 'causal_logits'],
  'any-to-any': ['logits', 'causal_logits'],
  'fill-mask': ['logits', 'token_embeddings'],
};

/** sentence-transformers 5.4 renamed these arguments: old name to new. */
const renamedArguments: Readonly<Record<string, string>> = {
  model_args: 'model_kwargs',
  tokenizer_args: 'processor_kwargs',
  config_args: 'config_kwargs',
};

/**
 * Digest of everything that decides the vectors after the network: the modules and their configs,
 * the library's config of the transformer, and the prompts. Null where the model has none of these.
 *
 * It is made of what the files say, not of their bytes. So a model keeps it when another version of
 * sentence-transformers (2 to 6) saves it again. The token limit is not in here: it is in the
 * tokenizer's fingerprint.
 */
export function poolingFingerprint(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
): Sha256 | null {
  const chain = modules?.map((module) => describeModule(view, module, base));
  const alone = modules === undefined ? transformerSettings(view, base, 'Transformer') : undefined;
  const library = librarySettings(documentOf(view, libraryConfigName) ?? {});
  const colbert = documentOf(view, colbertMetadata);
  if ((chain ?? alone ?? colbert) === undefined && Object.keys(library).length === 0) return null;
  return sha256(canonicalJson({ modules: chain, transformer: alone, library, colbert }));
}

function describeModule(view: ModelView, module: Module, base: string): JsonObject {
  const { kind, custom, directory, config, configPath, kwargs } = module;
  const network = isNetwork(module);
  const described: JsonObject = {
    // MLMTransformer is the old name for a Transformer with the task `fill-mask`.
    kind: custom ?? (kind === 'MLMTransformer' ? 'Transformer' : kind),
    kwargs: Array.isArray(kwargs) && kwargs.length === 0 ? undefined : kwargs,
    transformer: network || custom !== undefined ? transformerSettings(view, directory, kind) : undefined,
  };
  // Its config.json is in the fingerprint `architecture`, the rest of its folder in `tokenizer`.
  if (network && directory === base) return described;
  if (network) return { ...described, network: architectureOf(view, directory, []) };
  const folders = [...(directory === '' ? [] : [directory]), ...module.routes.flat().map((part) => part.directory)];
  const others = [...view.documents].filter(
    ([path]) =>
      path !== configPath &&
      folders.some((folder) => path.startsWith(`${folder}/`)) &&
      !isTokenizerFile(path) &&
      !isShardIndex(path),
  );
  const settings = kind === 'Pooling' ? poolingSettings(config) : moduleSettings(config);
  const rest = others.map(([path, value]) => [
    path.slice(directory.length),
    isObject(value) ? moduleSettings(value) : value,
  ]);
  return { ...described, config: settings, others: Object.fromEntries(rest) };
}

function moduleSettings(config: JsonObject): JsonObject {
  const renamed = Object.entries(networkFields(config, [])).map(([key, value]): [string, unknown] => {
    const newer = Object.hasOwn(renamedKeys, key) ? renamedKeys[key] : undefined;
    return [newer === undefined || Object.hasOwn(config, newer) ? key : newer, value];
  });
  const kept = renamed.filter(
    ([key, value]) => value !== null && !(Object.hasOwn(moduleDefaults, key) && moduleDefaults[key] === value),
  );
  return Object.fromEntries(kept);
}

/** The pooling in one form: old and new spelling of the same settings come out equal. */
function poolingSettings(config: JsonObject): JsonObject {
  const rest = Object.entries(moduleSettings(config)).filter(
    ([key]) => !Object.hasOwn(modeFlags, key) && key !== 'pooling_mode' && !dimensionKeys.some((name) => name === key),
  );
  const dimension = dimensionKeys.map((key) => config[key]).find((value) => value !== undefined);
  const modes = poolingModes(config);
  return { ...Object.fromEntries(rest), dimension, modes: modes.length === 0 ? ['mean'] : modes };
}

/**
 * What sentence_bert_config.json (or another of its names) says about the transformer in
 * `directory`. Undefined where it says nothing.
 */
function transformerSettings(view: ModelView, directory: string, kind: string): JsonObject | undefined {
  const path = transformerConfigPath(view, directory);
  const config = (path === undefined ? undefined : documentOf(view, path)) ?? {};
  const usual = kind === 'MLMTransformer' ? 'fill-mask' : 'feature-extraction';
  const task = textOf(config.transformer_task) ?? usual;
  const [method, output] = (Object.hasOwn(taskOutputs, task) ? taskOutputs[task] : undefined) ?? [];
  const defaults: JsonObject = {
    do_lower_case: false,
    modality_config: kind === 'CLIPModel' ? undefined : { text: { method: 'forward', method_output_name: method } },
    module_output_name: kind === 'CLIPModel' ? 'sentence_embedding' : output,
    transformer_task: 'feature-extraction',
  };
  // These say how the program runs, and the token limit, which is in the tokenizer's fingerprint.
  const { max_seq_length: _, unpad_inputs: _unpad, ...said } = config;
  const kept = Object.entries({ ...said, transformer_task: task }).flatMap(([name, value]) => {
    if (value === null || isEmpty(value) || canonicalJson(value) === canonicalJson(defaults[name] ?? null)) return [];
    return [[Object.hasOwn(renamedArguments, name) ? renamedArguments[name] : name, value]];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

/**
 * config_sentence_transformers.json without what changes no vector: versions, the similarity, empty
 * prompts.
 */
function librarySettings(config: JsonObject): JsonObject {
  const { __version__, similarity_fn_name, requirements, prompts, model_type, ...rest } = config;
  const said = Object.entries(objectOf(prompts)).filter(([, text]) => text !== '' && text !== null);
  const kept = Object.entries(rest).filter(([, value]) => value !== null);
  if (model_type !== undefined && model_type !== 'SentenceTransformer') kept.push(['model_type', model_type]);
  if (said.length > 0) kept.push(['prompts', Object.fromEntries(said)]);
  return Object.fromEntries(kept);
}
