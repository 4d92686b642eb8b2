import { throwProblems } from '../core/errors.ts';
import type { Target } from '../targets/target.ts';
import { writeChecksums } from './checksums.ts';
import { writeClientBundle } from './client-bundle.ts';
import { announcedKeyProblems } from './key-continuity.ts';
import type { LoadedConfig } from './load-config.ts';
import { writeManifest } from './manifest.ts';
import { writeModelCard } from './model-card.ts';
import { writeNotes } from './notes.ts';
import { packModels } from './pack.ts';
import { type PlanOptions, planRelease } from './plan.ts';
import { proveModels } from './prove/prove.ts';
import { type PublishOptions, type PublishReport, publishRelease } from './publish.ts';
import { signRelease } from './sign.ts';
import { requireSigningKeys } from './signing-keys.ts';
import { stageModels } from './stage.ts';
import { type VerifyReport, verifyRelease } from './verify.ts';
import type { Workspace } from './workspace.ts';

export interface ReleaseReport {
  readonly publish: PublishReport;
  readonly verify: VerifyReport | undefined;
}

/** The whole release: the steps in order, each taking what the one before gave. */
export async function runRelease(
  loaded: LoadedConfig,
  targets: readonly Target[],
  workspace: Workspace,
  options: Omit<PublishOptions, 'only'> & PlanOptions = {},
): Promise<ReleaseReport> {
  const step = stepper(workspace);
  // The keys that will sign are here: to miss one after hours of packing would be a pity.
  const keys = await requireSigningKeys(loaded.config, workspace);
  // What would be released, on which last release it builds, and where each model goes.
  const plan = await step('plan', () => planRelease(loaded, targets, workspace, options));
  if (!options.breakTrust) {
    const problems = announcedKeyProblems(plan, keys, workspace).map((fact) => ({ level: 'error' as const, ...fact }));
    throwProblems('conflict', `${plan.tag} can't be published`, problems);
  }
  // The sources are here and pass the gate.
  const staged = await step('stage', () => stageModels(loaded, plan, workspace));
  // Tarballs, chunk indexes, pack records.
  await step('pack', () => packModels(loaded, staged, workspace));
  // What was packed unpacks to the same files, and the maintainer's own check agrees with them.
  await step('prove', () => proveModels(loaded, plan, workspace));
  // manifest.json, under the version rules.
  const written = await step('manifest', () => writeManifest(loaded, plan, workspace));
  // aircher.mjs with this release's sources and keys, checksums.sha256, notes and the Hub's model card.
  await step('checksums', async () => {
    const bundle = await writeClientBundle(loaded.config, workspace);
    return await writeChecksums(plan, written, bundle, workspace);
  });
  await step('notes', async () => {
    await writeModelCard(loaded.config, written, workspace);
    return await writeNotes(loaded.config, plan, written, workspace);
  });
  // Manifest and checksums, where keys are there.
  await step('sign', () => signRelease(loaded.config, written, workspace));
  // Uploads, going public, pointers.
  const publish = await step('publish', () => publishRelease(loaded, plan, targets, workspace, options));
  // What the hosts report is what the manifest says.
  const verify =
    publish.state === 'public'
      ? await step('verify', () => verifyRelease(loaded.config, plan.tag, targets, workspace))
      : undefined;
  return { publish, verify };
}

function stepper(workspace: Workspace): <T>(name: string, run: () => Promise<T>) => Promise<T> {
  return async (name, run) => {
    workspace.signal?.throwIfAborted();
    workspace.onEvent?.({ type: 'step-start', step: name });
    const result = await run();
    workspace.onEvent?.({ type: 'step-end', step: name });
    return result;
  };
}
