import type { InstallReport, UpdateOptions, UpdateReport } from '../api.ts';
import type { InstalledModel } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { decideUpdate } from './decide-update.ts';
import { describeInstall } from './describe-install.ts';
import { eachModel } from './each-model.ts';
import { selectInstalled } from './select-installed.ts';

/** Hears of each model when it is done with; of the install where there was one. */
export type OnUpdate = (report: UpdateReport, install: InstallReport | undefined) => void;

/**
 * Brings installed models to the newest versions, as `decideUpdate` has it. Each model is switched
 * when it is complete. One that fails keeps its version, and the rest goes on. Throws as
 * `findManifest` (then nothing was done) and `eachModel`.
 */
export async function updateModels(
  client: Client,
  options: UpdateOptions = {},
  onUpdate: OnUpdate = () => {},
): Promise<UpdateReport[]> {
  const models = await selectInstalled(client, options.names);
  if (models.length === 0) return [];
  const good = await findManifest(client, options);
  return eachModel(models, options, async (model) => {
    const { report, install } = await updateModel(client, good, model, options);
    onUpdate(report, install);
    options.onEvent?.({ type: 'done', task: 'update', subject: model.name });
    return report;
  });
}

async function updateModel(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  options: UpdateOptions,
): Promise<{ readonly report: UpdateReport; readonly install: InstallReport | undefined }> {
  const { name, current } = model;
  const { status, next, wanted: kept, space, yanked } = await decideUpdate(client, good, model, options);
  // Nobody was there to ask, so nobody knows.
  if (status === 'up-to-date' && good.unconfirmed) throw good.unconfirmed;
  const { signal, onEvent } = options;
  const how = { signal, onEvent, kept, makeCurrent: 'always' } as const;
  const install = next && status === 'update' ? describeInstall(await installVersion(client, next, how)) : undefined;
  const report = {
    name,
    from: current,
    to: install?.version ?? current,
    outcome: status === 'update' ? 'updated' : status,
    ...space,
    yanked,
    bytes_fetched: install?.bytes_fetched ?? 0,
    bytes_copied: install?.bytes_copied ?? 0,
  } as const;
  return { report, install };
}
