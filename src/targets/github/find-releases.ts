import { AircherError } from '../../core/errors.ts';
import { plural } from '../../core/format.ts';
import type { GithubApi } from './github-api.ts';
import type { Release } from './github-shapes.ts';

/** What GitHub has of one tag. */
export interface TagReleases {
  readonly draft: Release | undefined;
  readonly published: Release | undefined;
}

/**
 * Finds a tag's release by listing: a draft has no address by tag. Throws `conflict` where there
 * are two drafts.
 */
export async function findReleases(api: GithubApi, tag: string): Promise<TagReleases> {
  const found = (await api.releases()).filter((release) => release.tag_name === tag);
  const drafts = found.filter((release) => release.draft);
  if (drafts.length > 1) throw twoDrafts(tag, drafts);
  return { draft: drafts[0], published: found.find((release) => !release.draft) };
}

function twoDrafts(tag: string, drafts: readonly Release[]): AircherError {
  const urls = drafts.map((draft) => draft.html_url).join(' ');
  return new AircherError('conflict', `${plural(drafts.length, 'draft')} of the release ${tag}: ${urls}`, {
    hint: 'Delete all but one of them on GitHub (keep the one with the most files), then run the same command again.',
    details: { drafts: drafts.map((draft) => draft.html_url) },
  });
}
