import { isObject, type JsonObject } from '../contract/json-values.ts';
import { type Sha256, startHash } from '../core/hashing.ts';

/**
 * So many entries are written as JSON and hashed at a time: all at once would be a second copy of
 * the vocabulary in memory.
 */
const hashedAtOnce = 4096;

/**
 * A tokenizer.json with its vocabulary and its merges replaced by `{ "count", "sha256" }`. They are
 * nearly all of it; the rest stays as it was.
 *
 * - Merges written as text (`"a b"`, tokenizers before 0.20) and as pairs get the same digest.
 * - Scores of a Unigram vocabulary are rounded to 32-bit floats. SentencePiece's files have no more
 *   digits, and reading and writing a file with the tokenizers library changes the last digits of
 *   longer ones.
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
        : { vocab: Array.isArray(vocab) ? digestOf(vocab, withRoundedScore) : vocabularyDigest(vocab) }),
      ...(Array.isArray(merges) ? { merges: digestOf(merges, asPair) } : {}),
    },
  };
}

/** The digest of a vocabulary, ordered by ids: the order in the file doesn't matter. */
function vocabularyDigest(vocab: unknown): unknown {
  if (!isObject(vocab)) return vocab;
  const tokens = Object.keys(vocab);
  const byId = new Array<string | undefined>(tokens.length);
  for (const token of tokens) {
    const id = vocab[token];
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < byId.length) byId[id] = token;
  }
  if (!byId.includes(undefined)) return digestOf(byId);
  // Some ids are missing or used twice, so the ids count too.
  return digestOf(tokens.sort().map((token) => [token, vocab[token]]));
}

function withRoundedScore(entry: unknown): unknown {
  if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[1] !== 'number') return entry;
  return [entry[0], Math.fround(entry[1])];
}

function asPair(merge: unknown): unknown {
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
