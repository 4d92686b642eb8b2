import type { HostKind } from '../../contract/fields.ts';
import type { Problem } from '../../core/errors.ts';
import type { Target, TargetInspection } from '../../targets/target.ts';
import { expectedFiles, faultyStates, judge, type VerifyState } from '../verify/expected-files.ts';
import type { Workspace } from '../workspace.ts';
import type { Published, PublishedRelease } from './accepted-releases.ts';

/** Names that one message has room for. */
const namedFiles = 3;

/**
 * The base must be whole on every host that has a release of ours: what is built on it is promised
 * on all of them. A host without any is new, and one that is refilled is as good as new.
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
      const inspection = await target.inspect(base.tag, workspace);
      const faults = base.kinds.includes(target.kind)
        ? faultsOf(base, target, inspection)
        : [{ name: 'manifest.json', state: 'missing' } as const];
      // A mirror's directory can be filled up at any time; a public release elsewhere is what it
      // is.
      const isFinal = target.kind !== 'mirror' && inspection.state === 'public';
      return faults.length === 0 ? [] : [notWhole(base, target, faults, isFinal)];
    }),
  );
  return problems.flat();
}

interface FileFault {
  readonly name: string;
  readonly state: VerifyState;
}

function faultsOf(base: PublishedRelease, target: Target, inspection: TargetInspection): readonly FileFault[] {
  return expectedFiles(base.manifest, target.kind, base.tag, base.bytes)
    .map((file) => ({ name: file.name, state: judge(file, inspection) }))
    .filter(({ state }) => faultyStates.has(state));
}

function notWhole(
  { tag, version }: PublishedRelease,
  target: Target,
  faults: readonly FileFault[],
  isFinal: boolean,
): Problem {
  const more = faults.length > namedFiles ? ` and ${faults.length - namedFiles} more` : '';
  const named = faults.slice(0, namedFiles).map(({ name, state }) => `${name} is ${state}`);
  const isOther = faults.some(({ state }) => state === 'different');
  const look = `Look who changed it (\`aircher-models verify ${tag}\`)`;
  const refill = `--refill ${target.kind} packs again for it what it lacks`;
  return {
    level: 'error',
    code: isOther ? 'integrity' : 'conflict',
    file: target.place,
    message: `${tag}, the last release, is not whole there: ${named.join(', ')}${more}`,
    hint: isOther
      ? `${look}, and put back what was published; ${refill}.`
      : isFinal
        ? `${look}. Nothing is added to a release that is public; ${refill}.`
        : `Finish it: run \`aircher-models release\` with "release": "${version}" again. If this host was rebuilt or is back after a time: ${refill}.`,
  };
}
