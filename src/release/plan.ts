import semver from 'semver';
import type { ManifestModel } from '../contract/manifest.ts';
import { compareBytes } from '../contract/names.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { ModelConfig } from '../contract/release-config.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { type Problem, throwProblems } from '../core/errors.ts';
import { warn } from '../core/events.ts';
import type { Target } from '../targets/target.ts';
import { releaseTag } from './addresses.ts';
import { carryVerdict, findPublishedEntry, isYanked, newestNotYanked, publishedVersionsOf } from './carry-forward.ts';
import { settleGenerationTime } from './generation-time.ts';
import { type BaseRelease, findBase } from './last-published.ts';
import type { LoadedConfig } from './load-config.ts';
import { type Plan, type PlannedModel, readPlan, writePlan } from './plan-record.ts';
import { routeModel } from './routing.ts';
import { listModel } from './source-listing.ts';
import type { Workspace } from './workspace.ts';

/**
 * Decides everything that the later steps do, from file sizes and the last published manifest, without hashing; writes
 * `plan.json`. Throws `invalid` with all problems: a release or model that goes back, missing sources, unknown versions.
 */
export async function planRelease(
  loaded: LoadedConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<Plan> {
  const { config } = loaded;
  const tag = releaseTag(config);
  const earlier = await readPlan(workspace).catch(() => undefined);
  const base = await findBase(config, targets, workspace);
  const problems: Problem[] = [...base.problems];
  const names = Object.keys(config.models).sort(compareBytes);
  const planned = await mapConcurrently(names, 16, async (name) => {
    const model = config.models[name]!;
    const outcome = await planModel(name, model, loaded, base.release, workspace);
    problems.push(...outcome.problems);
    return outcome.planned;
  });
  for (const problem of problems) if (problem.level === 'warning') workspace.onEvent?.({ type: 'warning', problem });
  throwProblems('invalid', `${workspace.configFile} can't be released`, problems);
  const models = planned.filter((model) => model !== undefined);
  const baseModels = Object.keys(base.release?.manifest.models ?? {});
  const plan: Plan = {
    plan_version: 1,
    tag,
    release: config.release,
    prerelease: semver.prerelease(config.release) !== null,
    namespace: config.namespace,
    generated_at: await settleGenerationTime(workspace, earlier?.tag === tag ? earlier.generated_at : undefined),
    config_sha256: loaded.sha256,
    targets: targets.map((target) => ({ kind: target.kind, place: target.place })),
    base: base.release
      ? {
          tag: base.release.tag,
          size_bytes: base.release.sizeBytes,
          sha256: base.release.sha256,
          kinds: base.release.kinds,
          public_keys: base.release.manifest.signing?.public_keys ?? [],
        }
      : null,
    models,
    dropped: baseModels.filter((name) => !models.some((model) => model.name === name)).sort(compareBytes),
  };
  await writePlan(plan, workspace);
  return plan;
}

interface ModelOutcome {
  readonly planned: PlannedModel | undefined;
  readonly problems: readonly Problem[];
}

async function planModel(
  name: string,
  model: ModelConfig,
  { config }: LoadedConfig,
  base: BaseRelease | undefined,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const previous = base && Object.hasOwn(base.manifest.models, name) ? base.manifest.models[name] : undefined;
  const place = { file: workspace.configFile, path: jsonPath(['models', name, 'version']) };
  if (isYanked(config, name, model.version)) return planYanked(name, model, config, previous, base, workspace);

  const published = previous ? publishedVersionsOf(previous) : [];
  let entry = previous;
  if (previous && base && previous.version !== model.version && published.includes(model.version)) {
    // A version that was yanked once and isn't any more.
    entry = semver.gt(model.version, previous.version)
      ? await findPublishedEntry(name, model.version, previous, base, workspace)
      : previous;
  }
  if (entry && entry.version === model.version) {
    const verdict = carryVerdict(config, name, entry, base?.tag ?? '');
    if (verdict.carry) return { planned: carried(name, model, entry, verdict.reason, previous), problems: [] };
    return await planPacked(name, model, config, previous, verdict.reason, workspace);
  }
  const newest = published.reduce<string | undefined>(
    (best, version) => (best === undefined || semver.gt(version, best) ? version : best),
    undefined,
  );
  if (newest !== undefined && semver.lt(model.version, newest)) {
    const problem: Problem = {
      level: 'error',
      ...place,
      message: `goes back: ${name} ${newest} is published already (${base?.tag}), release.json says ${model.version}`,
      hint: `Write ${semver.inc(newest, 'patch')} or higher; to withdraw ${newest}, use \`aircher-models yank ${name}@${newest}\`.`,
    };
    return { planned: undefined, problems: [problem] };
  }
  return await planPacked(
    name,
    model,
    config,
    previous,
    previous ? `new version, after ${previous.version}` : 'new model',
    workspace,
  );
}

async function planYanked(
  name: string,
  model: ModelConfig,
  config: LoadedConfig['config'],
  previous: ManifestModel | undefined,
  base: BaseRelease | undefined,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const place = { file: workspace.configFile, path: jsonPath(['models', name, 'version']) };
  const published = previous ? publishedVersionsOf(previous) : [];
  if (!previous || !base || !published.includes(model.version)) {
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
  const entry = await findPublishedEntry(name, good, previous, base, workspace);
  return {
    planned: carried(name, model, entry, `${model.version} is yanked, ${good} is the newest that isn't`, previous),
    problems: [],
  };
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
    source_files: null,
    targets: [],
    primary: null,
    source: model.source,
    entry,
    previous: previous ?? null,
  };
}

async function planPacked(
  name: string,
  model: ModelConfig,
  config: LoadedConfig['config'],
  previous: ManifestModel | undefined,
  reason: string,
  workspace: Workspace,
): Promise<ModelOutcome> {
  const listing = await listModel(name, model, workspace);
  if (listing.problems.some((problem) => problem.level === 'error'))
    return { planned: undefined, problems: listing.problems };
  const bytes = listing.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const route = routeModel(config, bytes, listing.files.length);
  const problems = [...listing.problems];
  if (route.primary === undefined) {
    problems.push({
      level: 'error',
      file: workspace.configFile,
      path: jsonPath(['models', name]),
      message: `${name} has ${bytes} bytes, more than GitHub takes, and no other target is configured`,
      hint: 'Add "huggingface" or "mirror" to release.json.',
    });
  }
  const planned: PlannedModel = {
    name,
    version: model.version,
    action: 'pack',
    reason,
    source_bytes: bytes,
    source_files: listing.files.length,
    targets: route.targets,
    primary: route.primary ?? null,
    source: model.source,
    entry: null,
    previous: previous ?? null,
  };
  return { planned, problems };
}
