import type { ManifestModel } from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ReferenceVectors } from '../../contract/reference-vectors.ts';
import type { Problem } from '../../core/errors.ts';
import { defaultWeights } from '../../model/fingerprints.ts';
import { weightsAfter } from '../../model/version-rules.ts';
import type { PackRecord } from '../pack/pack-record.ts';
import type { MeasuredChange, PlannedModel } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { compareVectors } from './compare-vectors.ts';
import { lastVectors, readEarlierVectors } from './earlier-vectors.ts';
import { readVectors } from './vectors-file.ts';

/**
 * Of the vectors that `prove` wrote for a planned model; undefined where it wrote none yet, or
 * there is nothing to compare them with.
 */
export async function measuredChange(
  { name, version, action, previous }: Pick<PlannedModel, 'name' | 'version' | 'action' | 'previous'>,
  workspace: Workspace,
): Promise<MeasuredChange | undefined> {
  const last = action === 'pack' ? lastVectors(previous) : undefined;
  if (last === undefined) return undefined;
  const vectors = await readVectors(name, workspace);
  const earlier = await readEarlierVectors(name, last, workspace);
  if (vectors?.version !== version || earlier === undefined) return undefined;
  const compared = compareVectors(vectors, earlier);
  return (
    compared && {
      from: last.version,
      texts: compared.texts,
      weights: compared.sets.map(({ set, max_cosine_distance }) => ({ path: set.weights, max_cosine_distance })),
    }
  );
}

/**
 * Where the default weights' fingerprints are the last version's and their vectors aren't: what
 * embeds has changed, or it was wrong then.
 */
export function contradictionProblem(
  record: PackRecord,
  previous: ManifestModel | null,
  vectors: ReferenceVectors | undefined,
  { from, weights }: MeasuredChange,
): Pick<Problem, 'path' | 'message' | 'hint'> | undefined {
  const [set] = vectors?.sets ?? [];
  const distance = weights.find(({ path }) => path === set?.weights)?.max_cosine_distance ?? 0;
  const space = defaultWeights(weightsAfter(previous, record))?.space;
  if (set === undefined || distance <= set.tolerance || space !== previous?.embedding?.space) return undefined;
  return {
    path: jsonPath(['models', record.model, 'reference']),
    message: `${record.model} does what ${from} did, by its fingerprints, but its vectors are up to ${distance.toPrecision(2)} away`,
    hint: 'The command or its runtime embeds in another way than then. See which of the two is right before you publish.',
  };
}

/** `largest distance of vectors from those of 1.0.0, over 24 texts: model.safetensors 1.2e-7` */
export function describeChange({ from, texts, weights }: MeasuredChange): string {
  const each = weights.map(({ path, max_cosine_distance: distance }) => `${path} ${distance.toPrecision(2)}`);
  return `largest distance of vectors from those of ${from}, over ${texts} texts: ${each.join(', ')}`;
}
