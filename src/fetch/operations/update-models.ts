import type { InstallReport, UpdateOptions, UpdateReport } from '../api.ts';
import type { InstalledModel } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { isUpdate } from './check-updates.ts';
import { spaceChange } from './describe-changes.ts';
import { describeInstall } from './describe-install.ts';
import { currentRecord, selectInstalled } from './select-installed.ts';

/** What became of one model, and the install where there was one. */
export interface ModelUpdate {
  readonly report: UpdateReport;
  readonly install: InstallReport | undefined;
}

/**
 * Brings installed models to the newest versions. Pinned ones are left alone. Each model is switched when it is complete; a
 * failure ends the run and leaves the others as they are. Throws as `findManifest` and `installVersion`.
 */
export async function updateModels(client: Client, options: UpdateOptions = {}): Promise<ModelUpdate[]> {
  const models = await selectInstalled(client, options.names);
  if (models.length === 0) return [];
  const good = await findManifest(client, options);
  const updates: ModelUpdate[] = [];
  for (const model of models) updates.push(await updateModel(client, good, model, options));
  if (good.unconfirmed && updates.every(({ report }) => report.outcome === 'up-to-date')) throw good.unconfirmed;
  return updates;
}

async function updateModel(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  options: UpdateOptions,
): Promise<ModelUpdate> {
  const { name, current } = model;
  const report = (
    outcome: UpdateReport['outcome'],
    space: UpdateReport['space'] = 'same',
    install?: InstallReport,
  ): ModelUpdate => ({
    report: {
      name,
      from: current,
      to: install?.version ?? current,
      outcome,
      space,
      bytes_fetched: install?.bytes_fetched ?? 0,
      bytes_copied: install?.bytes_copied ?? 0,
    },
    install,
  });
  if (!Object.hasOwn(good.manifest.models, name)) return report('not-offered');
  if ((await client.preferences()).pins[name]) return report('pinned');
  const resolved = await resolveModel(client, good, name, undefined, options);
  if (!isUpdate(good, model, resolved)) return report('up-to-date');
  const space = spaceChange(currentRecord(model).entry, resolved.entry);
  if (options.sameSpace && space !== 'same') return report('other-space', space);
  const installed = await installVersion(client, resolved, { ...options, makeCurrent: 'always' });
  return report('updated', space, describeInstall(client.layout, installed));
}
