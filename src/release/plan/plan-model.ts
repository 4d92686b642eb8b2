import semver from 'semver';
import type { ManifestModel } from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig, ReleaseConfig } from '../../contract/release-config.ts';
import type { Problem } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { weightsChanges } from '../../model/weights-changes.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import type { Target } from '../../targets/target.ts';
import type { LoadedConfig } from '../load-config.ts';
import { keepSpaceProblems } from '../prove/reference-problems.ts';
import type { Workspace } from '../workspace.ts';
import { isOfEncoding, withEncodings } from './carried-encodings.ts';
import type { CarriedFiles } from './carried-files.ts';
import {
  type CarryVerdict,
  carryVerdict,
  findPublishedEntry,
  isYanked,
  newestNotYanked,
  publishedVersionsOf,
} from './carry-forward.ts';
import type { LastOffered } from './model-history.ts';
import type { PlannedModel } from './plan-record.ts';
import { estimatePlanes } from './planes-estimate.ts';
import { plannedPatches } from './planned-patches.ts';
import { plannedWeights } from './planned-weights.ts';
import { routeModel } from './routing.ts';
import { listModel } from './source-listing.ts';

/** Where published models are looked at; `carried` is undefined offline. */
export interface Hosts {
  readonly targets: readonly Target[];
  readonly carried: CarriedFiles | undefined;
  /** Likewise undefined offline. */
  readonly http: Http | undefined;
  /** For the Hub's lists of source files. */
  readonly tuning?: RemoteTuning | undefined;
}

export interface ModelOutcome {
  readonly planned: PlannedModel | undefined;
  readonly problems: readonly Problem[];
}

/** Whether a model is packed or carried forward, and why; or what keeps it from being released. */
export async function planModel(
  name: string,
  model: ModelConfig,
  { config }: LoadedConfig,
  last: LastOffered | undefined,
  hosts: Hosts,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const previous = last?.entry;
  const place = { file: workspace.configFile, path: jsonPath(['models', name, 'version']) };
  if (isYanked(config, name, model.version)) return planYanked(name, model, config, last, hosts, workspace);

  const published = previous ? publishedVersionsOf(previous) : [];
  let entry = previous;
  const isAbove = (version: string): boolean => semver.gt(version, model.version) && !isYanked(config, name, version);
  if (last && previous?.version !== model.version && published.includes(model.version) && !published.some(isAbove)) {
    // A version that was yanked once and isn't any more, or one whose successors are.
    entry = await findPublishedEntry(name, model.version, last.entry, last.release, hosts.targets, config, workspace);
  }
  if (entry && entry.version === model.version) {
    const verdict = await verdictOnHosts(name, entry, last?.release.tag ?? '', config, hosts);
    if (verdict.carry) {
      warnOfUnpublished(name, model, entry, workspace);
      tellDroppedEncodings(name, entry, verdict.entry, workspace);
      return { planned: carried(name, model, verdict.entry, verdict.reason, previous), problems: [] };
    }
    return asPackedAgain(
      name,
      verdict.reason,
      await planPacked(name, model, config, last, verdict.reason, hosts, workspace),
    );
  }
  const newest = published.reduce<string | undefined>(
    (best, version) => (best === undefined || semver.gt(version, best) ? version : best),
    undefined,
  );
  if (newest !== undefined && semver.lt(model.version, newest)) {
    const problem: Problem = {
      level: 'error',
      ...place,
      message: `goes back: ${name} ${newest} is published already (${last?.release.tag}), release.json says ${model.version}`,
      hint: `Write ${semver.inc(newest, 'patch')} or higher${
        isYanked(config, name, newest) ? '' : `; to withdraw ${newest}, use \`aircher-models yank ${name}@${newest}\``
      }.`,
    };
    return { planned: undefined, problems: [problem] };
  }
  return await planPacked(
    name,
    model,
    config,
    last,
    previous ? `new version, after ${previous.version}` : 'new model',
    hosts,
    workspace,
  );
}

/** Whether an entry is carried forward, also by what the hosts report of its files. */
async function verdictOnHosts(
  name: string,
  entry: ManifestModel,
  baseTag: string,
  config: ReleaseConfig,
  { carried: files }: Hosts,
): Promise<CarryVerdict> {
  const verdict = carryVerdict(config, name, entry, baseTag);
  if (!verdict.carry) return verdict;
  const faults = (await files?.faults(name, verdict.entry)) ?? [];
  const { encodings = [] } = verdict.entry;
  const fault = faults.find((one) => !encodings.some((encoding) => isOfEncoding(one.name, encoding)));
  if (fault === undefined) {
    const whole = encodings.filter((encoding) => !faults.some((one) => isOfEncoding(one.name, encoding)));
    return { ...verdict, entry: withEncodings(verdict.entry, whole) };
  }
  return { carry: false, reason: `same version, but ${fault.name} is ${fault.state} at ${fault.target.kind}` };
}

/**
 * What has to be packed again for a host, and can't be, stops the release: the host must have it,
 * or go.
 */
function asPackedAgain(name: string, reason: string, outcome: ModelOutcome): ModelOutcome {
  const isStopped = outcome.planned === undefined;
  return {
    ...outcome,
    problems: outcome.problems.map((problem) =>
      isStopped && problem.level === 'error'
        ? { ...problem, code: 'conflict', message: `${problem.message}; ${name} is to be packed again (${reason})` }
        : problem,
    ),
  };
}

/** What a carried-forward entry keeps, whatever release.json says by now. */
function warnOfUnpublished(name: string, model: ModelConfig, entry: ManifestModel, workspace: Workspace): void {
  for (const key of ['license', 'commercial_use', 'quality_score', 'changes'] as const) {
    if (model[key] === undefined || entry[key] === undefined || model[key] === entry[key]) continue;
    warn(workspace, {
      file: workspace.configFile,
      path: jsonPath(['models', name, key]),
      message: `is ${JSON.stringify(model[key])}, but ${name} ${entry.version} was published with ${JSON.stringify(entry[key])}, which stays`,
      hint: 'Raise the version of the model to publish the change.',
    });
  }
}

/** Nobody needs them: a model is carried forward without what a host lacks of them. */
function tellDroppedEncodings(
  name: string,
  { version, encodings = [] }: ManifestModel,
  kept: ManifestModel,
  { onEvent }: Workspace,
): void {
  for (const encoding of encodings) {
    if (kept.encodings?.some((other) => other.name === encoding.name)) continue;
    const message = `${name} ${version} is carried forward without ${encoding.name}, which is not at every host as it was published`;
    onEvent?.({ type: 'notice', message });
  }
}

async function planYanked(
  name: string,
  model: ModelConfig,
  config: LoadedConfig['config'],
  last: LastOffered | undefined,
  hosts: Hosts,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const place = { file: workspace.configFile, path: jsonPath(['models', name, 'version']) };
  const published = last ? publishedVersionsOf(last.entry) : [];
  if (!last || !published.includes(model.version)) {
    const problem: Problem = {
      level: 'error',
      ...place,
      message: `${name} ${model.version} is yanked, and was never published`,
      hint: 'Write a new version, or take it out of "yanked".',
    };
    return { planned: undefined, problems: [problem] };
  }
  const good = newestNotYanked(config, name, published);
  if (good === undefined) {
    warn(workspace, {
      ...place,
      message: `every published version of ${name} is yanked; the release will not offer it`,
      hint: 'Publish a new version when there is a good one.',
    });
    return { planned: undefined, problems: [] };
  }
  const entry = await findPublishedEntry(name, good, last.entry, last.release, hosts.targets, config, workspace);
  const verdict = await verdictOnHosts(name, entry, last.release.tag, config, hosts);
  const reason = `${model.version} is yanked, ${good} is the newest that isn't`;
  if (verdict.carry) {
    tellDroppedEncodings(name, entry, verdict.entry, workspace);
    return { planned: carried(name, model, verdict.entry, reason, last.entry), problems: [] };
  }
  const problem: Problem = {
    level: 'error',
    code: 'conflict',
    ...place,
    message: `${reason}, and it can't be carried forward: ${verdict.reason}`,
    hint: `Put back what was published, or write ${good} with its source: it is packed again.`,
  };
  return { planned: undefined, problems: [problem] };
}

function carried(
  name: string,
  model: ModelConfig,
  entry: ManifestModel,
  reason: string,
  previous: ManifestModel | undefined,
): PlannedModel {
  return {
    name,
    version: entry.version,
    action: 'carry',
    reason,
    source_bytes: null,
    source_file_count: null,
    targets: [],
    primary: null,
    source: model.source,
    entry,
    previous: previous ?? null,
    weights: previous === undefined ? [] : weightsChanges(previous, entry.weights),
  };
}

async function planPacked(
  name: string,
  model: ModelConfig,
  config: LoadedConfig['config'],
  last: LastOffered | undefined,
  reason: string,
  { tuning, http, targets }: Hosts,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const listing = await listModel(name, model, workspace, tuning);
  if (listing.problems.some((problem) => problem.level === 'error'))
    return { planned: undefined, problems: listing.problems };
  const bytes = listing.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const route = routeModel(config, bytes, listing.files.length);
  const problems = [...listing.problems, ...keepSpaceProblems(name, model, last?.entry, workspace)];
  if (route.primary === undefined) {
    problems.push({
      level: 'error',
      file: workspace.configFile,
      path: jsonPath(['models', name]),
      message: `${name} has ${bytes} bytes, more than GitHub takes, and no other target is configured`,
      hint: 'Add "huggingface" or "mirror" to release.json.',
    });
  }
  const patches = http && (await plannedPatches(name, model, config, last, { http, targets }, workspace));
  const planes = await estimatePlanes(listing.files, config.archive?.format ?? 'tar.gz');
  const planned: PlannedModel = {
    name,
    version: model.version,
    action: 'pack',
    reason,
    source_bytes: bytes,
    source_file_count: listing.files.length,
    targets: route.targets,
    primary: route.primary ?? null,
    source: model.source,
    entry: null,
    previous: last?.entry ?? null,
    weights: await plannedWeights(name, last?.entry, listing.files, config, workspace),
    ...(planes === undefined ? {} : { planes }),
    ...(patches?.length ? { patch_from: patches } : {}),
  };
  return { planned, problems };
}
