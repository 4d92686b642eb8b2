/**
 * How far two vectors point apart: 1 − cosine, from 0 to 2, summed in double precision. Two zero
 * vectors are equal, a zero vector and another have nothing in common (1). NaN where a number is
 * NaN, or the lengths differ.
 */
export function cosineDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let [dot, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at]!, b[at]!];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (aa === 0 || bb === 0) return aa === bb ? 0 : aa + bb > 0 ? 1 : Number.NaN;
  // Of equal vectors the root is exact, so that they have no distance.
  return Math.max(0, 1 - dot / Math.sqrt(aa * bb));
}

/**
 * How many of the vectors tell something apart: they aren't zero, and are farther than `distance`
 * from those that were counted before. Counts up to `enough`.
 */
export function countDistinct(vectors: readonly ArrayLike<number>[], distance: number, enough: number): number {
  const counted: ArrayLike<number>[] = [];
  for (const vector of vectors) {
    if (counted.length >= enough) break;
    if (vectorNorm(vector) === 0) continue;
    if (counted.every((other) => cosineDistance(vector, other) > distance)) counted.push(vector);
  }
  return counted.length;
}

/** The vector's length. */
export function vectorNorm(vector: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += vector[at]! * vector[at]!;
  return Math.sqrt(sum);
}

/** What two norms may differ by where the reference is normalised. */
export const normTolerance = 0.01;

/** By how much `norm` differs from the reference's, as a share of that. */
export function normDifference(norm: number, reference: number): number {
  return norm === reference ? 0 : Math.abs(norm - reference) / reference;
}
