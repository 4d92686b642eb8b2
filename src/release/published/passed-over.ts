import type { HostKind } from '../../contract/fields.ts';
import type { Problem } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { Workspace } from '../workspace.ts';
import type { JudgedCopy } from './accepted-releases.ts';
import { ownRecordProblem } from './own-record.ts';

/** Tags of one host that one message names. */
const namedTags = 5;

/**
 * Warns of what counts for nothing, a line a host and reason; answers with what must not be passed
 * over.
 */
export async function tellOfPassedOver(
  copies: readonly JudgedCopy[],
  refill: readonly HostKind[],
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const byFact = new Map<string, { place: string; reason: string; tags: string[] }>();
  for (const { holder, tag, verdict } of copies) {
    if (holder.kind === 'local') continue;
    if (!verdict.counts && verdict.fault === 'altered' && !refill.includes(holder.kind)) {
      problems.push(altered(holder.place, holder.kind, tag.tag, verdict.reason));
      continue;
    }
    const reason = verdict.counts ? 'is on this host alone' : verdict.reason;
    const fact = byFact.get(`${holder.place} ${reason}`) ?? { place: holder.place, reason, tags: [] };
    fact.tags.push(tag.tag);
    byFact.set(`${holder.place} ${reason}`, fact);
  }
  for (const { place, reason, tags } of byFact.values()) {
    const more = tags.length > namedTags ? ` and ${tags.length - namedTags} more` : '';
    warn(workspace, {
      file: place,
      message: `${tags.slice(0, namedTags).join(', ')}${more}: its manifest.json ${reason}; it counts for nothing`,
      hint: 'If you did not put it there, look who else can write to this host.',
    });
  }
  // The newest one of the maintainer's own record: with its remedy the older ones count, too.
  const own = copies.find(({ holder, verdict }) => holder.kind === 'local' && !verdict.counts);
  const problem = own && !own.verdict.counts && (await ownRecordProblem(own.holder, own.tag, own.verdict, workspace));
  return problem ? [...problems, problem] : problems;
}

function altered(place: string, kind: HostKind, tag: string, reason: string): Problem {
  return {
    level: 'error',
    code: 'integrity',
    file: place,
    message: `${tag} is a release of yours, and its manifest.json there ${reason}`,
    hint: `Look who changed it. Put back what was published, or go on without what this host has by --refill ${kind}.`,
  };
}
