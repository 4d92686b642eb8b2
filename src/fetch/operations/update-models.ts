import type { RunContext } from '../../core/events.ts';
import type { InstalledModel } from '../cache/installed.ts';
import { recordOf } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { type InstallReport, installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { isUpdate, selectInstalled } from './check-updates.ts';
import { spaceChange } from './describe-changes.ts';

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
  readonly space: 'same' | 'changes' | 'unknown';
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
  const { pins } = await client.preferences();
  const reports: UpdateReport[] = [];
  for (const model of models) {
    const stays = (outcome: UpdateReport['outcome'], space: UpdateReport['space'] = 'same'): UpdateReport => {
      const { name, current } = model;
      return {
        name,
        from: current,
        to: current,
        outcome,
        space,
        bytes_fetched: 0,
        bytes_copied: 0,
        install: undefined,
      };
    };
    if (!Object.hasOwn(good.manifest.models, model.name)) reports.push(stays('not-offered'));
    else if (Object.hasOwn(pins, model.name)) reports.push(stays('pinned'));
    else reports.push(await updateModel(client, good, model, stays, options));
  }
  return reports;
}

async function updateModel(
  client: Client,
  good: Awaited<ReturnType<typeof findManifest>>,
  model: InstalledModel,
  stays: (outcome: UpdateReport['outcome'], space?: UpdateReport['space']) => UpdateReport,
  options: UpdateOptions,
): Promise<UpdateReport> {
  const { name, current } = model;
  const yanked = good.manifest.yanked?.some((entry) => entry.model === name && entry.version === current) ?? false;
  const entry = recordOf(model, current)?.entry;
  const resolved = await resolveModel(client, good, name, undefined, options);
  if (!isUpdate(current, resolved.version, yanked)) return stays('up-to-date');
  const space = entry === undefined ? 'unknown' : spaceChange(entry, resolved.entry);
  if (options.sameSpace && space !== 'same') return stays('other-space', space);
  const install = await installVersion(client, resolved, { ...options, makeCurrent: 'always' });
  return {
    name,
    from: current,
    to: resolved.version,
    outcome: 'updated',
    space,
    bytes_fetched: install.transfer?.bytesFetched ?? 0,
    bytes_copied: install.transfer?.bytesCopied ?? 0,
    install,
  };
}
