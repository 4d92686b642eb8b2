import { type Wanted, wantedOf } from '../../contract/wanted-weights.ts';
import type { RunContext } from '../../core/events.ts';
import type { SpaceChanges, UpdateOptions, UpdateStatus } from '../api.ts';
import { absentFiles, type InstalledModel } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { offeredInstead, type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { spaceChanges } from './describe-changes.ts';
import { currentRecord } from './select-installed.ts';

/** What `update` does with one model. */
export interface UpdateDecision {
  /** `update`: it is brought to `next`. Whatever else it is: the model stays. */
  readonly status: UpdateStatus['status'];
  /** The newest version offered; undefined where none is (any more). */
  readonly available: string | undefined;
  /** The version to go to; also where a pin or another space keeps the model from it. */
  readonly next: ResolvedModel | undefined;
  /** What of `next` is wanted. */
  readonly wanted: Wanted;
  readonly space: SpaceChanges;
  /** Why the version in use was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

/**
 * Decides what an update of a model is: the newest version that is offered and newer; from a
 * withdrawn one, any other; the same version, where `weights` are missing of it. The one place
 * where that is decided, for `check-updates`, `update --plan` and `update`. What is wanted of it:
 * `weights` if given, else what is wanted of the version in use. Asks a host only where `next`
 * isn't of the newest release. Throws `remote`, `integrity`, and as `wantedOf`, where that has
 * weights which `next` lacks.
 */
export async function decideUpdate(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  { sameSpace, weights, ...context }: RunContext & Pick<UpdateOptions, 'sameSpace' | 'weights'>,
): Promise<UpdateDecision> {
  const { name, current } = model;
  const record = currentRecord(model);
  const { entry, wanted: kept } = record;
  const { status: standing, ...known } = offeredInstead(good, name, current);
  const { available } = known;
  const sameSpaces = spaceChanges(entry, entry, { wanted: kept, kept });
  if (available === current && weights !== undefined) {
    const wanted = wantedOf({ name, version: current, entry }, weights, kept);
    if (absentFiles(record, wanted).length > 0) {
      const next = await resolveModel(client, good, name, available, context);
      return { ...known, status: 'update', next, wanted, space: sameSpaces };
    }
  }
  if (available === undefined || standing !== 'update') {
    return { ...known, status: standing, next: undefined, wanted: kept, space: sameSpaces };
  }
  const next = await resolveModel(client, good, name, available, context);
  const { pins } = await client.preferences();
  const wanted = pins[name] ? kept : wantedOf(next, weights, kept);
  const space = spaceChanges(entry, next.entry, { wanted, kept });
  const status = pins[name] ? 'pinned' : sameSpace && space.space_change !== 'same' ? 'other-space' : 'update';
  return { ...known, status, next, wanted, space };
}
