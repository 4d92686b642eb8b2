import { join } from 'node:path';
import type { PatchSource } from '../../archive/patch-base.ts';
import { AircherError, invalidError } from '../../core/errors.ts';
import { namesIn } from '../../core/read-files.ts';
import { removeTree } from '../../core/write-files.ts';
import { planTransfer } from '../../fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../fetch/transfer/run-transfer.ts';
import { pathsIn } from '../../fetch/transfer/transfer-directory.ts';
import type { TransferPlan } from '../../fetch/transfer/types.ts';
import type { Http } from '../../http/http-client.ts';
import type { Plan, PlannedPatch } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';

/**
 * The older versions that patches are made from, in `<out>/.previous/`, which nobody uploads: as
 * any client gets them, every chunk checked. What is there already isn't fetched again.
 */

function previousDirectory(workspace: Workspace): string {
  return join(workspace.out, '.previous');
}

function directoryName(model: string, version: string): string {
  return `${model}@${version}`;
}

/** Fetches the index of an older version. Throws `invalid`, `integrity`, `remote`. */
export async function planOlderVersion(
  model: string,
  { version, entry }: PlannedPatch,
  http: Http,
  workspace: Workspace,
): Promise<TransferPlan> {
  if (entry.index === undefined || entry.files === undefined) {
    throw invalidError(`${model} ${version} was published without a chunk index`);
  }
  const staging = join(previousDirectory(workspace), directoryName(model, version));
  return await planTransfer({ model, entry, staging, reuse: [] }, http, workspace);
}

/** Fetches an older version. Throws like `planOlderVersion`, with the way out. */
export async function fetchOlderVersion(
  model: string,
  patch: PlannedPatch,
  http: Http,
  workspace: Workspace,
): Promise<PatchSource> {
  const { version } = patch;
  try {
    const plan = await planOlderVersion(model, patch, http, workspace);
    await runTransfer(plan, http, workspace);
    return { version, directory: pathsIn(plan.request.staging).files, index: plan.index!.value };
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    const { code, message, details, problems } = error;
    throw new AircherError(code, `the patch from ${model} ${version} can't be made: ${message}`, {
      hint: 'Run it again; or run `aircher-models plan` again, which leaves out a version that can’t be read; or release without patches: `"encodings": { "patches": 0 }`.',
      details,
      problems,
      cause: error,
    });
  }
}

/** Removes what earlier releases left. */
export async function removeOtherVersions(plan: Plan, workspace: Workspace): Promise<void> {
  const used = new Set(
    plan.models.flatMap(({ name, patch_from = [] }) => patch_from.map(({ version }) => directoryName(name, version))),
  );
  const directory = previousDirectory(workspace);
  for (const name of await namesIn(directory)) {
    if (!used.has(name)) await removeTree(join(directory, name));
  }
}
