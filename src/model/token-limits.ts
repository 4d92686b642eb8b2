import { countOf, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { transformerConfigPath } from './pooling.ts';

/** transformers writes 10^30 where a tokenizer knows no limit; no real one is beyond this. */
const sanestLimit = 10_000_000;

/** Architectures whose positions are counted from `pad_token_id` + 1, so that config.json's number is higher than what fits. */
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

/** Relative positions alone: config.json's number bounds nothing. */
const unbounded = new Set(['t5', 'mt5', 'umt5', 'longt5', 'xlnet']);

interface Limit {
  readonly file: string;
  readonly at: string;
  readonly tokens: number;
}

/**
 * How many tokens of a text count: `sentence_bert_config.json`, else the tokenizer's `model_max_length` as far as there are
 * positions, else the positions. Which file is obeyed depends on the loader (sentence-transformers: the first; the tokenizers
 * library: tokenizer.json; transformers: tokenizer_config.json), so that files that disagree give other vectors for long texts. Null
 * where nothing bounds it.
 */
export function maxTokensFact(view: ModelView, base: string, findings: Findings): number | null {
  const sentence = limitIn(view, transformerConfigPath(view, base), 'max_seq_length');
  const tokenizer = limitIn(view, inDirectory(base, 'tokenizer_config.json'), 'model_max_length');
  const truncation = truncationLimit(view, inDirectory(base, 'tokenizer.json'));
  const positions = positionLimit(view, inDirectory(base, 'config.json'));
  const stated = [truncation, sentence, tokenizer].filter((limit) => limit !== undefined);
  reportDisagreement(
    stated,
    positions,
    findings,
    [truncation, tokenizer].some((limit) => limit !== undefined),
  );
  if (sentence !== undefined) return sentence.tokens;
  const tokens = Math.min(tokenizer?.tokens ?? Infinity, positions?.tokens ?? Infinity);
  return tokens === Infinity ? (truncation?.tokens ?? null) : tokens;
}

function limitIn(view: ModelView, file: string | undefined, key: string): Limit | undefined {
  if (file === undefined) return undefined;
  const tokens = countOf(documentOf(view, file)?.[key]);
  return tokens === undefined || tokens > sanestLimit ? undefined : { file, at: `$.${key}`, tokens };
}

function truncationLimit(view: ModelView, file: string): Limit | undefined {
  const tokens = countOf(objectOf(documentOf(view, file)?.truncation).max_length);
  return tokens === undefined ? undefined : { file, at: '$.truncation.max_length', tokens };
}

function positionLimit(view: ModelView, file: string): Limit | undefined {
  const config = documentOf(view, file);
  const type = textOf(config?.model_type) ?? '';
  if (config === undefined || unbounded.has(type)) return undefined;
  const text = objectOf(config.text_config);
  const candidates: readonly (readonly [string, JsonObject, string])[] = [
    ['$.max_position_embeddings', config, 'max_position_embeddings'],
    ['$.n_positions', config, 'n_positions'],
    ['$.text_config.max_position_embeddings', text, 'max_position_embeddings'],
  ];
  for (const [at, object, key] of candidates) {
    const written = countOf(object[key]);
    if (written === undefined) continue;
    const padding = typeof config.pad_token_id === 'number' ? config.pad_token_id : 1;
    const tokens = countedFromPadding.has(type) ? written - padding - 1 : written;
    return tokens > 0 ? { file, at, tokens } : undefined;
  }
  return undefined;
}

/**
 * More positions than the stated limit are room to spare, unless nothing tells the tokenizer of that limit: then loaders that
 * don't read the library's config use all of them.
 */
function reportDisagreement(
  stated: readonly Limit[],
  positions: Limit | undefined,
  findings: Findings,
  tokenizerKnows: boolean,
): void {
  const limits = positions === undefined ? stated : [...stated, positions];
  const lowest = Math.min(...stated.map(({ tokens }) => tokens));
  const highest = Math.max(...stated.map(({ tokens }) => tokens));
  const room = positions?.tokens ?? lowest;
  const agree = lowest === highest && (room === highest || (room > highest && tokenizerKnows));
  if (stated.length === 0 || agree) return;
  const [first] = limits;
  const said = limits.map(({ file, at, tokens }) => `${tokens} in ${file} ${at}`).join(', ');
  findings.warning({
    in: first?.file,
    at: first?.at,
    message: `the model's files disagree on the token limit: ${said}`,
    hint: 'Loaders obey different files, and cut long texts at different places: write the limit that the model was trained with into each.',
  });
}
