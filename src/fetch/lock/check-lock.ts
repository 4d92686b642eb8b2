import { canonicalJson } from '../../contract/canonical-json.ts';
import type { LockedClient, LockedModel } from '../../contract/lock-file.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Models } from '../api.ts';
import type { Client } from '../client.ts';
import { requireLicense } from '../install/require-license.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { findRelease } from '../manifests/find-release.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { modelEntry, type OfferedInstead, offeredInstead } from '../manifests/resolve-model.ts';
import { readTrust } from '../manifests/trust.ts';
import { eachModel } from '../operations/each-model.ts';
import { findClientFile } from './find-client-file.ts';
import { lockCommand, lockedModel, lockedNames, type ModelsLock } from './read-lock.ts';

/** A locked model, held against its release and what is offered now. */
export interface LockStatus extends OfferedInstead {
  readonly name: string;
  readonly version: string;
  readonly tag: string;
}

/**
 * Fetches the manifests that locked models are from, and holds digest, signature and entry against
 * the lock, and the client against its release's checksums; tells what `lock --update` would bring,
 * and what was withdrawn. Changes nothing. Throws `integrity` where they differ, `remote` where
 * nobody has what it is held against, and as `lockedModel`, `requireLicense`, `eachModel`.
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
  const models = lockedNames(lock, names).map((name) => ({ name }));
  const statuses = await eachModel(models, context, async ({ name }): Promise<LockStatus> => {
    const locked = lockedModel(lock, name);
    const { release, range, entry } = locked;
    requireSame(lock.path, name, locked, await manifestOf(release));
    await requireLicense(client, { name, version: entry.version, entry });
    return { name, version: entry.version, tag: release, ...offeredInstead(newest, name, entry.version, range) };
  });
  const { client: locked } = lock.content;
  if (locked !== undefined) await requireSameClient(client, lock, locked, await manifestOf(locked.release), context);
  return { models: statuses };
}

/**
 * Holds the locked client against its release's checksums. As an old manifest, they may be signed
 * by the keys of their time, which the lock has.
 */
async function requireSameClient(
  client: Client,
  { path, content }: ModelsLock,
  locked: LockedClient,
  release: GoodManifest,
  context: RunContext,
): Promise<void> {
  const { roots, announced } = await readTrust(client, context);
  const { locked: found } = await findClientFile(client, release, [...roots, ...announced], context);
  if (canonicalJson(found) === canonicalJson(locked)) return;
  throw integrityError(
    `${path}: its client is not that of ${locked.release}.`,
    anew(path, Object.keys(content.models)[0] ?? 'NAME'),
    { details: { expected: found, found: locked } },
  );
}

function anew(path: string, name: string): string {
  return `Who changed which? If it is the lock, write it anew: ${lockCommand(path, name)}`;
}

function requireSame(path: string, name: string, locked: LockedModel, found: GoodManifest): void {
  const hint = anew(path, name);
  const { release, manifest_sha256: expected } = locked;
  if (found.sha256 !== expected) {
    const details = { expected, found: found.sha256 };
    throw integrityError(`${found.url}: not the manifest of ${release} that ${path} has.`, hint, { details });
  }
  if (canonicalJson(modelEntry(found, name)) === canonicalJson(locked.entry)) return;
  throw integrityError(`${path}: what it says of ${name} is not what the manifest of ${release} says.`, hint);
}
