import { AircherError, type Problem } from '../../core/errors.ts';
import type { FaultKind } from './faults.ts';
import type { Mirror } from './mirror.ts';

/** The error when no mirror is left: `integrity` where every one sent wrong bytes, else `remote`; it names each one and its fault. */
export function mirrorsFailed(mirrors: readonly Mirror[]): AircherError {
  const reasons = mirrors.map((mirror) => ({ mirror, ...reasonOf(mirror) }));
  const problems: Problem[] = reasons.map(({ mirror, message }) => ({ level: 'error', file: mirror.name, message }));
  const wrong = reasons.length > 0 && reasons.every(({ kind }) => kind === 'wrong-bytes');
  const denied = reasons.some(({ kind }) => kind === 'denied' || kind === 'missing');
  const summary = reasons.map(({ mirror, message }) => `${mirror.name}: ${message}`).join('; ');
  return new AircherError(
    wrong ? 'integrity' : 'remote',
    wrong ? `every mirror sends wrong bytes: ${summary}` : `no mirror is left: ${summary}`,
    {
      hint: wrong
        ? 'Tell the maintainer of this release. What is right so far is kept.'
        : denied
          ? 'For a private repository set HF_TOKEN or GITHUB_TOKEN. What arrived so far is kept.'
          : 'Try again later: what arrived so far is kept.',
      problems,
      details: { mirrors: reasons.map(({ mirror, kind }) => ({ mirror: mirror.name, fault: kind })) },
    },
  );
}

interface Reason {
  readonly kind: FaultKind | undefined;
  readonly message: string;
}

/** Why it is of no use: what it was given up for; else that it sends wrong bytes, whatever else it does; else what came last. */
function reasonOf({ gone, faults }: Mirror): Reason {
  if (gone) return gone;
  const [kind, fault] = [...faults].findLast(([found]) => found === 'wrong-bytes') ?? [...faults].at(-1) ?? [];
  return { kind, message: fault?.message ?? 'does not have all of it' };
}
