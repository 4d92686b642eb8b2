import { encodePath } from '../../contract/names.ts';
import { AircherError } from '../../core/errors.ts';
import { otherContent } from '../other-content.ts';
import { headFault } from '../public-address.ts';
import { lookPastLag, lookUntil, persist } from '../remote.ts';
import { hasStatus, RequestFailure } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { HubApi } from './hub-api.ts';
import { treeOf } from './settle-branch.ts';
import { type BlobIdCache, lackingFiles } from './stored-content.ts';
import { branchOf } from './upload-branch.ts';

/** Throws `conflict` where a tag's tree lacks a planned file or has it with other content. */
export async function requireSameTree(
  api: HubApi,
  release: TargetRelease,
  commit: string,
  cache: BlobIdCache,
): Promise<void> {
  const differing = await differingPaths(api, release, commit, cache);
  if (differing.length > 0) throw otherContent(release.tag, treeUrl(api, release.tag), differing);
}

export async function differingPaths(
  api: HubApi,
  release: TargetRelease,
  commit: string,
  cache: BlobIdCache,
): Promise<readonly string[]> {
  const lacking = await lackingFiles(api, commit, await treeOf(api, commit), release.files, cache);
  return lacking.map((file) => file.name);
}

export function treeUrl(api: HubApi, revision: string): string {
  return `${api.settings.endpoint}/${api.settings.repository}/tree/${encodeURIComponent(revision)}`;
}

/**
 * Checks the branch once more and makes the tag at its head. Does nothing where the tag is there
 * with the planned content.
 */
export async function makeTag(api: HubApi, release: TargetRelease, cache: BlobIdCache): Promise<void> {
  await persist(`the tag ${release.tag}`, api.settings.patience, api.context, async () => {
    const head = await findHead(api, release, cache);
    if (head === undefined) return;
    try {
      await api.createTag(release.tag, head);
    } catch (error) {
      // It is there after all: look again.
      if (!hasStatus(error, 409)) throw error;
      throw new RequestFailure(error.message, { status: 409, retryable: true, code: 'conflict', cause: error });
    }
  });
}

/**
 * The whole branch's head, or undefined where the tag is there already, the same. A branch that
 * isn't whole may be an old view of it.
 */
async function findHead(api: HubApi, release: TargetRelease, cache: BlobIdCache): Promise<string | undefined> {
  let lacking: readonly string[] | undefined;
  const found = await lookPastLag(api.settings.patience, api.context, async () => {
    const { tags, branches } = await api.refs();
    const tagged = tags.get(release.tag);
    if (tagged !== undefined) {
      await requireSameTree(api, release, tagged, cache);
      return { head: undefined };
    }
    const head = branches.get(branchOf(release.tag));
    lacking = head === undefined ? undefined : await differingPaths(api, release, head, cache);
    return lacking?.length === 0 ? { head } : undefined;
  });
  if (found !== undefined) return found.head;
  const branch = branchOf(release.tag);
  throw new AircherError(
    'conflict',
    lacking === undefined
      ? `there is no branch ${branch} to make ${release.tag} of`
      : `the branch ${branch} isn't as planned: ${lacking.slice(0, 3).join(', ')}`,
    { hint: 'Nothing was made public. Run the same command again: it sends what is missing.' },
  );
}

/**
 * Waits until the tag's manifest answers at the address that clients are given, as an anonymous
 * client sees it. `repository` is the name in that address. Throws `remote` after `publicMs`.
 */
export async function awaitPublicTag(api: HubApi, repository: string, release: TargetRelease): Promise<void> {
  const { endpoint, patience } = api.settings;
  const [file] = release.files.filter(({ name }) => name === 'manifest.json').concat(release.files);
  if (file === undefined) return;
  const url = `${endpoint}/${repository}/resolve/${encodeURIComponent(release.tag)}/${encodePath(file.name)}`;
  let fault: string | undefined;
  const answered = await lookUntil(patience.publicMs, patience, api.context, async () => {
    fault = await headFault(url, { network: patience, signal: api.context.signal });
    return fault === undefined ? true : undefined;
  });
  if (answered) return;
  throw new AircherError('remote', `${url} does not answer: ${fault}`, {
    hint: 'The tag is made, but the Hub does not serve it yet. Run the same command again in a few minutes.',
  });
}
