import type { JsonObject } from '../contract/json-values.ts';
import type { Findings } from './findings.ts';
import { inDirectory, type ModelView } from './model-view.ts';
import { isRouter, type Module } from './modules.ts';

/**
 * Flags of a pooling config before sentence-transformers 6, in the order in which the results are
 * concatenated.
 */
export const modeFlags: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

/** The key since sentence-transformers 6, and the one before. */
export const dimensionKeys = ['embedding_dimension', 'word_embedding_dimension'] as const;

/**
 * Names of the transformer's config, in the order in which sentence-transformers looks for them.
 * The first that exists counts.
 */
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

/**
 * The modes of a pooling config. In the newest form they stand in `pooling_mode`, as a name or a
 * list.
 */
export function poolingModes(config: JsonObject): readonly string[] {
  const { pooling_mode: mode } = config;
  if (typeof mode === 'string') return [mode];
  if (Array.isArray(mode)) return mode.filter((name) => typeof name === 'string');
  return Object.entries(modeFlags).flatMap(([flag, name]) => (config[flag] === true ? [name] : []));
}

/** The manifest's `pooling`. Null where the model doesn't say it. */
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

/** Path of the library's config of the transformer, or undefined. */
export function transformerConfigPath(view: ModelView, base: string): string | undefined {
  return transformerConfigNames.map((name) => inDirectory(base, name)).find((path) => view.files.has(path));
}
