import type { ManifestModel } from '../../contract/manifest.ts';
import type { SpaceChange } from '../api.ts';

export function spaceChange(before: ManifestModel, after: ManifestModel): SpaceChange {
  const [old, next] = [before.embedding?.space, after.embedding?.space];
  if (old === undefined || next === undefined) return 'unknown';
  return old === next ? 'same' : 'changes';
}

/** What differs between two versions of a model, as a manifest tells it: `weights`, `tokenizer`, `384 → 768 dimensions`, … */
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
