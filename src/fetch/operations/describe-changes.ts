import type { ManifestModel } from '../../contract/manifest.ts';

/** Whether vectors of both versions can be compared: `changes` means that indices must be rebuilt. */
export type SpaceChange = 'same' | 'changes' | 'unknown';

export function spaceChange(before: ManifestModel, after: ManifestModel): SpaceChange {
  const [old, next] = [before.embedding?.space, after.embedding?.space];
  if (old === undefined || next === undefined) return 'unknown';
  return old === next ? 'same' : 'changes';
}

/** What differs between two versions of a model, as a manifest tells it: `weights`, `tokenizer`, `384 → 768 dimensions`, … */
export function describeChanges(before: ManifestModel, after: ManifestModel): string[] {
  const [old, next] = [before.fingerprints ?? {}, after.fingerprints ?? {}];
  return [
    ...partNames.filter(([part]) => differs(old[part], next[part])).map(([, word]) => word),
    ...arrow(before.embedding?.dimensions, after.embedding?.dimensions, 'dimensions'),
    ...arrow(before.embedding?.max_tokens, after.embedding?.max_tokens, 'tokens at most'),
    ...arrow(before.license, after.license, 'as licence'),
  ];
}

const partNames = [
  ['weights', 'weights'],
  ['layout', 'tensors'],
  ['tokenizer', 'tokenizer'],
  ['pooling', 'pooling'],
  ['architecture', 'architecture'],
] as const;

function differs(before: unknown, after: unknown): boolean {
  return before !== undefined && after !== undefined && before !== after;
}

function arrow(before: unknown, after: unknown, what: string): string[] {
  return differs(before, after) ? [`${before ?? 'none'} → ${after ?? 'none'} ${what}`] : [];
}
