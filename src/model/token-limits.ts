import { countOf, isObject, objectOf, textOf } from '../contract/json-values.ts';
import type { Findings } from './findings.ts';
import type { EmbeddingKind } from './kind.ts';
import { colbertMetadata, documentOf, inDirectory, type ModelView } from './model-view.ts';
import { statedIn } from './network-weights.ts';
import { libraryConfigName, transformerConfigPath } from './pooling.ts';

/** transformers writes 10^30 for "no limit". No real limit is above this number. */
const highestRealLimit = 10_000_000;

/**
 * Architectures that count positions from `pad_token_id` + 1. Fewer tokens fit than config.json's
 * number says.
 */
const countedFromPadding = new Set([
  'roberta',
  'xlm-roberta',
  'xlm-roberta-xl',
  'camembert',
  'roberta-prelayernorm',
  'longformer',
  'mpnet',
  'data2vec-text',
  'ibert',
]);

/** Architectures with relative positions only: config.json's number is no limit. */
const unbounded = new Set(['t5', 'mt5', 'umt5', 'longt5', 'xlnet']);

/**
 * Limits that differ are reported only where the lowest is at most this: texts of that length are
 * common. Higher limits often differ (tokenizers of 32,768 or 131,072 tokens before a network of
 * 8,192), and few texts reach them.
 */
const commonLength = 512;

interface Limit {
  readonly file: string;
  readonly at: string;
  readonly tokens: number;
}

/**
 * How many tokens of a text are used. The first of these that is there: `max_seq_length` of
 * sentence_bert_config.json, the tokenizer's `model_max_length`; but never more than there are
 * positions. Without any of them, where tokenizer.json cuts. For models with a vector per token,
 * the length of documents. Null where nothing limits it.
 *
 * Which file counts depends on the loader (the tokenizers library reads tokenizer.json,
 * transformers tokenizer_config.json). Where the files disagree, long texts get different vectors,
 * which is reported.
 */
export function maxTokensFact(view: ModelView, base: string, kind: EmbeddingKind, findings: Findings): number | null {
  const library =
    kind === 'multi-vector'
      ? (limitIn(view, libraryConfigName, 'document_length') ?? limitIn(view, colbertMetadata, 'doc_maxlen'))
      : (limitIn(view, transformerConfigPath(view, base), 'max_seq_length') ??
        limitIn(view, inDirectory(base, 'wordembedding_config.json'), 'max_seq_length'));
  const tokenizer = limitIn(view, inDirectory(base, 'tokenizer_config.json'), 'model_max_length');
  const truncation = truncationLimit(view, inDirectory(base, 'tokenizer.json'));
  const positions = positionLimit(view, inDirectory(base, 'config.json'));
  const bounded = (tokens: number | undefined): number => Math.min(tokens ?? Infinity, positions?.tokens ?? Infinity);
  const taken = bounded(library?.tokens ?? tokenizer?.tokens);
  const tokens = taken === Infinity ? truncation?.tokens : taken;
  if (tokens === undefined) return null;
  // ColBERT has limits of its own for queries and documents.
  if (kind === 'multi-vector') return tokens;
  const used = [truncation?.tokens ?? tokens];
  if (view.files.has(inDirectory(base, 'tokenizer_config.json'))) used.push(bounded(tokenizer?.tokens));
  const beyond = library !== undefined && library.tokens > tokens;
  if (beyond || (used.some((other) => other !== tokens) && Math.min(tokens, ...used) <= commonLength)) {
    reportDisagreement({ library, tokenizer, truncation, positions }, tokens, findings);
  }
  return tokens;
}

function limitIn(view: ModelView, file: string | undefined, key: string): Limit | undefined {
  if (file === undefined) return undefined;
  const tokens = countOf(documentOf(view, file)?.[key]);
  return tokens === undefined || tokens > highestRealLimit ? undefined : { file, at: `$.${key}`, tokens };
}

function truncationLimit(view: ModelView, file: string): Limit | undefined {
  const tokens = countOf(objectOf(documentOf(view, file)?.truncation).max_length);
  return tokens === undefined ? undefined : { file, at: '$.truncation.max_length', tokens };
}

function positionLimit(view: ModelView, file: string): Limit | undefined {
  const config = documentOf(view, file);
  const type = textOf(config?.model_type) ?? '';
  const stated = statedIn(config, ['max_position_embeddings', 'n_positions']);
  if (stated === undefined || unbounded.has(type)) return undefined;
  const padding = typeof config?.pad_token_id === 'number' ? config.pad_token_id : 1;
  // A model with code of its own (jina v3) may count positions differently.
  const behind = countedFromPadding.has(type) && !isObject(config?.auto_map);
  const tokens = behind ? stated.value - padding - 1 : stated.value;
  return tokens > 0 ? { file, at: `${stated.prefix}.${stated.key}`, tokens } : undefined;
}

/**
 * Reports limits that disagree. `tokens`: what sentence-transformers takes. The hint never says to
 * change the number of positions: it is the size of a tensor.
 */
function reportDisagreement(
  limits: Readonly<Record<'library' | 'tokenizer' | 'truncation' | 'positions', Limit | undefined>>,
  tokens: number,
  findings: Findings,
): void {
  const { library, tokenizer, truncation, positions } = limits;
  const told = [truncation, library, tokenizer, positions].filter((limit) => limit !== undefined);
  const wrong = [truncation, library, tokenizer].filter((limit) => limit !== undefined && limit.tokens !== tokens);
  const places = wrong.map((limit) => `${limit?.file} ${limit?.at}`);
  if (tokenizer === undefined) places.push('tokenizer_config.json $.model_max_length');
  findings.warning({
    in: told[0]?.file,
    at: told[0]?.at,
    message: `loaders cut long texts at different places: ${told.map(({ file, at, tokens: said }) => `${said} in ${file} ${at}`).join(', ')}`,
    hint: `sentence-transformers takes ${tokens}; where the model was trained so, write ${tokens} in ${places.join(' and ')}.${
      positions === undefined || positions.tokens === tokens
        ? ''
        : ` Leave ${positions.at} as it is: it is the size of a tensor.`
    }`,
  });
}
