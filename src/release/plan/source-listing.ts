import { resolve } from 'node:path';
import type { SourceFile } from '../../archive/pack-archive.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { exists } from '../../core/read-files.ts';
import { listSourceFiles } from '../../model/source-files.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import { type HubSource, hubSourceOf } from '../hub-source/hub-source.ts';
import { readSource, selectListed } from '../hub-source/list-source.ts';
import { sourceProblem } from '../hub-source/stage-sources.ts';
import { displayPath } from '../load-config.ts';
import { indexProblem, leastIndexBytes } from '../pack/index-limit.ts';
import type { Workspace } from '../workspace.ts';

export interface SourceListing {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/** Where a model's source files are, or will be once they are staged. */
export function sourceDirectory(name: string, model: ModelConfig, workspace: Workspace): string {
  return hubSourceOf(name, model, workspace)?.directory ?? localDirectory(model, workspace);
}

/**
 * The model's source files with their sizes; no content is read. A missing directory, or a Hub
 * source that can't be had, is a problem that says where it was looked for; so is more than a chunk
 * index can hold.
 */
export async function listModel(
  name: string,
  model: ModelConfig,
  workspace: Workspace,
  tuning: RemoteTuning = {},
): Promise<SourceListing> {
  const { files, problems } = await listFiles(name, model, workspace, tuning);
  const place = { file: workspace.configFile, path: jsonPath(['models', name]) };
  const problem = indexProblem(place, name, leastIndexBytes(files));
  return { files, problems: problem === undefined ? problems : [...problems, problem] };
}

async function listFiles(
  name: string,
  model: ModelConfig,
  workspace: Workspace,
  tuning: RemoteTuning,
): Promise<SourceListing> {
  const source = hubSourceOf(name, model, workspace);
  if (source !== undefined) return await listHubSource(source, workspace, tuning);
  const root = localDirectory(model, workspace);
  if (!(await exists(root))) {
    const problem: Problem = {
      level: 'error',
      file: workspace.configFile,
      path: jsonPath(['models', name, 'source', 'directory']),
      message: `the directory ${displayPath(workspace, root)} of ${name} is not there`,
      hint: 'It is looked for below the working directory. Create it, or correct the path. In CI the repository must bring it (by Git LFS), or the source be a revision on the Hub.',
    };
    return { files: [], problems: [problem] };
  }
  const listing = await listSourceFiles({
    model: name,
    root,
    include: model.include,
    exclude: model.exclude,
    followLinks: 'directory' in model.source ? (model.source.follow_links ?? false) : false,
    allowCode: model.allow_code ?? false,
  });
  const asKnown = (problem: Problem): Problem =>
    problem.file === undefined ? problem : { ...problem, file: displayPath(workspace, problem.file) };
  return { files: listing.files, problems: listing.problems.map(asKnown) };
}

function localDirectory(model: ModelConfig, workspace: Workspace): string {
  return resolve(workspace.directory, 'directory' in model.source ? model.source.directory : '');
}

async function listHubSource(source: HubSource, workspace: Workspace, tuning: RemoteTuning): Promise<SourceListing> {
  try {
    const { files } = await readSource(source, workspace, tuning);
    return selectListed(source, files);
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    return { files: [], problems: [sourceProblem(source, error, workspace)] };
  }
}
