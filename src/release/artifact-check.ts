import { join } from 'node:path';
import type { Problem } from '../core/errors.ts';
import { fileStamp } from '../core/files.ts';
import { hashFile, type Sha256 } from '../core/hashing.ts';
import { displayPath } from './load-config.ts';
import { requirePackRecord } from './pack-record.ts';
import type { Plan } from './plan-record.ts';
import type { Workspace } from './workspace.ts';

/**
 * Whether the archives and indexes in the output directory are those that the manifest was made of. Files that look as they did
 * when they were packed aren't read again; others (after a copy, on another machine) are hashed.
 */
export async function artifactProblems(plan: Plan, workspace: Workspace): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const planned of plan.models) {
    if (planned.action !== 'pack') continue;
    const record = await requirePackRecord(planned.name, planned.version, workspace);
    for (const kind of ['archive', 'index'] as const) {
      const problem = await artifactProblem(record[kind], record.stamps[kind], planned.name, workspace);
      if (problem) problems.push(problem);
    }
  }
  return problems;
}

async function artifactProblem(
  artifact: { readonly name: string; readonly size_bytes: number; readonly sha256: Sha256 },
  stamp: string,
  model: string,
  workspace: Workspace,
): Promise<Problem | undefined> {
  const path = join(workspace.out, artifact.name);
  const now = await fileStamp(path);
  if (now === stamp) return undefined;
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
