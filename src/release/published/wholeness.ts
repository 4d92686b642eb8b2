import type { HostKind } from '../../contract/fields.ts';
import type { Problem } from '../../core/errors.ts';
import type { Target } from '../../targets/target.ts';
import { expectedFiles, faultyStates, judge } from '../verify/expected-files.ts';
import type { Workspace } from '../workspace.ts';
import type { Published, PublishedRelease } from './accepted-releases.ts';

/** Names that one message has room for. */
const namedFiles = 3;

/**
 * The base must be whole on every host that has a release of ours: what is built on it is promised on all of them. A host
 * without any is new, and one that is refilled is as good as new.
 */
export async function wholenessProblems(
  base: PublishedRelease,
  published: Published,
  targets: readonly Target[],
  refill: readonly HostKind[],
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const problems = await Promise.all(
    targets.map(async (target): Promise<readonly Problem[]> => {
      const holder = published.holders.find(({ kind }) => kind === target.kind);
      if (holder === undefined || refill.includes(target.kind)) return [];
      if ((await published.newestOf(holder)) === undefined) return [];
      const lacks = base.kinds.includes(target.kind) ? await lackingFiles(base, target, workspace) : ['manifest.json'];
      return lacks.length === 0 ? [] : [notWhole(base, target, lacks)];
    }),
  );
  return problems.flat();
}

async function lackingFiles(base: PublishedRelease, target: Target, workspace: Workspace): Promise<readonly string[]> {
  const inspection = await target.inspect(base.tag, workspace);
  return expectedFiles(base.manifest, target.kind, base.tag, base.bytes)
    .filter((file) => faultyStates.has(judge(file, inspection)))
    .map(({ name }) => name);
}

function notWhole({ tag, version }: PublishedRelease, target: Target, lacks: readonly string[]): Problem {
  const more = lacks.length > namedFiles ? ` and ${lacks.length - namedFiles} more` : '';
  return {
    level: 'error',
    code: 'conflict',
    file: target.place,
    message: `${tag}, the last release, is not whole there: ${lacks.slice(0, namedFiles).join(', ')}${more} missing or other`,
    hint: `Finish it: run \`aircher-models release\` with "release": "${version}" again. If this host was rebuilt or is back after a time: --refill ${target.kind}.`,
  };
}
