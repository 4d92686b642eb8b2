import { isObject, type JsonObject } from '../contract/json-values.ts';
import { type Sha256, startHash } from '../core/hashing.ts';

/**
 * Entries are written as JSON and hashed so many at a time, so that no second copy of them all is
 * made.
 */
const hashedAtOnce = 4096;

/**
 * A tokenizer.json whose vocabulary and merges, which are nearly all of it, are replaced by `{
 * "count", "sha256" }`, and the rest as it was. Merges are the same as text (`"a b"`, tokenizers
 * before 0.20) and as pairs; scores of a Unigram vocabulary count as 32-bit floats, which they are
 * in SentencePiece's files, because tokenizers' own reader and writer differ in the last bits of
 * longer ones.
 */
export function condensedTokenizer(tokenizer: JsonObject): JsonObject {
  const { model } = tokenizer;
  if (!isObject(model)) return tokenizer;
  const { vocab, merges } = model;
  return {
    ...tokenizer,
    model: {
      ...model,
      ...(vocab === undefined
        ? {}
        : { vocab: Array.isArray(vocab) ? digestOf(vocab, scored) : vocabularyDigest(vocab) }),
      ...(Array.isArray(merges) ? { merges: digestOf(merges, pair) } : {}),
    },
  };
}

/** A vocabulary in the order of its ids, whatever its file's order. */
function vocabularyDigest(vocab: unknown): unknown {
  if (!isObject(vocab)) return vocab;
  const tokens = Object.keys(vocab);
  const byId = new Array<string | undefined>(tokens.length);
  for (const token of tokens) {
    const id = vocab[token];
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < byId.length) byId[id] = token;
  }
  if (!byId.includes(undefined)) return digestOf(byId);
  // Ids with gaps, or twice.
  return digestOf(tokens.sort().map((token) => [token, vocab[token]]));
}

function scored(entry: unknown): unknown {
  if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[1] !== 'number') return entry;
  return [entry[0], Math.fround(entry[1])];
}

function pair(merge: unknown): unknown {
  const parts = typeof merge === 'string' ? merge.split(' ') : [];
  return parts.length === 2 ? parts : merge;
}

function digestOf(
  items: readonly unknown[],
  form?: (item: unknown) => unknown,
): { readonly count: number; readonly sha256: Sha256 } {
  const hash = startHash();
  for (let at = 0; at < items.length; at += hashedAtOnce) {
    const some = items.slice(at, at + hashedAtOnce);
    hash.update(JSON.stringify(form === undefined ? some : some.map(form)));
  }
  return { count: items.length, sha256: hash.digest('hex') };
}
