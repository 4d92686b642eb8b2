import { throwProblems } from '../core/errors.ts';
import type { Target } from '../targets/target.ts';
import { writeClientBundle } from './documents/client-bundle.ts';
import { writeModelCard } from './documents/model-card.ts';
import { writeNotes } from './documents/notes.ts';
import { signRelease } from './documents/sign-release.ts';
import { requireSigningKeys } from './documents/signing-keys.ts';
import { writeChecksums } from './documents/write-checksums.ts';
import { writeManifest } from './documents/write-manifest.ts';
import type { LoadedConfig } from './load-config.ts';
import { packModels } from './pack/pack-models.ts';
import { stageModels } from './pack/stage-models.ts';
import { announcedKeyProblems } from './plan/key-continuity.ts';
import { type PlanOptions, planRelease } from './plan/plan-release.ts';
import { proveModels } from './prove/prove-models.ts';
import { takePublishedVectors } from './prove/published-vectors.ts';
import { type PublishOptions, type PublishReport, publishRelease } from './publish/publish-release.ts';
import { writeCatalogue } from './site/write-catalogue.ts';
import { type VerifyReport, verifyRelease } from './verify/verify-release.ts';
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
  await step('pack', () => packModels(loaded, plan, staged, workspace));
  // What was packed unpacks to the same files; their reference vectors; the maintainer's own check
  // agrees with them.
  await step('prove', () => proveModels(loaded, plan, workspace));
  // manifest.json, under the version rules, with vectors that hosts have already.
  const written = await step('manifest', async () => {
    await takePublishedVectors(loaded, plan, targets, workspace);
    return await writeManifest(loaded, plan, workspace);
  });
  // aircher.mjs with this release's sources and keys, checksums.sha256, notes, the Hub's model card
  // and a mirror's catalogue.
  await step('checksums', async () => {
    const bundle = await writeClientBundle(loaded.config, workspace);
    return await writeChecksums(written, bundle, workspace);
  });
  await step('notes', async () => {
    await writeModelCard(loaded.config, written, workspace);
    await writeCatalogue(loaded.config, written, workspace);
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
