import type { ManifestModel, ManifestWeights, SpaceEvidence } from '../../contract/manifest.ts';
import type { ReferenceVectors } from '../../contract/reference-vectors.ts';
import { countDistinct } from '../../contract/vector-distance.ts';
import { AircherError } from '../../core/errors.ts';
import { plural } from '../../core/format.ts';
import { defaultWeights } from '../../model/fingerprints.ts';
import { weightsAfter } from '../../model/version-rules.ts';
import type { PackRecord } from '../pack/pack-record.ts';
import { compareVectors } from './compare-vectors.ts';
import type { EarlierVectors } from './earlier-vectors.ts';

/** A version's weights with their spaces, and why these are an older version's, if they are. */
export interface DecidedSpaces {
  readonly weights: readonly ManifestWeights[];
  readonly evidence?: SpaceEvidence | undefined;
}

/** Fewer texts with vectors of their own than these show too little of what a model does. */
const leastTexts = 16;

/** A tolerance of runtimes may be wider; what is called the same space may not. */
const mostDistance = 1e-4;

/**
 * Spaces by fingerprints; and where `origin` is given, since the space is to be kept, by evidence:
 * vectors of the version in which the space began come out equal. It speaks for the weights that
 * were embedded. Throws `invalid` with the numbers where they don't.
 */
export function decideSpaces(
  record: PackRecord,
  previous: ManifestModel | null,
  vectors?: ReferenceVectors,
  origin?: { readonly of: EarlierVectors; readonly vectors: ReferenceVectors },
): DecidedSpaces {
  const weights = weightsAfter(previous, record);
  const spaceBefore = (one: ManifestWeights): string | undefined =>
    one.default ? previous?.embedding?.space : previous?.weights?.find(({ path }) => path === one.path)?.space;
  const changed = weights.filter((one) => one.space !== (spaceBefore(one) ?? one.space));
  const isKept = !changed.some((one) => one.default);
  const carried = isKept ? previous?.space_evidence : undefined;
  if (previous === null || vectors === undefined || origin === undefined || changed.length === 0) {
    return { weights, evidence: carried };
  }
  const { of } = origin;
  const rebuild = 'Take "keep_space" out of release.json: it is another space then, and indices must be rebuilt.';
  const refuse = (fact: string, remedy = ''): never => {
    throw new AircherError('invalid', `the space of ${record.model} ${of.version} can't be kept: ${fact}`, {
      hint: `${rebuild}${remedy}`,
    });
  };
  const fields = ['kind', 'dimensions', 'normalized'] as const;
  const other = fields.find((field) => record.facts.embedding[field] !== previous.embedding?.[field]);
  if (other !== undefined) refuse(`"${other}" is ${record.facts.embedding[other]}, was ${previous.embedding?.[other]}`);
  const compared = compareVectors(vectors, origin.vectors);
  if (compared === undefined) return refuse('its vectors have other dimensions, or no text in common');
  const { texts, sets } = compared;
  for (const { earlier } of sets) {
    // Two that are nearer than what counts as the same space show no more than one.
    const distinct = countDistinct(earlier.vectors, mostDistance, leastTexts);
    if (distinct >= leastTexts) continue;
    refuse(
      `${of.version} was tried on ${plural(texts, 'text')}, ${distinct} of them with a vector of its own (${earlier.weights}), and less than ${leastTexts} show too little`,
      ` Or release the files of ${of.version} once more under the next patch version, without "keep_space" and with more texts of different kinds; this version can be measured by that one.`,
    );
  }
  const far = sets
    .map((one) => ({ ...one, limit: Math.min(one.earlier.tolerance, mostDistance) }))
    .filter(({ max_cosine_distance: distance, limit }) => distance > limit)
    .map(({ set, max_cosine_distance: distance, worst, limit }) => {
      const text = JSON.stringify(worst);
      return `${set.weights} has a distance of ${distance.toPrecision(3)} (text ${text}), allowed are ${limit}`;
    });
  if (far.length > 0) refuse(`over ${texts} texts ${far.join('; ')}`);
  const measured = new Map(sets.map(({ set, earlier }) => [set.weights, earlier.space]));
  const kept = weights.map((one) => {
    const before = spaceBefore(one);
    const holds = before !== undefined && changed.includes(one) && measured.get(one.path) === before;
    return holds ? { ...one, space: before } : one;
  });
  if (defaultWeights(kept)?.space !== previous.embedding?.space) refuse('its reference vectors are of another space');
  const max = Math.max(...sets.map((one) => one.max_cosine_distance));
  return { weights: kept, evidence: { origin: of, max_cosine_distance: max, texts } };
}
