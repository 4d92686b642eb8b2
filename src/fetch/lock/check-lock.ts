import { canonicalJson } from '../../contract/canonical-json.ts';
import type { LockedModel } from '../../contract/lock-file.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Models } from '../api.ts';
import type { Client } from '../client.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { findRelease } from '../manifests/find-release.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { modelEntry, type OfferedInstead, offeredInstead } from '../manifests/resolve-model.ts';
import { eachModel } from '../operations/each-model.ts';
import { lockedModel, type ModelsLock } from './read-lock.ts';

/** A locked model, held against its release and what is offered now. */
export interface LockStatus extends OfferedInstead {
  readonly name: string;
  readonly version: string;
  readonly tag: string;
}

/**
 * Fetches the manifests that locked models are from, and holds digest, signature and entry against
 * the lock; tells what `lock --update` would bring, and what was withdrawn. Changes nothing. Throws
 * `integrity` where a manifest isn't the locked one, `remote` where nobody has it, and as
 * `eachModel`.
 */
export async function checkLock(
  client: Client,
  lock: ModelsLock,
  names: readonly string[],
  context: RunContext,
): Promise<Models<LockStatus>> {
  const newest = await findManifest(client, context, 'look');
  if (newest.unconfirmed) throw newest.unconfirmed;
  const manifests = new Map<string, Promise<GoodManifest>>();
  const manifestOf = (release: string): Promise<GoodManifest> => {
    const known = manifests.get(release) ?? findRelease(client, newest, release, context, true);
    manifests.set(release, known);
    return known;
  };
  const models = (names.length > 0 ? names : Object.keys(lock.content.models)).map((name) => {
    return { name, locked: lockedModel(lock, name) };
  });
  const statuses = await eachModel(models, context, async ({ name, locked }): Promise<LockStatus> => {
    const { release, range, entry } = locked;
    requireSame(lock.path, name, locked, await manifestOf(release));
    return { name, version: entry.version, tag: release, ...offeredInstead(newest, name, entry.version, range) };
  });
  return { models: statuses };
}

function requireSame(path: string, name: string, locked: LockedModel, found: GoodManifest): void {
  const hint = `Who changed which? If it is the lock, write it anew: lock ${name}`;
  const { release, manifest_sha256: expected } = locked;
  if (found.sha256 !== expected) {
    const details = { expected, found: found.sha256 };
    throw integrityError(`${found.url}: not the manifest of ${release} that ${path} has.`, hint, { details });
  }
  if (canonicalJson(modelEntry(found, name)) === canonicalJson(locked.entry)) return;
  throw integrityError(`${path}: what it says of ${name} is not what the manifest of ${release} says.`, hint);
}
