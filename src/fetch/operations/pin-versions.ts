import * as semver from '../../contract/versions.ts';
import { invalidError } from '../../core/errors.ts';
import type { UnpinReport, VersionSwitch, WeightsOptions } from '../api.ts';
import { refreshChecksumsFile } from '../cache/checksums-file.ts';
import { recordOf } from '../cache/installed.ts';
import { withModelLock } from '../cache/model-lock.ts';
import { writePin } from '../cache/preferences.ts';
import { switchCurrent } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import { installedTarget, installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { readTrust } from '../manifests/trust.ts';
import { warnIfWithdrawn, withdrawal } from '../manifests/withdrawal.ts';
import { spaceChanges } from './describe-changes.ts';
import { currentRecord, notInstalled, requireInstalled } from './select-installed.ts';

/**
 * Makes an installed version the one in use, and keeps it: `update` passes the model over. What is
 * missing of it is fetched: of `weights` if given, else of what is wanted of the version in use.
 * Throws `invalid` where it isn't installed, and as `installVersion`.
 */
export async function pinVersion(
  client: Client,
  name: string,
  version: string,
  options: WeightsOptions = {},
): Promise<VersionSwitch> {
  const { layout } = client;
  const { weights, ...context } = options;
  const model = await requireInstalled(client, name);
  const known = recordOf(model, version);
  if (known === undefined) throw await notInstalled(client, name, version);
  const { wanted: kept, entry } = currentRecord(model);
  const how = { ...context, weights, kept, makeCurrent: 'first' } as const;
  const { wanted } = await installVersion(client, installedTarget(known), how);
  const { stored } = await readTrust(client, context);
  if (stored) warnIfWithdrawn(name, version, withdrawal(stored.manifest, name, version), context);
  // First the pin: it alone decides which version is used, and a killed switch is completed by the
  // next command.
  await writePin(layout, name, version);
  await withModelLock(layout, name, context, () => switchCurrent(layout, name, version, context));
  await refreshChecksumsFile(layout);
  return {
    name,
    from: model.current,
    to: version,
    pinned: true,
    ...spaceChanges(entry, known.entry, { wanted, kept }),
  };
}

/**
 * Lets `update` have the model again. Throws `invalid` for a name that is neither pinned nor
 * installed.
 */
export async function unpinModel(client: Client, name: string): Promise<UnpinReport> {
  const { pins } = await client.preferences();
  if (pins[name]) await writePin(client.layout, name, undefined);
  else await requireInstalled(client, name);
  return { name, unpinned: pins[name] ?? null };
}

/**
 * Goes back to an earlier version, by default the newest installed one before the current, and pins
 * it, so that the next update doesn't undo it. A version that isn't installed is fetched. Throws
 * `invalid` where there is none.
 */
export async function rollBack(
  client: Client,
  name: string,
  to: string | undefined,
  options: WeightsOptions = {},
): Promise<VersionSwitch> {
  const model = await requireInstalled(client, name);
  const target = to ?? model.versions.find((record) => semver.lt(record.version, model.current))?.version;
  if (target === undefined) {
    throw invalidError(
      `${name} ${model.current} is the oldest version here.`,
      `Name the version to go back to, and it is fetched: rollback ${name} --to VERSION`,
    );
  }
  if (recordOf(model, target) === undefined) {
    const { signal, onEvent, weights } = options;
    const good = await findManifest(client, { signal, onEvent });
    const resolved = await resolveModel(client, good, name, target, { signal });
    const { wanted: kept } = currentRecord(model);
    await installVersion(client, resolved, { signal, onEvent, weights, kept, makeCurrent: 'first' });
  }
  return pinVersion(client, name, target, options);
}
