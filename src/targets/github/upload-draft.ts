import { mapConcurrently } from '../../core/concurrency.ts';
import { warn } from '../../core/events.ts';
import { lookPastLag, lookUntil, persist } from '../remote.ts';
import { hasStatus, RequestFailure } from '../request-failure.ts';
import type { ReleaseFile, TargetRelease } from '../target.ts';
import { uploadProgress } from '../upload-progress.ts';
import { type DigestCache, holds } from './asset-content.ts';
import { findReleases, type TagReleases } from './find-releases.ts';
import type { GithubApi, ReleaseFields } from './github-api.ts';
import type { Asset, Release } from './github-shapes.ts';
import { releaseBody } from './release-body.ts';

/** Fields of the draft. Nothing in them makes it public. */
export function draftFields(release: TargetRelease): ReleaseFields & { readonly tag_name: string } {
  return {
    tag_name: release.tag,
    name: release.tag,
    body: releaseBody(release.notes).text,
    draft: true,
    prerelease: release.prerelease,
    ...(release.targetCommit === undefined ? {} : { target_commitish: release.targetCommit }),
  };
}

/**
 * The tag's release: a public one if there is one, else the draft, which is made where it is
 * missing. Making it twice would be worse than waiting: before it is made, two looks some time
 * apart must both miss it, since a list may lag behind a run that was killed.
 */
export async function findOrCreateDraft(api: GithubApi, release: TargetRelease): Promise<TagReleases> {
  const { patience } = api.settings;
  return persist(`the draft of ${release.tag}`, patience, api.context, async () => {
    const found = await lookUntil(patience.lagMs, patience, api.context, async () => {
      const look = await findReleases(api, release.tag);
      return (look.draft ?? look.published) ? look : undefined;
    });
    if (found === undefined) return { draft: await api.createRelease(draftFields(release)), published: undefined };
    if (found.published !== undefined || found.draft === undefined) return found;
    return { draft: await matchFields(api, found.draft, release), published: undefined };
  });
}

/** Brings text, flags and target of a draft up to date, where they differ. */
async function matchFields(api: GithubApi, draft: Release, release: TargetRelease): Promise<Release> {
  const fields = draftFields(release);
  const same =
    draft.name === fields.name &&
    sameText(draft.body ?? '', fields.body ?? '') &&
    draft.prerelease === fields.prerelease &&
    (fields.target_commitish === undefined || draft.target_commitish === fields.target_commitish);
  return same ? draft : api.updateRelease(draft.id, fields);
}

/** GitHub gives text back with other line ends and without space at the end. */
function sameText(a: string, b: string): boolean {
  return a.replaceAll('\r\n', '\n').trimEnd() === b.replaceAll('\r\n', '\n').trimEnd();
}

/** Sends what the draft doesn't hold, a few files at a time, and takes away what isn't planned. */
export async function fillDraft(
  api: GithubApi,
  draft: Release,
  release: TargetRelease,
  cache: DigestCache,
): Promise<void> {
  const { patience } = api.settings;
  const assets = await api.assets(draft.id);
  const planned = new Set(release.files.map((file) => file.name));
  for (const asset of assets.filter(({ name }) => !planned.has(name))) {
    warn(api.context, { file: asset.name, message: 'is on the draft but not in this release: deleted from the draft' });
    await persist(`deleting ${asset.name}`, patience, api.context, () => api.deleteAsset(asset.id));
  }
  const byName = new Map(assets.map((asset) => [asset.name, asset]));
  await mapConcurrently(release.files, patience.parallel, (file) =>
    settleAsset(api, draft, file, byName.get(file.name), cache),
  );
}

/**
 * Makes one asset right: looks, clears what is in the way, sends; after a failure from the look
 * again.
 */
async function settleAsset(
  api: GithubApi,
  draft: Release,
  file: ReleaseFile,
  listed: Asset | undefined,
  cache: DigestCache,
): Promise<void> {
  const progress = uploadProgress(file, 'github', api.context);
  let sent = false;
  await persist(`uploading ${file.name}`, api.settings.patience, api.context, async (attempt) => {
    const found = attempt === 1 ? listed : (await api.assets(draft.id)).find(({ name }) => name === file.name);
    if (found !== undefined) {
      if (await holds(api, found, file, cache)) return;
      await api.deleteAsset(found.id);
    }
    await sendAsset(api, draft, file, progress.sent, cache);
    sent = true;
  });
  progress.done(sent ? undefined : 'already there');
}

async function sendAsset(
  api: GithubApi,
  draft: Release,
  file: ReleaseFile,
  onSent: (bytes: number) => void,
  cache: DigestCache,
): Promise<void> {
  let asset: Asset;
  try {
    asset = await api.uploadAsset(draft, file, onSent);
  } catch (error) {
    // Something of that name is there after all: what a broken attempt left, or one that arrived
    // without our knowing.
    if (hasStatus(error, 422) && error.reasons.includes('already_exists')) {
      throw new RequestFailure(error.message, { status: 422, retryable: true, code: 'conflict', cause: error });
    }
    // The draft is known to exist: a moment after it was made, not every server of theirs knows it.
    if (hasStatus(error, 404)) {
      throw new RequestFailure(error.message, { status: 404, retryable: true, code: 'conflict', cause: error });
    }
    throw error;
  }
  if (asset.name !== file.name) {
    await api.deleteAsset(asset.id);
    throw new RequestFailure(`GitHub calls the asset ${file.name} ${asset.name}`, {
      retryable: false,
      code: 'conflict',
      hint: 'Rename the model: GitHub keeps only letters, digits, dot, underscore and hyphen.',
    });
  }
  if (!(await holds(api, asset, file, cache))) {
    throw new RequestFailure(`${file.name}: other bytes arrived than were sent (${asset.state})`, {
      retryable: true,
      code: 'integrity',
      hint: 'Check that the file is what was packed (sha256sum -c checksums.sha256), then run the same command again.',
    });
  }
}

/**
 * Checks the whole draft by what GitHub reports: every planned asset whole, and none beside them.
 * The list may lag behind the uploads for a while.
 */
export async function checkDraft(
  api: GithubApi,
  draft: Release,
  release: TargetRelease,
  cache: DigestCache,
): Promise<void> {
  const { patience } = api.settings;
  let wrong: readonly string[] = [];
  const good = await lookPastLag(patience, api.context, async () => {
    wrong = await draftFaults(api, draft, release, cache);
    return wrong.length === 0 ? true : undefined;
  });
  if (good) return;
  throw new RequestFailure(
    `the draft isn't as planned: ${wrong.slice(0, 3).join(', ')}${wrong.length > 3 ? ', …' : ''}`,
    {
      retryable: false,
      code: 'integrity',
      hint: 'Nothing was made public. Run the same command again: it sends what is missing.',
    },
  );
}

async function draftFaults(
  api: GithubApi,
  draft: Release,
  release: TargetRelease,
  cache: DigestCache,
): Promise<readonly string[]> {
  const assets = new Map((await api.assets(draft.id)).map((asset) => [asset.name, asset]));
  const faults: string[] = [];
  for (const file of release.files) {
    const asset = assets.get(file.name);
    if (asset === undefined) faults.push(`${file.name} is missing`);
    else if (!(await holds(api, asset, file, cache))) faults.push(`${file.name} is ${asset.state} with other content`);
    assets.delete(file.name);
  }
  return [...faults, ...[...assets.keys()].map((name) => `${name} isn't planned`)];
}
