import { persist } from '../remote.ts';
import { hasStatus, RequestFailure } from '../request-failure.ts';
import type { CommitOperation } from './commit-body.ts';
import type { HubApi } from './hub-api.ts';
import type { Tree } from './hub-shapes.ts';

export interface SettleOptions {
  readonly branch: string;
  readonly summary: string;
  /** The branch's head, where it is known from making it. */
  readonly head?: string | undefined;
  /**
   * The commits that the branch still needs, given its tree; none when it is as wanted. Only the
   * first is made, then it is asked again.
   */
  plan(tree: Tree, head: string): Promise<readonly (readonly CommitOperation[])[]>;
}

/**
 * Commits to a branch until the plan is empty, and answers its head then. Every commit names its
 * parent. After a failure of any kind the head is read again, so that a commit that happened though
 * it failed isn't made twice, and somebody else's commit is built upon.
 */
export async function settleBranch(api: HubApi, options: SettleOptions): Promise<string> {
  const { branch, summary, plan } = options;
  let known = options.head;
  let planned = Number.POSITIVE_INFINITY;
  for (;;) {
    const step = await persist(`the branch ${branch}`, api.settings.patience, api.context, async () => {
      const head = known ?? (await headOf(api, branch));
      known = undefined;
      const commits = await plan(await treeOf(api, head), head);
      const [next] = commits;
      if (next === undefined) return { settled: head };
      // Each commit must bring the plan forward; else the Hub doesn't store what it was told.
      if (commits.length >= planned) throw new RequestFailure(`commits to ${branch} don't show`, { retryable: true });
      const head2 = await api.commit(branch, { summary, parentCommit: head }, next);
      planned = commits.length;
      return { head: head2 };
    });
    if (step.settled !== undefined) return step.settled;
    known = step.head;
  }
}

export async function headOf(api: HubApi, branch: string): Promise<string> {
  const head = (await api.refs()).branches.get(branch);
  if (head === undefined) throw new RequestFailure(`there is no branch ${branch}`, { status: 404, retryable: true });
  return head;
}

/** The files of a commit that is known to exist: not finding it is lag. */
export async function treeOf(api: HubApi, commit: string): Promise<Tree> {
  try {
    return await api.tree(commit);
  } catch (error) {
    if (hasStatus(error, 404)) {
      throw new RequestFailure(error.message, { status: 404, retryable: true, cause: error });
    }
    throw error;
  }
}
