import { formatLockFile, type LockedModel, type LockFile } from '../../contract/lock-file.ts';
import { type Wanted, wantedOf, weightsOf } from '../../contract/wanted-weights.ts';
import { invalidError, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { showSource } from '../../http/remote-error.ts';
import type { SpaceChange } from '../api.ts';
import type { Client } from '../client.ts';
import { requireLicense } from '../install/require-license.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { directoryName } from '../manifests/remember-manifest.ts';
import { offeredInstead, resolveModel } from '../manifests/resolve-model.ts';
import { readTrust } from '../manifests/trust.ts';
import { spaceChanges } from '../operations/describe-changes.ts';
import { findClientFile } from './find-client-file.ts';
import { lockedModel, lockedNames, type ModelsLock } from './read-lock.ts';

/** A model as it is locked now. */
export interface LockReport {
  readonly name: string;
  /** The version that was locked before, where one was. */
  readonly from: string | undefined;
  readonly to: string;
  readonly tag: string;
  readonly wanted: Wanted;
  readonly space: string | undefined;
  /** Of the weights that were locked before; undefined where none were. */
  readonly space_change: SpaceChange | undefined;
}

/**
 * Writes into the lock file at `path` the newest versions in the ranges, with `weights`. A model
 * that is locked keeps what isn't named: its version, unless a range or `latest` is, and its
 * weights. Of others, the newest version and the default. What else the file has stays. Where one
 * model fails, nothing is written. Throws as `findManifest`, `resolveModel`, `wantedOf`,
 * `requireLicense`, and `invalid` where the manifest names no namespace or release.
 */
export async function lockModels(
  client: Client,
  path: string,
  models: readonly { readonly name: string; readonly range: string | undefined; readonly latest?: boolean }[],
  { weights = [], ...context }: RunContext & { readonly weights?: readonly string[] | undefined },
): Promise<readonly LockReport[]> {
  const good = await findManifest(client, context);
  const locked: Record<string, LockedModel> = {};
  for (const { name, range, latest } of models) {
    const known = before(client, name);
    const what =
      known && !latest && range === undefined ? { range: known.range, version: known.entry.version } : { range };
    locked[name] = await lockOne(client, good, name, { ...what, weights, kept: known?.weights }, context);
  }
  return writeLock(client, path, good, locked, context);
}

/**
 * Does the same for models that are locked (default: all), in the ranges that they were locked
 * with. A version never goes back, but from a withdrawn one.
 */
export async function updateLock(
  client: Client,
  lock: ModelsLock,
  names: readonly string[],
  context: RunContext,
): Promise<readonly LockReport[]> {
  const good = await findManifest(client, context);
  const locked: Record<string, LockedModel> = {};
  for (const name of lockedNames(lock, names)) {
    const known = lockedModel(lock, name);
    const { range, weights: kept, entry } = known;
    const { status, available, yanked } = offeredInstead(good, name, entry.version, range);
    // The same version may be listed by a newer release by now.
    const isListed = status === 'update' || available === entry.version;
    locked[name] = isListed ? await lockOne(client, good, name, { range, weights: [], kept }, context) : known;
    if (status === 'update' || status === 'up-to-date') continue;
    const fact = yanked === undefined ? 'is not offered any more' : `was withdrawn: ${yanked}`;
    warn(context, { file: `${name}@${entry.version}`, message: `${fact}. It stays locked` });
  }
  return writeLock(client, lock.path, good, locked, context);
}

interface Asked {
  readonly range: string | undefined;
  /** The one that is meant; else the newest in the range. */
  readonly version?: string;
  readonly weights: readonly string[];
  readonly kept: Wanted | undefined;
}

async function lockOne(
  client: Client,
  good: GoodManifest,
  name: string,
  { range, version, weights, kept }: Asked,
  context: RunContext,
): Promise<LockedModel> {
  const resolved = await resolveModel(client, good, name, version ?? range, context);
  const { entry, from } = resolved;
  const accepted = await requireLicense(client, resolved);
  const asked = [...new Set(weights.flatMap((one) => wantedOf(resolved, one)))];
  const wanted = asked.length > 0 ? asked : wantedOf(resolved, undefined, kept);
  return {
    range,
    release: from.manifest.release ?? missing(from.url, 'release'),
    manifest_sha256: from.sha256,
    weights: [...wanted],
    space: weightsOf(entry, wanted[0] ?? '')?.space ?? entry.embedding?.space,
    ...(accepted.length > 0 && { accepted_licenses: [...accepted] }),
    entry,
  };
}

async function writeLock(
  client: Client,
  path: string,
  good: GoodManifest,
  locked: Readonly<Record<string, LockedModel>>,
  context: RunContext,
): Promise<readonly LockReport[]> {
  const { roots, announced } = await readTrust(client, context);
  // Keys that a manifest announced take the place of those that it was signed by.
  const keys = announced.length > 0 ? announced : roots;
  const content: LockFile = {
    lock_version: 1,
    namespace: directoryName(good.manifest) || missing(good.url, 'namespace'),
    sources: client.sources.map(showSource),
    public_keys: [...keys],
    licenses: client.lock?.content.licenses,
    client: (await clientFile(client, good, keys, context)) ?? client.lock?.content.client,
    models: { ...client.lock?.content.models, ...locked },
  };
  await writeFileAtomically(path, formatLockFile(content));
  return Object.entries(locked).map(([name, { entry, release: tag, weights: wanted, space }]): LockReport => {
    const old = before(client, name);
    const space_change = old && spaceChanges(old.entry, entry, { wanted, kept: old.weights }).space_change;
    return { name, from: old?.entry.version, to: entry.version, tag, wanted, space, space_change };
  });
}

/** Undefined, with a warning, where no host says what it is. */
async function clientFile(
  client: Client,
  good: GoodManifest,
  keys: readonly string[],
  context: RunContext,
): Promise<LockFile['client']> {
  try {
    return (await findClientFile(client, good, keys, context)).locked;
  } catch (error) {
    context.signal?.throwIfAborted();
    warn(context, { file: good.url, message: `the client is not locked: ${toAircherError(error).message}` });
    return undefined;
  }
}

/** What was locked of a model when the command began. */
function before({ lock }: Client, name: string): LockedModel | undefined {
  return lock && Object.hasOwn(lock.content.models, name) ? lock.content.models[name] : undefined;
}

function missing(url: string, what: string): never {
  throw invalidError(`${url}: names no ${what}, so that nothing of it can be locked.`, 'Tell whoever publishes it.');
}
