import semver from 'semver';
import type { HostKind } from '../../contract/fields.ts';
import { compareBytes } from '../../contract/names.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { type Problem, throwProblems } from '../../core/errors.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import type { Target } from '../../targets/target.ts';
import { releaseTag } from '../addresses.ts';
import type { LoadedConfig } from '../load-config.ts';
import { fetchEarlierVectors } from '../prove/earlier-vectors.ts';
import { measuredChange } from '../prove/measured-change.ts';
import { findBase } from '../published/find-base.ts';
import { createHostsClient } from '../verify/hosts-client.ts';
import type { Workspace } from '../workspace.ts';
import { carriedFiles } from './carried-files.ts';
import { settleGenerationTime } from './generation-time.ts';
import { findHistory, isPrerelease, type LastOffered } from './model-history.ts';
import { planModel } from './plan-model.ts';
import { type Plan, type PlannedModel, readPlan, writePlan } from './plan-record.ts';

export interface PlanOptions {
  /** Hosts that were rebuilt: what they lack is packed again for them. */
  readonly refill?: readonly HostKind[];
  /** How patiently the Hub is asked what a source holds. */
  readonly tuning?: RemoteTuning;
}

/**
 * Decides everything that the later steps do, from file sizes and the last published manifest,
 * without hashing; writes `plan.json`. Throws `invalid` with all problems: a release or model that
 * goes back, missing sources, unknown versions.
 */
export async function planRelease(
  loaded: LoadedConfig,
  targets: readonly Target[],
  workspace: Workspace,
  { refill = [], tuning }: PlanOptions = {},
): Promise<Plan> {
  const { config } = loaded;
  const tag = releaseTag(config);
  const earlier = await readPlan(workspace).catch(() => undefined);
  const asked = workspace.offline ? [] : targets.filter(({ kind }) => kind !== 'mirror');
  if (asked.length > 0) {
    const message = `Asking what is published: ${asked.map(({ place }) => place).join(', ')}`;
    workspace.onEvent?.({ type: 'notice', message });
  }
  const base = await findBase(config, targets, workspace, refill);
  const generatedAt = await settleGenerationTime(workspace, earlier?.tag === tag ? earlier.generated_at : undefined);
  const problems: Problem[] = [...base.problems, ...expiryProblems(config, generatedAt, workspace)];
  // Nothing of what is built on a wrong base is worth telling; a release that goes back has the
  // right one.
  const wrong = base.problems.some(({ code, level }) => level === 'error' && code !== undefined);
  if (wrong) throwProblems('invalid', `${workspace.configFile} can't be released`, problems);
  const { last, users } = await findHistory(config, base);
  const http = workspace.offline ? undefined : createHostsClient(config, workspace);
  const carried = workspace.offline ? undefined : carriedFiles(config, targets, workspace);
  const hosts = { targets, tuning, http, carried };
  const names = Object.keys(config.models).sort(compareBytes);
  const outcomes = await mapConcurrently(names, 16, (name) =>
    planModel(name, config.models[name]!, loaded, last.get(name), hosts, workspace),
  ).finally(() => http?.close());
  // In the order of the models, whichever was looked through first.
  problems.push(...outcomes.flatMap((outcome) => outcome.problems));
  for (const problem of problems) if (problem.level === 'warning') workspace.onEvent?.({ type: 'warning', problem });
  throwProblems('invalid', `${workspace.configFile} can't be released`, problems);
  const models = outcomes
    .flatMap(({ planned }) => planned ?? [])
    .map((model) => withPreviousRelease(model, last.get(model.name), base.release?.tag));
  const prerelease = semver.prerelease(config.release) !== null;
  const baseModels = Object.keys(base.release?.manifest.models ?? {});
  const plan: Plan = {
    plan_version: 1,
    tag,
    release: config.release,
    prerelease,
    namespace: config.namespace,
    generated_at: generatedAt,
    config_sha256: loaded.sha256,
    targets: targets.map((target) => ({ kind: target.kind, place: target.place })),
    base: base.release
      ? {
          tag: base.release.tag,
          size_bytes: base.release.bytes.length,
          sha256: base.release.sha256,
          kinds: base.release.kinds,
          public_keys: (users ?? base.release).manifest.signing?.public_keys ?? [],
          keys_of: (users ?? base.release).tag,
        }
      : null,
    ...(refill.length === 0 ? {} : { refill }),
    ...(base.release && !prerelease && isPrerelease(config, base.release)
      ? { users: { tag: users?.tag ?? null, models: users?.manifest.models ?? {} } }
      : {}),
    models,
    dropped: baseModels.filter((name) => !models.some((model) => model.name === name)).sort(compareBytes),
  };
  await fetchEarlierVectors(loaded, plan, targets, workspace);
  const measured = await Promise.all(
    models.map(async (model) => {
      const change = await measuredChange(model, workspace).catch(() => undefined);
      return change === undefined ? model : { ...model, measured: change };
    }),
  );
  const whole = { ...plan, models: measured };
  await writePlan(whole, workspace);
  return whole;
}

/**
 * Clients take nothing from a manifest past its expiry: one that is so from the beginning helps
 * nobody.
 */
function expiryProblems(
  { signing }: LoadedConfig['config'],
  generatedAt: string,
  workspace: Workspace,
): readonly Problem[] {
  const days = signing?.expires_in_days;
  if (days === undefined || Date.parse(generatedAt) + days * 86_400_000 > Date.now()) return [];
  return [
    {
      level: 'error',
      file: workspace.configFile,
      path: '$.signing.expires_in_days',
      message: `the release would have expired already: it counts from ${generatedAt} (SOURCE_DATE_EPOCH, or the last commit)`,
      hint: 'Make a commit, such as the one that raises "release", or set SOURCE_DATE_EPOCH to a later time.',
    },
  ];
}

function withPreviousRelease(
  model: PlannedModel,
  last: LastOffered | undefined,
  baseTag: string | undefined,
): PlannedModel {
  if (last === undefined || last.release.tag === baseTag) return model;
  const { tag, bytes, sha256, kinds } = last.release;
  return { ...model, previous_release: { tag, size_bytes: bytes.length, sha256, kinds } };
}
