import { join } from 'node:path';
import { formatChecksums } from '../../contract/checksums.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { hashFile } from '../../core/hashing.ts';
import { fileStamp, readFileIfThere } from '../../core/read-files.ts';
import { readClientBundle } from '../documents/client-bundle.ts';
import { checksumsName, listChecksums } from '../documents/write-checksums.ts';
import { composeManifest, manifestPath, type WrittenManifest } from '../documents/write-manifest.ts';
import { displayPath, type LoadedConfig } from '../load-config.ts';
import { type PackedArtifact, packedArtifacts, requirePackRecord } from '../pack/pack-record.ts';
import type { Plan } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';

/**
 * Whether what is in the output directory belongs together: artifacts are those that
 * were packed, and the manifest and the checksums are those that plan and packs make.
 */
export async function outputProblems(
  loaded: LoadedConfig,
  plan: Plan,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  if (written.manifest.release !== plan.tag) {
    return [
      {
        level: 'error',
        code: 'invalid',
        file: displayPath(workspace, manifestPath(workspace)),
        message: `is of ${written.manifest.release}, the plan is of ${plan.tag}`,
        hint: 'Run `aircher-models manifest` and the steps after it again.',
      },
    ];
  }
  const artifacts = await artifactProblems(plan, workspace);
  return artifacts.length > 0 ? artifacts : await documentProblems(loaded, plan, written, workspace);
}

/**
 * A step run again after the steps that use its result leaves documents that tell of something
 * else.
 */
async function documentProblems(
  loaded: LoadedConfig,
  plan: Plan,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const stale = (path: string, command: string): Problem => ({
    level: 'error',
    code: 'invalid',
    file: displayPath(workspace, path),
    message: 'is not what the plan and the packed models make: one of them changed after it was written',
    hint: `Run \`aircher-models ${command}\` and the steps after it again.`,
  });
  let manifest: WrittenManifest;
  try {
    manifest = await composeManifest(loaded, plan, workspace);
  } catch (error) {
    // A model without its proof hides no problem of a host.
    if (error instanceof AircherError && error.problems.length > 0) return error.problems;
    throw error;
  }
  if (!manifest.bytes.equals(written.bytes)) return [stale(manifestPath(workspace), 'manifest')];
  const bundle = await readClientBundle(workspace);
  const checksums = formatChecksums(listChecksums(written, bundle));
  const path = join(workspace.out, checksumsName);
  return (await readFileIfThere(path))?.toString() === checksums ? [] : [stale(path, 'checksums')];
}

/**
 * Whether the artifacts in the output directory are those that the manifest was made of.
 * Files that look as they did when they were packed aren't read again; others (after a copy, on
 * another machine) are hashed.
 */
async function artifactProblems(plan: Plan, workspace: Workspace): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const planned of plan.models) {
    if (planned.action !== 'pack') continue;
    const record = await requirePackRecord(planned.name, planned.version, workspace).catch(asProblem);
    if ('level' in record) {
      problems.push(record);
      continue;
    }
    for (const artifact of packedArtifacts(record)) {
      const stamp = record.stamps.find(({ name }) => name === artifact.name)?.stamp;
      const problem = await artifactProblem(artifact, stamp, planned.name, workspace);
      if (problem) problems.push(problem);
    }
  }
  return problems;
}

/** A missing or foreign pack record hides no other problem. */
function asProblem(error: unknown): Problem {
  if (!(error instanceof AircherError)) throw error;
  const { code, message, hint } = error;
  return { level: 'error', code, message, ...(hint === undefined ? {} : { hint }) };
}

async function artifactProblem(
  artifact: PackedArtifact,
  stamp: string | undefined,
  model: string,
  workspace: Workspace,
): Promise<Problem | undefined> {
  const path = join(workspace.out, artifact.name);
  const now = await fileStamp(path);
  if (now !== undefined && now === stamp) return undefined;
  const place = { level: 'error', file: displayPath(workspace, path) } as const;
  const hint = `Run \`aircher-models pack --model ${model}\` again, or bring the file from the machine that packed it.`;
  if (now === undefined) return { ...place, code: 'invalid', message: 'is not there', hint };
  const found = await hashFile(path, { signal: workspace.signal });
  if (found.sha256 === artifact.sha256 && found.sizeBytes === artifact.size_bytes) return undefined;
  return {
    ...place,
    code: 'integrity',
    message: `is not what was packed: sha256 ${found.sha256} of ${found.sizeBytes} bytes, not ${artifact.sha256} of ${artifact.size_bytes}`,
    hint,
  };
}
