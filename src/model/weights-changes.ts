import type { ManifestModel, ManifestWeights } from '../contract/manifest.ts';
import { defaultWeights } from './fingerprints.ts';

/** What a new version means for an index that was made with these weights. */
export interface WeightsChange {
  /** Their path now. If they are gone, their old path. */
  readonly path: string;
  /**
   * `default`: they are installed where no weights are named. `was`: their old path, if it was
   * another.
   */
  readonly default?: true;
  readonly was?: string;
  readonly space_change: 'same' | 'changes' | 'gone' | 'new';
}

/**
 * What becomes of each rendition of the previous version, and which ones are new. The old default
 * is compared with the new default, whatever their paths; others with the rendition at the same
 * path. A rendition is gone if its path is, and no other has its space.
 */
export function weightsChanges(
  previous: ManifestModel,
  next: readonly ManifestWeights[] | undefined,
): readonly WeightsChange[] {
  const [before = [], after = []] = [previous.weights, next];
  const [oldDefault, newDefault] = [defaultWeights(before), defaultWeights(after)];
  const changes: WeightsChange[] = [];
  if (oldDefault !== undefined && newDefault !== undefined) {
    const was = oldDefault.path === newDefault.path ? {} : { was: oldDefault.path };
    changes.push({ path: newDefault.path, default: true, ...was, space_change: compared(oldDefault, newDefault) });
  }
  for (const old of before) {
    const now = after.find(({ path }) => path === old.path);
    const isToldAlready = old.default && (now === undefined || now.default);
    if (isToldAlready) continue;
    if (now !== undefined) changes.push({ path: old.path, space_change: compared(old, now) });
    else changes.push(elsewhere(old, after));
  }
  const known = new Set([...before, ...changes].map(({ path }) => path));
  const isNew = after.filter(({ path }) => !known.has(path));
  return [...changes, ...isNew.map(({ path }) => ({ path, space_change: 'new' as const }))];
}

/** Where to continue an index whose weights' path is gone: with other weights of the same space. */
function elsewhere({ path, space }: ManifestWeights, after: readonly ManifestWeights[]): WeightsChange {
  const now = after.find((one) => one.space === space);
  return now === undefined ? { path, space_change: 'gone' } : { path: now.path, was: path, space_change: 'same' };
}

function compared(before: ManifestWeights, after: ManifestWeights): 'same' | 'changes' {
  return before.space === after.space ? 'same' : 'changes';
}

const words: Readonly<Record<WeightsChange['space_change'], string>> = {
  same: 'indices stay valid',
  changes: 'indices must be rebuilt',
  gone: 'gone, and with them the way to continue an index',
  new: 'new',
};

/** `onnx/model.onnx: indices must be rebuilt`, a line a rendition. */
export function describeWeightsChanges(changes: readonly WeightsChange[]): readonly string[] {
  return changes.map((change) => `${describePlace(change)}: ${words[change.space_change]}`);
}

/** `onnx/model.onnx`, `model.safetensors (default)`, `old.onnx → new.onnx`. */
export function describePlace({ path, default: isDefault, was }: Omit<WeightsChange, 'space_change'>): string {
  return `${was === undefined ? path : `${was} → ${path}`}${isDefault ? ' (default)' : ''}`;
}
