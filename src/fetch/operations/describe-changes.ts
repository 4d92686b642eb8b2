import type { ManifestModel } from '../../contract/manifest.ts';
import { type Wanted, weightsOf } from '../../contract/wanted-weights.ts';
import type { SpaceChange, SpaceChanges } from '../api.ts';

/**
 * What a change of versions means for indices made with the weights that were wanted before: with
 * each, and the worst of it. The default is compared with the default before, whatever their paths;
 * others by path. Weights that take the place of others are compared with those; nobody has an
 * index of weights that are added.
 */
export function spaceChanges(
  before: ManifestModel,
  after: ManifestModel,
  { wanted, kept }: { readonly wanted: Wanted; readonly kept: Wanted },
): SpaceChanges {
  const had = each(before, kept);
  const has = each(before, wanted);
  const pathIn = (one: string): string | undefined => weightsOf(before, one)?.path;
  const among = (some: Wanted, one: string): boolean => some.some((other) => pathIn(other) === pathIn(one));
  const replaced = had.filter((one) => !among(has, one));
  const changes = has.flatMap((one) => {
    const predecessors = among(had, one) ? [one] : replaced;
    if (predecessors.length === 0) return [];
    const found = predecessors.map((old) => compare(spaceOf(before, old), after, one));
    return [{ path: weightsOf(after, one)?.path ?? pathIn(one), space_change: worstOf(found) }];
  });
  return {
    space_change: worstOf(changes.map((change) => change.space_change)),
    weights: changes.flatMap(({ path, space_change }) => (path === undefined ? [] : [{ path, space_change }])),
  };
}

/** One by one, where all are meant. */
function each({ weights = [] }: ManifestModel, wanted: Wanted): Wanted {
  const others = weights.filter((one) => !one.default).map(({ path }) => path);
  return [...new Set(wanted.flatMap((one) => (one === 'all' ? ['default', ...others] : [one])))];
}

function worstOf(found: readonly SpaceChange[]): SpaceChange {
  return (['changes', 'unknown'] as const).find((worst) => found.includes(worst)) ?? 'same';
}

function spaceOf(entry: ManifestModel, wanted: string): string | undefined {
  return weightsOf(entry, wanted)?.space ?? (wanted === 'default' ? entry.embedding?.space : undefined);
}

/** Where the new version lacks these weights, any other of the same space goes on with an index. */
function compare(space: string | undefined, after: ManifestModel, wanted: string): SpaceChange {
  const now = spaceOf(after, wanted);
  if (space === undefined || (now === undefined && after.weights === undefined)) return 'unknown';
  if (now !== undefined) return now === space ? 'same' : 'changes';
  return after.weights?.some((one) => one.space === space) ? 'same' : 'changes';
}

/**
 * What differs between two versions of a model, as a manifest tells it: `weights`, `tokenizer`,
 * `onnx/model.onnx`, `384 → 768 dimensions`, …
 */
export function describeChanges(before: ManifestModel, after: ManifestModel): string[] {
  const { fingerprints: old = {}, embedding: was } = before;
  const { fingerprints: next = {}, embedding: is } = after;
  const changed = parts.filter((part) => differs(old[part], next[part]));
  return [
    ...changed,
    ...(changed.some((part) => ofAllWeights.includes(part)) ? [] : otherWeights(before, after)),
    ...arrow(was?.dimensions, is?.dimensions, 'dimensions'),
    ...arrow(was?.max_tokens, is?.max_tokens, 'tokens at most'),
    ...arrow(before.license, after.license, 'as licence'),
  ];
}

const parts = ['weights', 'layout', 'tokenizer', 'pooling', 'architecture'] as const;
/** Where these differ, so does the space of every rendition: there is no need to name each. */
const ofAllWeights: readonly string[] = ['tokenizer', 'pooling'];

/** The fingerprints are the default's. Of others the manifest has nothing but their space. */
function otherWeights(before: ManifestModel, after: ManifestModel): readonly string[] {
  return (before.weights ?? []).flatMap((old) => {
    const now = after.weights?.find(({ path }) => path === old.path);
    const isDefault = old.default && now?.default;
    return now !== undefined && !isDefault && now.space !== old.space ? [old.path] : [];
  });
}

function differs(before: unknown, after: unknown): boolean {
  return before !== undefined && after !== undefined && before !== after;
}

function arrow(before: unknown, after: unknown, what: string): string[] {
  return differs(before, after) ? [`${before ?? 'none'} → ${after ?? 'none'} ${what}`] : [];
}
