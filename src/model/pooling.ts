import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf } from '../contract/json-values.ts';
import { compareBytes } from '../contract/names.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import { networkFields } from './architecture.ts';
import { isShardIndex, isTokenizerFile } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { isRouter, type Module } from './modules.ts';

/** Flags of a pooling config before sentence-transformers 6, in the order in which it concatenates. */
const modeFlags: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

/** The name since sentence-transformers 6, and the one before. */
export const dimensionKeys = ['embedding_dimension', 'word_embedding_dimension'] as const;

/** Values that the library takes where a module's config leaves the key out; its versions differ in which of them they write. */
const moduleDefaults: Readonly<Record<string, unknown>> = {
  include_prompt: true,
  module_input_name: 'sentence_embedding',
  module_output_name: 'sentence_embedding',
  use_residual: false,
};

/** File names that sentence-transformers looks for, in its order; the first one counts. */
export const transformerConfigNames = [
  'sentence_bert_config.json',
  'sentence_roberta_config.json',
  'sentence_distilbert_config.json',
  'sentence_camembert_config.json',
  'sentence_albert_config.json',
  'sentence_xlm-roberta_config.json',
  'sentence_xlnet_config.json',
] as const;

export const libraryConfigName = 'config_sentence_transformers.json';

/** Modes of a pooling config. Its newest form is `pooling_mode`: a name or a list. */
export function poolingModes(config: JsonObject): readonly string[] {
  const { pooling_mode: mode } = config;
  if (typeof mode === 'string') return [mode];
  if (Array.isArray(mode)) return mode.filter((name) => typeof name === 'string');
  return Object.entries(modeFlags).flatMap(([flag, name]) => (config[flag] === true ? [name] : []));
}

/** The manifest's `pooling`; null where the model doesn't say it. */
export function poolingFact(modules: readonly Module[] | undefined, findings: Findings): string | null {
  const poolings = modules?.filter(({ kind }) => kind === 'Pooling') ?? [];
  const [pooling] = poolings;
  if (pooling === undefined || modules?.some(isRouter)) return null;
  const modes = poolingModes(pooling.config);
  if (poolings.length > 1) {
    findings.warning({ in: 'modules.json', message: `names ${poolings.length} poolings`, hint: 'Keep one of them.' });
  }
  if (modes.length === 0 && Object.keys(pooling.config).length > 0) {
    findings.warning({
      in: pooling.configPath,
      message: 'chooses no pooling mode: newer versions of sentence-transformers take the mean, older ones fail',
      hint: 'Set the mode that the model was trained with, such as "pooling_mode_mean_tokens": true.',
    });
    return 'mean';
  }
  if (modes.length > 1) {
    findings.warning({
      in: pooling.configPath,
      message: `chooses several pooling modes (${modes.join(', ')}): sentence-transformers concatenates them, others take one`,
      hint: 'Keep the mode that the model was trained with, unless all are meant.',
    });
  }
  return modes.length === 0 ? null : modes.join('+');
}

/**
 * Digest of everything behind the network that decides the vectors: the modules and their configs, the library's config of the
 * transformer, and the prompts. It is made of what the files say, not of their bytes, so that a model that is only saved again by a newer
 * version of the library stays the same. `files`: those it was made of. Null where the model has none.
 */
export function poolingFingerprint(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
): { readonly digest: Sha256 | null; readonly files: readonly string[] } {
  const files = new Set<string>(modules === undefined ? [] : ['modules.json']);
  const chain = modules?.map((module) => describeModule(view, module, base, files));
  const transformerPath = transformerConfigPath(view, base);
  if (transformerPath !== undefined) files.add(transformerPath);
  const transformer =
    transformerPath === undefined ? undefined : transformerSettings(documentOf(view, transformerPath));
  const library = librarySettings(documentOf(view, libraryConfigName) ?? {});
  if (Object.keys(library).length > 0) files.add(libraryConfigName);
  if (files.size === 0) return { digest: null, files: [] };
  const digest = sha256(canonicalJson({ modules: chain, transformer, library }));
  return { digest, files: [...files].sort(compareBytes) };
}

/** Path of the library's config of the transformer, or undefined. */
export function transformerConfigPath(view: ModelView, base: string): string | undefined {
  return transformerConfigNames.map((name) => inDirectory(base, name)).find((path) => view.files.has(path));
}

function describeModule(view: ModelView, module: Module, base: string, files: Set<string>): JsonObject {
  const described: JsonObject = { kind: module.custom ?? module.kind, kwargs: module.kwargs };
  // Its config.json is the architecture.
  if (module.kind === 'Transformer' && module.directory === base) return described;
  const { config, configPath, directory } = module;
  if (view.documents.has(configPath)) files.add(configPath);
  const folders = directory === '' ? [] : [directory];
  if (isRouter(module)) folders.push(...Object.keys(objectOf(config.types)).map((key) => inDirectory(directory, key)));
  const others = [...view.documents].filter(
    ([path]) =>
      path !== configPath &&
      folders.some((folder) => path.startsWith(`${folder}/`)) &&
      !isTokenizerFile(path) &&
      !isShardIndex(path),
  );
  for (const [path] of others) files.add(path);
  const settings = module.kind === 'Pooling' ? poolingSettings(config) : moduleSettings(config);
  const rest = others.map(([path, value]) => [path, isObject(value) ? moduleSettings(value) : value]);
  return { ...described, config: settings, others: Object.fromEntries(rest) };
}

function moduleSettings(config: JsonObject): JsonObject {
  const kept = Object.entries(networkFields(config, [])).filter(
    ([key, value]) => value !== null && !(Object.hasOwn(moduleDefaults, key) && moduleDefaults[key] === value),
  );
  return Object.fromEntries(kept);
}

/** Old and new spelling of the same pooling come out equal. */
function poolingSettings(config: JsonObject): JsonObject {
  const rest = Object.entries(moduleSettings(config)).filter(
    ([key]) => !Object.hasOwn(modeFlags, key) && key !== 'pooling_mode' && !dimensionKeys.some((name) => name === key),
  );
  const dimension = dimensionKeys.map((key) => config[key]).find((value) => value !== undefined);
  const modes = poolingModes(config);
  return { ...Object.fromEntries(rest), dimension, modes: modes.length === 0 ? ['mean'] : modes };
}

function transformerSettings(config: JsonObject | undefined): JsonObject {
  const kept = Object.entries(config ?? {}).filter(
    ([key, value]) => value !== null && !(key === 'do_lower_case' && value === false),
  );
  return Object.fromEntries(kept);
}

/** config_sentence_transformers.json without what changes no vector: versions, the similarity, prompts that are empty. */
function librarySettings(config: JsonObject): JsonObject {
  const { __version__, similarity_fn_name, requirements, prompts, model_type, ...rest } = config;
  const said = Object.entries(objectOf(prompts)).filter(([, text]) => text !== '' && text !== null);
  const kept = Object.entries(rest).filter(([, value]) => value !== null);
  if (model_type !== undefined && model_type !== 'SentenceTransformer') kept.push(['model_type', model_type]);
  if (said.length > 0) kept.push(['prompts', Object.fromEntries(said)]);
  return Object.fromEntries(kept);
}
