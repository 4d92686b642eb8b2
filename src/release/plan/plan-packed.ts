import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import type { Problem } from '../../core/errors.ts';
import type { LoadedConfig } from '../load-config.ts';
import { keepSpaceProblems } from '../prove/reference-problems.ts';
import type { Workspace } from '../workspace.ts';
import type { LastOffered } from './model-history.ts';
import type { Hosts } from './plan-carried.ts';
import type { PlannedModel } from './plan-record.ts';
import { estimatePlanes } from './planes-estimate.ts';
import { plannedPatches } from './planned-patches.ts';
import { plannedWeights } from './planned-weights.ts';
import { routeModel } from './routing.ts';
import { listModel } from './source-listing.ts';

export interface ModelOutcome {
  readonly planned: PlannedModel | undefined;
  readonly problems: readonly Problem[];
}

/** A model that is packed: where it goes, and what it costs; or what keeps it from that. */
export async function planPacked(
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
