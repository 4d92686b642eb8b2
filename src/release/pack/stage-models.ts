import type { SourceFile } from '../../archive/pack-archive.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { type Problem, throwProblems } from '../../core/errors.ts';
import type { ModelFacts } from '../../model/facts.ts';
import { inspectModel } from '../../model/inspect-model.ts';
import { hubSourceOf } from '../hub-source/hub-source.ts';
import { stageHubSources } from '../hub-source/stage-sources.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type Plan, type PlannedModel, packedModels } from '../plan/plan-record.ts';
import { listModel } from '../plan/source-listing.ts';
import { referenceProblems } from '../prove/reference-problems.ts';
import type { Workspace } from '../workspace.ts';
import { changedSinceCarried } from './changed-source.ts';
import { knownVersionProblems } from './known-changes.ts';

/** A model whose source is on this machine and has passed the gate. */
export interface StagedModel {
  readonly planned: PlannedModel;
  readonly files: readonly SourceFile[];
  readonly facts: ModelFacts;
}

/**
 * Downloads pinned Hub revisions, checks the sources of everything that is packed, their versions
 * as far as what changed is known, and that what is carried forward did not change. Reads no
 * weights to pack.
 */
export async function stageModels(
  loaded: LoadedConfig,
  plan: Plan,
  workspace: Workspace,
): Promise<readonly StagedModel[]> {
  const packed = packedModels(plan, workspace);
  const hubSources = packed.flatMap(({ name }) => hubSourceOf(name, loaded.config.models[name]!, workspace) ?? []);
  const problems: Problem[] = [...(await stageHubSources(hubSources, workspace))];
  const isHere = problems.length === 0 ? () => true : ({ source }: PlannedModel) => 'directory' in source;
  const outcomes = await mapConcurrently(packed.filter(isHere), 4, async (planned) => {
    workspace.signal?.throwIfAborted();
    return await stageModel(planned, loaded.config.models[planned.name]!, workspace);
  });
  problems.push(...outcomes.flatMap((outcome) => outcome.problems));
  const carried = plan.models.filter((model) => model.action === 'carry');
  for (const planned of carried) {
    const model = loaded.config.models[planned.name];
    if (model && (workspace.models === undefined || workspace.models.includes(planned.name))) {
      problems.push(...(await changedSinceCarried(planned, model, workspace)));
    }
  }
  for (const problem of problems) if (problem.level === 'warning') workspace.onEvent?.({ type: 'warning', problem });
  throwProblems('invalid', 'the model files are not fit for a release', problems);
  return outcomes.flatMap(({ staged }) => staged ?? []);
}

async function stageModel(
  planned: PlannedModel,
  model: ModelConfig,
  workspace: Workspace,
): Promise<{ staged: StagedModel | undefined; problems: readonly Problem[] }> {
  const listing = await listModel(planned.name, model, workspace);
  if (listing.problems.some((problem) => problem.level === 'error'))
    return { staged: undefined, problems: listing.problems };
  const { configFile } = workspace;
  const inspected = await inspectModel({ model: planned.name, config: model, configFile, files: listing.files });
  const staged = { planned, files: listing.files, facts: inspected.facts };
  const problems = [...listing.problems, ...inspected.problems];
  // The facts are of use only where nothing is wrong.
  if (!problems.some(({ level }) => level === 'error')) {
    const place = { file: configFile, path: jsonPath(['models', planned.name, 'version']) };
    problems.push(...(await referenceProblems(planned.name, model, staged.facts, workspace)));
    problems.push(...(await knownVersionProblems(staged, place, model.keep_space ?? false, workspace)));
  }
  return { staged, problems };
}
