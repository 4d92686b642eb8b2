import * as semver from '../../contract/versions.ts';
import type { RunContext } from '../../core/events.ts';
import type { SpaceChange, UpdateStatus } from '../api.ts';
import type { InstalledModel } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { newestOffered, type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import { withdrawalBy } from '../manifests/withdrawal.ts';
import { spaceChange } from './describe-changes.ts';
import { currentRecord } from './select-installed.ts';

/** What `update` does with one model. */
export interface UpdateDecision {
  /** `update`: it is brought to `next`. Whatever else it is: the model stays. */
  readonly status: UpdateStatus['status'];
  /** The newest version offered; undefined where none is (any more). */
  readonly available: string | undefined;
  /** The version to go to; also where a pin or another space keeps the model from it. */
  readonly next: ResolvedModel | undefined;
  readonly space: SpaceChange;
  /** Why the version in use was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

/**
 * Decides what an update of a model is: the newest version that is offered and newer; from a withdrawn one, any other. The one place
 * where that is decided, for `check-updates`, `update --plan` and `update`. Asks a host only where `next` isn't of the newest
 * release. Throws `remote`, `integrity`.
 */
export async function decideUpdate(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  { sameSpace, ...context }: RunContext & { readonly sameSpace?: boolean | undefined },
): Promise<UpdateDecision> {
  const { name, current } = model;
  const yanked = withdrawalBy(good, name, current);
  const available = newestOffered(good, name);
  const known = { available, yanked };
  const isNewer = available !== undefined && semver.gt(available, current);
  if (available === undefined || !(isNewer || (available !== current && yanked !== undefined))) {
    const status = yanked !== undefined ? 'withdrawn' : available === undefined ? 'not-offered' : 'up-to-date';
    return { ...known, status, next: undefined, space: 'same' };
  }
  const next = await resolveModel(client, good, name, available, context);
  const space = spaceChange(currentRecord(model).entry, next.entry);
  const { pins } = await client.preferences();
  const status = pins[name] ? 'pinned' : sameSpace && space !== 'same' ? 'other-space' : 'update';
  return { ...known, status, next, space };
}
