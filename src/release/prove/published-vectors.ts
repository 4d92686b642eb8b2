import { isDeepStrictEqual } from 'node:util';
import { vectorsName } from '../../contract/artifacts.ts';
import { limits } from '../../contract/limits.ts';
import { parseReferenceVectors, type ReferenceVectors } from '../../contract/reference-vectors.ts';
import { cosineDistance } from '../../contract/vector-distance.ts';
import { AircherError } from '../../core/errors.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Target } from '../../targets/target.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type Plan, packedModels } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { vectorsPath } from './vectors-file.ts';

/**
 * Vectors differ in the last bits from run to run. Where a host has some of this release already
 * (in a draft, a branch, a directory) that say the same, these are taken in the place of those that
 * were made here: so a release that was interrupted, or is public, stays what it is.
 */
export async function takePublishedVectors(
  { config }: LoadedConfig,
  plan: Plan,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<void> {
  const models = packedModels(plan, workspace).filter(({ name }) => config.models[name]?.reference !== undefined);
  if (models.length === 0 || workspace.offline) return;
  for (const target of await havingRelease(plan.tag, targets, workspace)) {
    for (const { name } of models) {
      const options = { maxBytes: limits.vectorsBytes, staged: true };
      const theirs = await target.readDocument(plan.tag, vectorsName(name), workspace, options);
      const path = vectorsPath(name, workspace);
      const ours = await readBoundedFile(path, limits.vectorsBytes).catch(() => undefined);
      if (theirs === undefined || ours === undefined || ours.equals(theirs) || !saySame(ours, theirs)) continue;
      await writeFileAtomically(path, theirs);
      const message = `${name}: the reference vectors are those that ${target.place} has already`;
      workspace.onEvent?.({ type: 'notice', message });
    }
  }
}

/** Those where it is public come last, since what they have can't change any more. */
async function havingRelease(
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<readonly Target[]> {
  const found: { readonly target: Target; readonly isPublic: boolean }[] = [];
  for (const target of targets) {
    const release = (await target.list(workspace)).find((listed) => listed.tag === tag);
    if (release !== undefined) found.push({ target, isPublic: release.state === 'public' });
  }
  return found.sort((a, b) => Number(a.isPublic) - Number(b.isPublic)).map(({ target }) => target);
}

/** Whether all is equal but for vectors within the tolerance, and the name of the runtime. */
function saySame(ours: Buffer, theirs: Buffer): boolean {
  try {
    const [a, b] = [parseReferenceVectors(ours, 'ours'), parseReferenceVectors(theirs, 'theirs')];
    if (!isDeepStrictEqual(withoutVectors(a), withoutVectors(b))) return false;
    return a.sets.every(({ tolerance, vectors }, set) =>
      vectors.every((vector, at) => cosineDistance(vector, b.sets[set]!.vectors[at]!) <= tolerance),
    );
  } catch (error) {
    if (error instanceof AircherError) return false;
    throw error;
  }
}

function withoutVectors({ sets, ...rest }: ReferenceVectors): object {
  return { ...rest, sets: sets.map(({ weights, space, tolerance }) => ({ weights, space, tolerance })) };
}
