import type { ReferenceText } from '../../contract/embed-protocol.ts';
import { cosineDistance } from '../../contract/vector-distance.ts';

/** By which texts differ, and how far: what tells one mistake of a runtime from another. */

/** One text: the vector that is expected, and the one that came. */
export interface Pair extends ReferenceText {
  readonly expected: Float32Array;
  readonly found: Float32Array;
  /** 1 − cosine; NaN where there is none. */
  readonly distance: number;
  readonly isEqual: boolean;
}

/** Each that differs has the vector of another one that differs, and no two of the same. */
export function isShuffled(pairs: readonly Pair[], wrong: readonly Pair[], tolerance: number): boolean {
  const left = new Set(wrong);
  return (
    pairs.length > 1 &&
    wrong.every(({ found }) => {
      const owner = [...left].find(({ expected }) => cosineDistance(expected, found) <= tolerance);
      return owner !== undefined && left.delete(owner);
    })
  );
}

/** It has the vector of the same text with another prompt, or none. */
export function isOfOtherPrompt({ text, prompt, found }: Pair, pairs: readonly Pair[], tolerance: number): boolean {
  return pairs.some(
    (pair) => pair.text === text && pair.prompt !== prompt && cosineDistance(pair.expected, found) <= tolerance,
  );
}

/**
 * Texts that differ are longer than those that don't, but for a few: how many tokens a text has is
 * known by its words, letters of other scripts and punctuation only roughly. No limit is so low
 * that texts of a few tokens reach it; of single tokens every pooling makes the same.
 */
export function isCut(pairs: readonly Pair[], wrong: readonly Pair[]): boolean {
  const right = pairs.filter(({ isEqual }) => isEqual).map(tokensOf);
  const longer = wrong.map(tokensOf).map((tokens) => right.filter((other) => other < tokens).length);
  const isLonger = longer.reduce((sum, count) => sum + count, 0) >= 0.95 * wrong.length * right.length;
  return isLonger && right.some((tokens) => tokens > lowestLimit);
}

const lowestLimit = 4;

function tokensOf({ text }: Pair): number {
  return text.match(/[A-Za-z0-9]+|[^\sA-Za-z0-9]/gu)?.length ?? 0;
}

/**
 * Only texts with upper-case letters or marks differ, and most of those with the one or the other.
 * Prompts have letters of their own.
 */
export function isOfLetters(pairs: readonly Pair[], wrong: readonly Pair[]): boolean {
  const isPlain = ({ prompt }: Pair): boolean => prompt === null;
  const isUpper = ({ text }: Pair): boolean => text !== text.toLowerCase();
  const isMarked = ({ text }: Pair): boolean => /\p{M}/u.test(text.normalize('NFD'));
  const plain = wrong.filter(isPlain);
  const most = (test: (pair: Pair) => boolean): boolean =>
    plain.filter(test).length > 0.7 * pairs.filter(isPlain).filter(test).length;
  return plain.every((pair) => isUpper(pair) || isMarked(pair)) && (most(isUpper) || most(isMarked));
}

/** Nearly all texts differ, and none by much: so arithmetic of fewer bits does. */
export function isSlight(pairs: readonly Pair[]): boolean {
  const most = Math.max(...pairs.map(({ distance }) => distance));
  const middle = median(pairs);
  return most < mostOfPrecision && middle > leastOfPrecision && middle > most / 100;
}

/** Below, sums in another order differ, too. */
const leastOfPrecision = 1e-8;
export const mostOfPrecision = 3e-2;

export function median(pairs: readonly Pair[]): number {
  const sorted = pairs.map(({ distance }) => distance).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
