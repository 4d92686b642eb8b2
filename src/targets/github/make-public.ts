import { AircherError } from '../../core/errors.ts';
import { lookPastLag, persist } from '../remote.ts';
import { RequestFailure } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { DigestCache } from './asset-content.ts';
import { findReleases } from './find-releases.ts';
import type { GithubApi } from './github-api.ts';
import { requireSame } from './published-release.ts';
import { checkDraft, draftFields } from './upload-draft.ts';

/**
 * Turns the checked draft into the release. Does nothing where it is public already with the
 * planned content.
 */
export async function publishDraft(
  api: GithubApi,
  release: TargetRelease,
  makeLatest: boolean,
  cache: DigestCache,
): Promise<void> {
  await persist(`publishing ${release.tag}`, api.settings.patience, api.context, async () => {
    const found = await lookPastLag(api.settings.patience, api.context, async () => {
      const look = await findReleases(api, release.tag);
      return (look.draft ?? look.published) ? look : undefined;
    });
    const { draft, published } = found ?? {};
    if (published !== undefined) return requireSame(api, published, release, cache);
    if (draft === undefined) {
      throw new AircherError('conflict', `there is no draft of ${release.tag} to make public`, {
        hint: 'Run the same command again: it makes the draft.',
      });
    }
    await checkDraft(api, draft, release, cache);
    const answer = await api.updateRelease(draft.id, {
      ...draftFields(release),
      draft: false,
      make_latest: makeLatest && !release.prerelease ? 'true' : 'false',
    });
    if (answer.draft) throw new RequestFailure(`${release.tag} is still a draft`, { retryable: true });
    return undefined;
  });
}
