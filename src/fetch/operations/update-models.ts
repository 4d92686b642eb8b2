import type { RunContext } from '../../core/events.ts';
import type { InstalledModel } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { type InstallReport, installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { isUpdate } from './check-updates.ts';
import { type SpaceChange, spaceChange } from './describe-changes.ts';
import { currentRecord, selectInstalled } from './select-installed.ts';

export interface UpdateOptions extends RunContext {
  /** Default: every installed model. */
  readonly names?: readonly string[] | undefined;
  /** Leave models alone whose new version has another embedding space, or doesn't tell it. */
  readonly sameSpace?: boolean | undefined;
}

export interface UpdateReport {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly outcome: 'updated' | 'up-to-date' | 'pinned' | 'other-space' | 'not-offered';
  /** `changes`: vectors made with `from` can't be compared with those of `to`; indices must be rebuilt. */
  readonly space: SpaceChange;
  readonly bytes_fetched: number;
  readonly bytes_copied: number;
  readonly install: InstallReport | undefined;
}

/**
 * Brings installed models to the newest versions. Pinned ones are left alone. Each model is switched when it is complete; a
 * failure ends the run and leaves the others as they are. Throws as `findManifest` and `installVersion`.
 */
export async function updateModels(client: Client, options: UpdateOptions = {}): Promise<UpdateReport[]> {
  const models = await selectInstalled(client, options.names);
  if (models.length === 0) return [];
  const good = await findManifest(client, options);
  const reports: UpdateReport[] = [];
  for (const model of models) reports.push(await updateModel(client, good, model, options));
  if (good.unconfirmed && reports.every(({ outcome }) => outcome === 'up-to-date')) throw good.unconfirmed;
  return reports;
}

async function updateModel(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  options: UpdateOptions,
): Promise<UpdateReport> {
  const { name, current } = model;
  const report = (
    outcome: UpdateReport['outcome'],
    space: SpaceChange = 'same',
    install?: InstallReport,
  ): UpdateReport => ({
    name,
    from: current,
    to: install?.version ?? current,
    outcome,
    space,
    bytes_fetched: install?.transfer?.bytesFetched ?? 0,
    bytes_copied: install?.transfer?.bytesCopied ?? 0,
    install,
  });
  if (!Object.hasOwn(good.manifest.models, name)) return report('not-offered');
  if ((await client.preferences()).pins[name]) return report('pinned');
  const resolved = await resolveModel(client, good, name, undefined, options);
  if (!isUpdate(good, model, resolved)) return report('up-to-date');
  const space = spaceChange(currentRecord(model).entry, resolved.entry);
  if (options.sameSpace && space !== 'same') return report('other-space', space);
  return report('updated', space, await installVersion(client, resolved, { ...options, makeCurrent: 'always' }));
}
