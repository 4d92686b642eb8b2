import { AircherError } from '../../core/errors.ts';
import type { Target, TargetInspection } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';

/** What a target shows of a release. */
export interface SeenTarget {
  readonly target: Target;
  readonly manifest: Buffer | undefined;
  readonly inspection: TargetInspection;
  /** A document of the release, asked for once; undefined where it isn't there. */
  readonly read: (name: string) => Promise<Buffer | undefined>;
}

/** A target that gave no answer after all attempts. */
export interface UnreachableTarget {
  readonly target: Target;
  readonly failure: AircherError;
}

/**
 * Every target's manifest and file list of a tag. One that is down doesn't hide what the others
 * show.
 */
export async function lookAtTargets(
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<{ readonly seen: readonly SeenTarget[]; readonly unreachable: readonly UnreachableTarget[] }> {
  const looks = await Promise.all(
    targets.map((target) =>
      reaching(target, async (): Promise<SeenTarget> => {
        const manifest = await target.readDocument(tag, 'manifest.json', workspace);
        const inspection = await target.inspect(tag, workspace);
        return { target, manifest, inspection, read: documentReader(target, tag, inspection, workspace) };
      }),
    ),
  );
  return {
    seen: looks.filter((look) => 'inspection' in look),
    unreachable: looks.filter((look) => 'failure' in look),
  };
}

function documentReader(
  target: Target,
  tag: string,
  { files }: TargetInspection,
  workspace: Workspace,
): SeenTarget['read'] {
  const asked = new Map<string, Promise<Buffer | undefined>>();
  return async (name) => {
    if (!files.some((file) => file.name === name)) return undefined;
    const answer = asked.get(name) ?? target.readDocument(tag, name, workspace);
    asked.set(name, answer);
    return await answer;
  };
}

/**
 * Runs a look, and answers with the failure where the target can't be reached. Other errors are
 * thrown.
 */
export async function reaching<T>(target: Target, look: () => Promise<T>): Promise<T | UnreachableTarget> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof AircherError && error.code === 'remote') return { target, failure: error };
    throw error;
  }
}
