import { sizeOnDisk, type Wanted } from '../../contract/wanted-weights.ts';
import { anySignal } from '../../core/abort.ts';
import { type AircherError, remoteError, toAircherError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { CheckUpdatesOptions, Models, UpdatePlan, UpdateStatus } from '../api.ts';
import { absentFiles, type InstalledModel, recordOf } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { hasExpired } from '../manifests/check-expiry.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { decideUpdate } from './decide-update.ts';
import { describeChanges } from './describe-changes.ts';
import { eachModel } from './each-model.ts';
import { planUpdate } from './plan-update.ts';
import { currentRecord, selectInstalled } from './select-installed.ts';

const defaultTimeoutMs = 30_000;

/**
 * Compares what is installed with what is offered. Installs nothing. Throws as `findManifest`,
 * where no source answers, and as `eachModel`.
 */
export async function checkUpdates(client: Client, options: CheckUpdatesOptions = {}): Promise<Models<UpdateStatus>> {
  const models = await selectInstalled(client, options.names);
  if (models.length === 0) return { models: [] };
  // To name tensors takes as long as it takes.
  const budget = options.nameChangedTensors
    ? new AbortController().signal
    : AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
  const within = { ...options, signal: anySignal(options.signal, budget) };
  const good = await findManifest(client, within, 'look').catch((error: unknown) => {
    throw budget.aborted ? tooLate('no manifest source answers') : error;
  });
  if (good.unconfirmed) throw good.unconfirmed;
  if (hasExpired(good.manifest)) {
    warn(options, {
      file: good.url,
      message: `the manifest expired at ${good.manifest.expires_at}: updates are refused until a renewed one can be had`,
    });
  }
  return { models: await eachModel(models, options, (model) => checkModel(client, good, model, within, budget)) };
}

function tooLate(fact: string): AircherError {
  return remoteError(`Whether there are updates is unknown: ${fact} in time.`, '`doctor` says what stands in the way.');
}

async function checkModel(
  client: Client,
  good: GoodManifest,
  model: InstalledModel,
  options: CheckUpdatesOptions,
  budget: AbortSignal,
): Promise<UpdateStatus> {
  const { name, current } = model;
  const installed = currentRecord(model).entry;
  const { signal, sameSpace, weights } = options;
  const decision = await decideUpdate(client, good, model, { signal, sameSpace, weights }).catch((error: unknown) => {
    throw budget.aborted ? tooLate(`no host gives the manifest of ${name}`) : error;
  });
  const { status, available, next, wanted, space, yanked } = decision;
  const known = recordOf(model, next?.version);
  const here = known !== undefined && absentFiles(known, wanted).length === 0;
  const plan = next === undefined || here ? undefined : await measure(client, next, wanted, options, budget);
  return {
    name,
    installed: current,
    available,
    status,
    ...space,
    bytes_to_fetch: next && !here ? plan?.bytes_to_fetch : 0,
    size_bytes: next && sizeOnDisk(next.entry, wanted),
    changes: next?.entry.changes,
    differences: next ? describeChanges(installed, next.entry) : [],
    license: (next?.entry ?? installed).license,
    yanked,
    plan,
  };
}

/** Not to know the bytes is no reason to hide the update. */
async function measure(
  client: Client,
  resolved: ResolvedModel,
  wanted: Wanted,
  { signal, onEvent, nameChangedTensors }: CheckUpdatesOptions,
  budget: AbortSignal,
): Promise<UpdatePlan | undefined> {
  try {
    return await planUpdate(client, resolved, wanted, { signal, nameChangedTensors });
  } catch (error) {
    if (!budget.aborted) signal?.throwIfAborted();
    if (nameChangedTensors) throw error;
    const message = budget.aborted ? 'its hosts don’t answer in time' : toAircherError(error).message;
    warn({ onEvent }, { file: `${resolved.name}@${resolved.version}`, message: `can’t be measured: ${message}` });
    return undefined;
  }
}
