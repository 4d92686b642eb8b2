import { isObject, type JsonObject, objectOf } from '../contract/json-values.ts';

/**
 * The highest ids of a tokenizer. `ordinary`: of the tokens that any text may be split into.
 * `special`: of special tokens, which occur only where a text spells them out.
 */
export interface HighestIds {
  readonly ordinary: number;
  readonly special: number;
}

/** From a parsed tokenizer.json. */
export function highestIds(tokenizer: JsonObject): HighestIds {
  const { vocab } = objectOf(tokenizer.model);
  const added = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens.filter(isObject) : [];
  const ids = (special: boolean): number =>
    highest(added.filter((token) => (token.special === true) === special).map(({ id }) => id));
  // A Unigram vocabulary is a list, others map tokens to ids.
  const own = Array.isArray(vocab) ? vocab.length - 1 : highest(Object.values(objectOf(vocab)));
  return { ordinary: Math.max(own, ids(false)), special: ids(true) };
}

export function highest(ids: readonly unknown[]): number {
  return ids.reduce<number>((most, id) => (typeof id === 'number' && id > most ? id : most), -1);
}
