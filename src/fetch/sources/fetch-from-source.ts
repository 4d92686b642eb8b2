import { remoteError } from '../../core/errors.ts';
import { isMissing } from '../../http/remote-error.ts';
import { fetchManifestUrl, readManifestFile } from './fetch-document.ts';
import { listTags, releaseTags } from './git-tags.ts';
import type { FetchedManifest, SourceOptions, UnchangedManifest } from './manifest-source.ts';
import { parseSource } from './source.ts';

/**
 * Newest tags without a manifest that are stepped over: a release that is being made, or was given
 * up.
 */
const maxStepsBack = 5;

/**
 * The newest manifest of a source, and its signature, not verified. Throws `remote`, `conflict`
 * (access denied), `invalid` (none there, too big), `usage` (no source).
 */
export async function fetchFromSource(
  source: string,
  options: SourceOptions,
): Promise<FetchedManifest | UnchangedManifest> {
  const parsed = parseSource(source);
  if (parsed.kind === 'url') return fetchManifestUrl(source, parsed.url, undefined, options);
  if (parsed.kind === 'file') return readManifestFile(source, parsed.path, undefined);
  const { server = options.http.githubServerUrl, repository, tagPrefix } = parsed;
  const tags = releaseTags(await listTags(repository, tagPrefix, { ...options, server }), tagPrefix);
  for (const tag of tags.slice(0, maxStepsBack + 1)) {
    try {
      return await fetchManifestUrl(source, githubManifestUrl(server, repository, tag), tag, options);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  const fact = tags.length === 0 ? `no tag ${tagPrefix}<version>` : 'no release with a manifest in its newest tags';
  throw remoteError(
    `${source}: ${fact}`,
    'Check the repository and the tag prefix behind #. A private repository needs GITHUB_TOKEN.',
    { details: { status: 404 } },
  );
}

export function githubManifestUrl(serverUrl: string, repository: string, tag: string): string {
  return `${serverUrl}/${repository}/releases/download/${tag}/manifest.json`;
}
