import type { ManifestModel, ManifestWeights } from '../contract/manifest.ts';
import { defaultWeights } from './fingerprints.ts';

/** What a new version means for an index that was made with these weights: it stays valid, must be rebuilt, or can't go on. */
export interface WeightsChange {
  /** Where they stand now, or stood if they are gone. */
  readonly path: string;
  readonly default?: true;
  readonly indices: 'valid' | 'rebuild' | 'gone' | 'new';
}

/**
 * What becomes of each rendition that the previous version had, and which ones are new. The old default's space is compared with the
 * new default's, wherever they stand; others go by their path. One is gone if no weights of its space are left.
 */
export function weightsChanges(
  previous: ManifestModel,
  next: readonly ManifestWeights[] | undefined,
): readonly WeightsChange[] {
  const [before = [], after = []] = [previous.weights, next];
  const [oldDefault, newDefault] = [defaultWeights(before), defaultWeights(after)];
  const changes: WeightsChange[] = [];
  if (oldDefault !== undefined && newDefault !== undefined) {
    changes.push({ path: newDefault.path, default: true, indices: judged(oldDefault, newDefault) });
  }
  for (const old of before) {
    const now = after.find(({ path }) => path === old.path);
    const isToldAlready = old.default && (now === undefined || now.default);
    if (isToldAlready) continue;
    if (now !== undefined) changes.push({ path: old.path, indices: judged(old, now) });
    else if (!after.some(({ space }) => space === old.space)) changes.push({ path: old.path, indices: 'gone' });
  }
  const known = new Set([...before.map(({ path }) => path), ...changes.map(({ path }) => path)]);
  const isNew = after.filter(({ path }) => !known.has(path));
  return [...changes, ...isNew.map(({ path }) => ({ path, indices: 'new' as const }))];
}

function judged(before: ManifestWeights, after: ManifestWeights): 'valid' | 'rebuild' {
  return before.space === after.space ? 'valid' : 'rebuild';
}

const words: Readonly<Record<WeightsChange['indices'], string>> = {
  valid: 'stay valid',
  rebuild: 'must be rebuilt',
  gone: 'can not be continued: these weights are gone',
  new: 'none yet: these weights are new',
};

/** `onnx/model.onnx: indices must be rebuilt`, a line a rendition. */
export function describeWeightsChanges(changes: readonly WeightsChange[]): readonly string[] {
  return changes.map(
    (change) => `${change.path}${change.default ? ' (default)' : ''}: indices ${words[change.indices]}`,
  );
}
