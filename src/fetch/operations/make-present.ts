import { type RunContext, warn } from '../../core/events.ts';
import { incompleteFiles } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { type Installation, type InstallOptions, installedTarget, installVersion } from '../install/install-version.ts';
import { installLocked } from '../lock/install-locked.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { findWanted } from './find-installed.ts';

/**
 * Makes a model present, with the weights that are asked for: the version that is wanted here
 * (`findWanted`), repaired where files of it are missing or cut, brought back where it is gone;
 * where none is, the newest in the range that `manifest` offers. A release that is named
 * (`client.release`) decides alone, and so does a lock file, whose models may lie in `from`. Throws
 * as `findWanted`, `resolveModel`, `installLocked`, `installVersion`.
 */
export async function makePresent(
  client: Client,
  name: string,
  range: string | undefined,
  manifest: () => Promise<GoodManifest>,
  options: RunContext & Pick<InstallOptions, 'makeCurrent' | 'weights'> & { readonly from?: string | undefined },
): Promise<Installation> {
  if (client.lock !== undefined) return installLocked(client, client.lock, name, { ...options, range });
  const { makeCurrent, weights, ...context } = options;
  const wanted = client.release === undefined ? await findWanted(client, name, range, context) : undefined;
  const record = wanted?.record;
  if (record === undefined) {
    const resolved = await resolveModel(client, await manifest(), name, wanted?.version ?? range, context);
    // One that is pinned or was in use is so again.
    const again = wanted === undefined ? makeCurrent : 'always';
    return installVersion(client, resolved, { ...context, weights, makeCurrent: again });
  }
  const damaged = await incompleteFiles(record);
  if (damaged.length > 0) {
    warn(context, {
      file: `${name}@${record.version}`,
      message: `is damaged: ${damaged.join(', ')} missing or cut. ${record.cache === client.layout ? 'Repairing it' : `It is made whole in ${client.layout.root}`}.`,
    });
  }
  return installVersion(client, installedTarget(record), { ...context, weights, makeCurrent: 'first' });
}
