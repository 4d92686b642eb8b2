import type { Problem } from '../../core/errors.ts';
import { displayPath, publishedCopy } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import type { Verdict } from './judge-copy.ts';

/**
 * `manifests/published/` holds what this maintainer has published, and nobody else writes there. Where a release in it doesn't
 * count any more, release.json was changed without telling how the old releases are to be known: going on would begin anew, and
 * forget every published version. Undefined where the copy is damaged: the hosts tell.
 */
export function ownRecordProblem(
  tag: string,
  { fault, reason }: Extract<Verdict, { counts: false }>,
  workspace: Workspace,
): Problem | undefined {
  if (fault !== 'unsigned' && fault !== 'altered') return undefined;
  return {
    level: 'error',
    code: 'conflict',
    file: displayPath(workspace, publishedCopy(workspace, tag)),
    message: `${tag} was published, and its manifest ${reason}: by what release.json says it doesn't count`,
    hint: 'Name it in "signing" of release.json; docs/operations.md has the lines ("The first signed release", "Rotating a key"). Or delete this copy to begin anew.',
  };
}
