import type { SourceFile } from '../archive/pack.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { ModelConfig } from '../contract/release-config.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { type Problem, throwProblems } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { hashFile } from '../core/hashing.ts';
import type { ModelFacts } from '../model/facts.ts';
import { inspectModel } from '../model/inspect-model.ts';
import type { LoadedConfig } from './load-config.ts';
import { type Plan, type PlannedModel, packedModels } from './plan-record.ts';
import { listModel, sourceDirectory } from './source-listing.ts';
import type { Workspace } from './workspace.ts';

/** A model whose source is on this machine and has passed the gate. */
export interface StagedModel {
  readonly planned: PlannedModel;
  readonly files: readonly SourceFile[];
  readonly facts: ModelFacts;
}

/** Checks the sources of everything that is packed, and that what is carried forward did not change. Reads no weights to pack. */
export async function stageModels(
  loaded: LoadedConfig,
  plan: Plan,
  workspace: Workspace,
): Promise<readonly StagedModel[]> {
  const problems: Problem[] = [];
  const staged = await mapConcurrently(packedModels(plan, workspace), 4, async (planned) => {
    workspace.signal?.throwIfAborted();
    const outcome = await stageModel(planned, loaded.config.models[planned.name]!, workspace);
    problems.push(...outcome.problems);
    return outcome.staged;
  });
  const carried = plan.models.filter((model) => model.action === 'carry');
  for (const planned of carried) {
    const model = loaded.config.models[planned.name];
    if (model && (workspace.models === undefined || workspace.models.includes(planned.name))) {
      problems.push(...(await changedSinceCarried(planned, model, workspace)));
    }
  }
  for (const problem of problems) if (problem.level === 'warning') workspace.onEvent?.({ type: 'warning', problem });
  throwProblems('invalid', 'the model files are not fit for a release', problems);
  return staged.filter((model) => model !== undefined);
}

async function stageModel(
  planned: PlannedModel,
  model: ModelConfig,
  workspace: Workspace,
): Promise<{ staged: StagedModel | undefined; problems: readonly Problem[] }> {
  const listing = await listModel(planned.name, model, workspace);
  if (listing.problems.some((problem) => problem.level === 'error'))
    return { staged: undefined, problems: listing.problems };
  const inspected = await inspectModel({ model: planned.name, config: model, files: listing.files });
  return {
    staged: { planned, files: listing.files, facts: inspected.facts },
    problems: [...listing.problems, ...inspected.problems],
  };
}

/** The sources of a carried-forward model, where they are here, must be what was published under its version. */
async function changedSinceCarried(
  planned: PlannedModel,
  model: ModelConfig,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const published = planned.entry?.files;
  // A yanked version's source isn't the one that is carried forward; a Hub source is pinned by its commit.
  if (published === undefined || model.version !== planned.version || !('directory' in model.source)) return [];
  if (!(await exists(sourceDirectory(planned.name, model, workspace)))) return [];
  const listing = await listModel(planned.name, model, workspace);
  const place = { file: workspace.configFile, path: jsonPath(['models', planned.name, 'version']) };
  const changed = (message: string): Problem => ({
    level: 'error',
    ...place,
    message: `${planned.name} ${planned.version} is published, but ${message}`,
    hint: `Write a new version (${planned.version} never changes), or put the published files back.`,
  });
  const problems: Problem[] = [];
  const before = new Map(published.map((file) => [file.path, file]));
  for (const file of listing.files) {
    const old = before.get(file.path);
    before.delete(file.path);
    if (old === undefined) problems.push(changed(`${file.path} is new`));
    else if (old.size_bytes !== file.sizeBytes)
      problems.push(changed(`${file.path} has ${file.sizeBytes} bytes, not ${old.size_bytes}`));
    else if ((await hashFile(file.absolutePath, { signal: workspace.signal })).sha256 !== old.sha256) {
      problems.push(changed(`${file.path} has other content`));
    }
  }
  for (const path of before.keys()) problems.push(changed(`${path} is gone`));
  return problems;
}
