import * as z from 'zod/mini';
import type { PlannedModel } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { compareVectors } from './compare-vectors.ts';
import { lastVectors, readEarlierVectors } from './earlier-vectors.ts';
import { readVectors } from './vectors-file.ts';

/**
 * How far a version's vectors are from those of the last published version (`from`): how many texts
 * both were tried on, and for the weights that both embedded them with, the largest 1 − cosine.
 */
export const measuredChangeSchema = z.strictObject({
  from: z.string(),
  texts: z.int(),
  weights: z.array(z.strictObject({ path: z.string(), max_cosine_distance: z.number() })),
});

export type MeasuredChange = Readonly<z.infer<typeof measuredChangeSchema>>;

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

/** `largest distance of vectors from those of 1.0.0, over 24 texts: model.safetensors 1.2e-7` */
export function describeChange({ from, texts, weights }: MeasuredChange): string {
  const each = weights.map(({ path, max_cosine_distance: distance }) => `${path} ${distance.toPrecision(2)}`);
  return `largest distance of vectors from those of ${from}, over ${texts} texts: ${each.join(', ')}`;
}
