import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView, readStart } from './model-view.ts';
import { tensorsIn, tokenEmbedding, wordVectors } from './network-weights.ts';
import { type HighestIds, highest } from './token-ids.ts';

/** A longer vocab.txt isn't read. Real ones have at most a few megabytes. */
const maxVocabularyBytes = 32 * 1024 * 1024;

/**
 * A tokenizer of another model may give ids beyond the embedding's rows. Loaders then fail at such
 * a text, or read foreign memory: an error. Sound models have special tokens beyond the rows too
 * (EmbeddingGemma's `<image_soft_token>`), so those are only a warning.
 */
export async function checkTokenizerSize(view: ModelView, base: string, findings: Findings): Promise<void> {
  const tensors = tensorsIn(view, base) ?? [];
  // In model2vec several tokens may share a row: then `mapping` has a number for each token.
  const rowsOf = tensors.find(({ name }) => name === 'mapping') ?? tokenEmbedding(tensors) ?? wordVectors(tensors);
  const rows = rowsOf?.shape[0];
  const found = await idsOf(view, base);
  if (rows === undefined || found === undefined) return;
  const [path, { ordinary, special }] = found;
  const but = `but the tensor ${rowsOf?.name} has ${rows} rows`;
  const resize =
    'give the embedding a row for each token (model.resize_token_embeddings(len(tokenizer))) and save both.';
  if (ordinary >= rows) {
    findings.error({
      in: path,
      message: `has ids up to ${ordinary}, ${but}: texts with such tokens fail`,
      hint: `Take the tokenizer that belongs to the weights, or ${resize}`,
    });
  } else if (special >= rows) {
    findings.warning({
      in: path,
      message: `has a special token with the id ${special}, ${but}: a text that spells it out fails`,
      hint: `Take the token out of "added_tokens", or ${resize}`,
    });
  }
}

/**
 * The highest ids, and the file they are from: tokenizer.json, else vocab.txt (one token a line),
 * else vocab.json.
 */
async function idsOf(view: ModelView, base: string): Promise<readonly [string, HighestIds] | undefined> {
  const path = inDirectory(base, 'tokenizer.json');
  const ids = view.tokenIds.get(path);
  if (ids !== undefined) return [path, ids];
  const list = view.files.get(inDirectory(base, 'vocab.txt'));
  if (list !== undefined && list.sizeBytes <= maxVocabularyBytes) {
    const lines = (await readStart(list, maxVocabularyBytes)).toString('latin1').trimEnd().split('\n').length;
    return [list.path, { ordinary: lines - 1, special: -1 }];
  }
  const map = inDirectory(base, 'vocab.json');
  const vocabulary = documentOf(view, map);
  return vocabulary === undefined ? undefined : [map, { ordinary: highest(Object.values(vocabulary)), special: -1 }];
}
