import semver from 'semver';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import type { Problem } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import { findPublishedEntry, isYanked, newestNotYanked, publishedVersionsOf } from './carry-forward.ts';
import type { LastOffered } from './model-history.ts';
import { carriedModel, type Hosts, tellDroppedEncodings, verdictOnHosts, warnOfUnpublished } from './plan-carried.ts';
import { type ModelOutcome, planPacked } from './plan-packed.ts';

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
      return { planned: carriedModel(name, model, verdict.entry, verdict.reason, previous), problems: [] };
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
    return { planned: carriedModel(name, model, verdict.entry, reason, last.entry), problems: [] };
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
