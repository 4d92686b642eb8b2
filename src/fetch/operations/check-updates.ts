import * as semver from '../../contract/semver.ts';
import { invalidError, toAircherError, unexpectedError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { type InstalledModel, readAllInstalled, readInstalled, recordOf } from '../cache/installed.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { hasExpired } from '../manifests/check-expiry.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { type ResolvedModel, resolveModel } from '../manifests/resolve-model.ts';
import type { TransferSummary } from '../transfer/types.ts';
import { describeChanges, spaceChange } from './describe-changes.ts';
import { planUpdate } from './plan-update.ts';

/** What an update of one model would bring. Sizes in bytes. */
export interface UpdateStatus {
  readonly name: string;
  readonly installed: string;
  /** The newest version offered; undefined where none is (any more). */
  readonly available: string | undefined;
  readonly status: 'up-to-date' | 'update' | 'pinned' | 'withdrawn' | 'not-offered';
  /** Whether vectors of both versions can be compared: `changes` means that indices must be rebuilt. */
  readonly space: 'same' | 'changes' | 'unknown';
  readonly bytes_to_fetch: number | undefined;
  readonly size_bytes: number | undefined;
  /** What the maintainers say of the new version. */
  readonly changes: string | undefined;
  /** What differs, in words: weights, tokenizer, licence, … */
  readonly differences: readonly string[];
  readonly license: string | undefined;
  /** Why the installed version was withdrawn, where it was. */
  readonly yanked: string | undefined;
  readonly plan: TransferSummary | undefined;
}

export interface CheckUpdatesOptions extends RunContext {
  /** Default: every installed model. */
  readonly names?: readonly string[] | undefined;
  /** Find out which tensors change: may fetch a safetensors header. */
  readonly nameChangedTensors?: boolean | undefined;
  /** Leave the number of bytes open: then no chunk index is fetched. */
  readonly withoutPlan?: boolean | undefined;
}

/** Compares what is installed with what is offered. Installs nothing. Throws as `findManifest`. */
export async function checkUpdates(client: Client, options: CheckUpdatesOptions = {}): Promise<UpdateStatus[]> {
  const models = await selectInstalled(client, options.names);
  if (models.length === 0) return [];
  const good = await findManifest(client, options, 'look');
  if (hasExpired(good.manifest)) {
    warn(options, {
      file: good.url,
      message: `the manifest expired at ${good.manifest.expires_at}: updates are refused until a renewed one can be had`,
    });
  }
  const statuses: UpdateStatus[] = [];
  for (const model of models) statuses.push(await checkModel(client, good, model, options));
  return statuses;
}

/** The named installed models, or all. Throws `invalid` for a name that isn't installed. */
export async function selectInstalled(
  client: Client,
  names: readonly string[] | undefined,
): Promise<readonly InstalledModel[]> {
  if (names === undefined || names.length === 0) return readAllInstalled(client.layout);
  return Promise.all(names.map((name) => requireInstalled(client, name)));
}

export async function requireInstalled(client: Client, name: string): Promise<InstalledModel> {
  const model = await readInstalled(client.layout, name);
  if (model !== undefined) return model;
  const all = (await readAllInstalled(client.layout)).map((other) => other.name);
  throw invalidError(
    `${name} is not installed.`,
    all.length === 0 ? `Install it: install ${name}` : `Installed: ${all.join(', ')}.`,
  );
}

async function checkModel(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  options: CheckUpdatesOptions,
): Promise<UpdateStatus> {
  const { name } = model;
  const current = recordOf(model, model.current);
  if (current === undefined) throw unexpectedError(`${name} has no current version`);
  const yanked = good.manifest.yanked?.find((entry) => entry.model === name && entry.version === model.current);
  const base = { name, installed: model.current, yanked: yanked?.reason };
  const resolved = await resolveModel(client, good, name, undefined, {}).catch((error: unknown) => {
    if (toAircherError(error).code !== 'invalid') throw error;
    return undefined;
  });
  if (resolved === undefined || !isUpdate(model.current, resolved.version, base.yanked !== undefined)) {
    const offered = Object.hasOwn(good.manifest.models, name);
    const status = base.yanked !== undefined ? 'withdrawn' : offered ? 'up-to-date' : 'not-offered';
    return { ...base, ...nothingNew, available: resolved?.version, status, license: current.entry.license };
  }
  const { pins } = await client.preferences();
  const here = recordOf(model, resolved.version) !== undefined;
  const plan = options.withoutPlan || here ? undefined : await measure(client, resolved, options);
  return {
    ...base,
    available: resolved.version,
    status: Object.hasOwn(pins, name) ? 'pinned' : 'update',
    ...compare(current, resolved),
    bytes_to_fetch: here ? 0 : plan?.bytesToFetch,
    plan,
  };
}

const nothingNew = {
  space: 'same',
  bytes_to_fetch: 0,
  size_bytes: undefined,
  changes: undefined,
  differences: [],
  plan: undefined,
} as const;

/** A newer version is an update; from a withdrawn version any other one is, an older one too. */
export function isUpdate(installed: string, offered: string, withdrawn: boolean): boolean {
  return semver.gt(offered, installed) || (withdrawn && offered !== installed);
}

function compare(
  current: InstallRecord,
  { entry }: ResolvedModel,
): Pick<UpdateStatus, 'space' | 'size_bytes' | 'changes' | 'differences' | 'license'> {
  return {
    space: spaceChange(current.entry, entry),
    size_bytes: entry.size_bytes,
    changes: entry.changes,
    differences: describeChanges(current.entry, entry),
    license: entry.license,
  };
}

/** Not to know the bytes is no reason to hide the update. */
async function measure(
  client: Client,
  resolved: ResolvedModel,
  options: CheckUpdatesOptions,
): Promise<TransferSummary | undefined> {
  const nameChangedTensors = options.nameChangedTensors ?? false;
  try {
    return await planUpdate(client, resolved, { signal: options.signal, onEvent: undefined, nameChangedTensors });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (nameChangedTensors) throw error;
    const { message } = toAircherError(error);
    warn(options, { file: `${resolved.name}@${resolved.version}`, message: `can’t be measured: ${message}` });
    return undefined;
  }
}
