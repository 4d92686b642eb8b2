import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject } from '../contract/json-values.ts';
import { type Sha256, startHash } from '../core/hashing.ts';

/** Strings are gathered up to so many before they are hashed. */
const hashedAtOnce = 4096;

/**
 * A tokenizer.json whose vocabulary and merges, which are nearly all of it, are replaced by `{ "count", "sha256" }`, and the rest as
 * it was. Merges are the same as text (`"a b"`, tokenizers before 0.20) and as pairs; scores of a Unigram vocabulary count as
 * 32-bit floats, which they are in SentencePiece's files, because tokenizers' own reader and writer differ in the last bits of longer ones.
 */
export function condensedTokenizer(tokenizer: JsonObject): JsonObject {
  const { model } = tokenizer;
  if (!isObject(model)) return tokenizer;
  const { vocab, merges } = model;
  return {
    ...tokenizer,
    model: {
      ...model,
      ...(vocab === undefined ? {} : { vocab: Array.isArray(vocab) ? digestOf(vocab.map(scored)) : vocabularyDigest(vocab) }),
      ...(Array.isArray(merges) ? { merges: digestOf(merges.map(pair)) } : {}),
    },
  };
}

function vocabularyDigest(vocab: unknown): unknown {
  if (!isObject(vocab)) return vocab;
  const entries = Object.entries(vocab).map(([token, id]): [unknown, string] => [id, token]);
  entries.sort(([a, one], [b, other]) => Number(a) - Number(b) || (one < other ? -1 : 1));
  return digestOf(entries);
}

function scored(entry: unknown): unknown {
  if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[1] !== 'number') return entry;
  return [entry[0], Math.fround(entry[1])];
}

function pair(merge: unknown): unknown {
  const parts = typeof merge === 'string' ? merge.split(' ') : [];
  return parts.length === 2 ? parts : merge;
}

function digestOf(items: readonly unknown[]): { readonly count: number; readonly sha256: Sha256 } {
  const hash = startHash();
  for (let at = 0; at < items.length; at += hashedAtOnce) {
    hash.update(items.slice(at, at + hashedAtOnce).map((item) => `${canonicalJson(item)}\n`).join(''));
  }
  return { count: items.length, sha256: hash.digest('hex') };
}
