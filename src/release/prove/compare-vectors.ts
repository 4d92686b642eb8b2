import type { ReferenceVectors, VectorSet } from '../../contract/reference-vectors.ts';
import { cosineDistance } from '../../contract/vector-distance.ts';
import { sameText } from './reference-texts.ts';

/** How far two versions' vectors of the same texts are apart. */
export interface VectorsCompared {
  /** Texts that both have. */
  readonly texts: number;
  /** For each rendition that both have, the largest 1 − cosine, and the text that has it. */
  readonly sets: readonly {
    readonly set: VectorSet;
    readonly earlier: VectorSet;
    readonly max_cosine_distance: number;
    readonly worst: string;
  }[];
}

/**
 * Compares a version's vectors with an earlier one's. The default's set, the first, is compared
 * with the default's, others by path. Undefined where they have no text in common, or other
 * dimensions.
 */
export function compareVectors(now: ReferenceVectors, earlier: ReferenceVectors): VectorsCompared | undefined {
  const places = new Map(earlier.texts.map((text, at) => [sameText(text), at]));
  const pairs = now.texts.flatMap((text, at) => {
    const place = places.get(sameText(text));
    return place === undefined ? [] : [{ id: text.id, at, place }];
  });
  if (pairs.length === 0 || now.dimensions !== earlier.dimensions) return undefined;
  const sets = now.sets.flatMap((set, number) => {
    const other = number === 0 ? earlier.sets[0] : earlier.sets.slice(1).find(({ weights }) => weights === set.weights);
    if (other === undefined) return [];
    const far = pairs
      .map(({ id, at, place }) => ({ id, distance: cosineDistance(set.vectors[at]!, other.vectors[place]!) }))
      .reduce((worst, one) => (one.distance > worst.distance ? one : worst));
    return [{ set, earlier: other, max_cosine_distance: far.distance, worst: far.id }];
  });
  return { texts: pairs.length, sets };
}
