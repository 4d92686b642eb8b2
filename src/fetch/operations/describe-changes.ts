import type { ManifestModel } from '../../contract/manifest.ts';
import type { SpaceChange, SpaceChanges } from '../api.ts';
import { type Wanted, weightsOf } from '../cache/wanted-weights.ts';

/**
 * What a change of versions means for indices made with the weights that are wanted: with each, and
 * the worst of it. The default is compared with the default before, whatever their paths; others by
 * path.
 */
export function spaceChanges(before: ManifestModel, after: ManifestModel, wanted: Wanted): SpaceChanges {
  const named = wanted.flatMap((one) => (one === 'all' ? everyOf(before) : [one]));
  const changes = [...new Set(named)].map((one) => ({
    path: weightsOf(after, one)?.path ?? weightsOf(before, one)?.path,
    space_change: compare(spaceOf(before, one), spaceOf(after, one)),
  }));
  const found = changes.map((change) => change.space_change);
  return {
    space_change: (['changes', 'unknown'] as const).find((worst) => found.includes(worst)) ?? 'same',
    weights: changes.flatMap(({ path, space_change }) => (path === undefined ? [] : [{ path, space_change }])),
  };
}

/** All weights; nobody has an index of such as are new. */
function everyOf({ weights = [] }: ManifestModel): Wanted {
  return ['default', ...weights.filter((one) => !one.default).map(({ path }) => path)];
}

function spaceOf(entry: ManifestModel, wanted: string): string | undefined {
  return weightsOf(entry, wanted)?.space ?? (wanted === 'default' ? entry.embedding?.space : undefined);
}

function compare(before: string | undefined, after: string | undefined): SpaceChange {
  if (before === undefined || after === undefined) return 'unknown';
  return before === after ? 'same' : 'changes';
}

/**
 * What differs between two versions of a model, as a manifest tells it: `weights`, `tokenizer`,
 * `384 → 768 dimensions`, …
 */
export function describeChanges(before: ManifestModel, after: ManifestModel): string[] {
  const { fingerprints: old = {}, embedding: was } = before;
  const { fingerprints: next = {}, embedding: is } = after;
  return [
    ...parts.filter((part) => differs(old[part], next[part])),
    ...arrow(was?.dimensions, is?.dimensions, 'dimensions'),
    ...arrow(was?.max_tokens, is?.max_tokens, 'tokens at most'),
    ...arrow(before.license, after.license, 'as licence'),
  ];
}

const parts = ['weights', 'layout', 'tokenizer', 'pooling', 'architecture'] as const;

function differs(before: unknown, after: unknown): boolean {
  return before !== undefined && after !== undefined && before !== after;
}

function arrow(before: unknown, after: unknown, what: string): string[] {
  return differs(before, after) ? [`${before ?? 'none'} → ${after ?? 'none'} ${what}`] : [];
}
