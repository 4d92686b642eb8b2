import { type RunContext, warn } from '../../core/events.ts';
import { readInstalled } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { type Installation, type InstallOptions, installVersion } from '../install/install-version.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { findWanted } from './find-installed.ts';
import { repairVersion } from './repair-version.ts';

/**
 * Makes a model present: the version that is wanted here (`findWanted`), repaired where files of it are missing or cut, brought back
 * where it is gone; where none is, the newest in the range that `manifest` offers. A release that is named (`client.release`) decides
 * alone. Throws as `findWanted`, `repairVersion`, `resolveModel`, `installVersion`.
 */
export async function makePresent(
  client: Client,
  name: string,
  range: string | undefined,
  manifest: () => Promise<GoodManifest>,
  options: RunContext & Pick<InstallOptions, 'makeCurrent'>,
): Promise<Installation> {
  const { makeCurrent, ...context } = options;
  const wanted = client.release === undefined ? await findWanted(client, name, range, context) : undefined;
  const record = wanted?.record;
  if (record === undefined) {
    const resolved = await resolveModel(client, await manifest(), name, wanted?.version ?? range, context);
    // One that is pinned or was in use is so again.
    return installVersion(client, resolved, { ...context, makeCurrent: wanted === undefined ? makeCurrent : 'always' });
  }
  const { version, damaged } = wanted!;
  const current = (await readInstalled(client.layout, name))?.current ?? version;
  const installation = { name, version, record, previous: current, current };
  if (damaged.length === 0) return { ...installation, outcome: 'present', transfer: undefined };
  warn(context, {
    file: `${name}@${version}`,
    message: `is damaged: ${damaged.join(', ')} missing or cut. Repairing it.`,
  });
  return { ...installation, outcome: 'repaired', transfer: await repairVersion(client, record, damaged, context) };
}
