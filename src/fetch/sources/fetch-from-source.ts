import { AircherError, remoteError } from '../../core/errors.ts';
import { fetchManifestUrl, readManifestFile } from './fetch-document.ts';
import { listTags, releaseTags } from './git-tags.ts';
import { parseSource, type Source } from './source.ts';
import type { FetchedManifest, SourceOptions, UnchangedManifest } from './types.ts';

/** Newest tags without a manifest that are stepped over: a release that is being made, or was given up. */
const maxStepsBack = 5;

/**
 * The newest manifest of a source, and its signature, not verified. Throws `remote`, `conflict` (access denied), `invalid`
 * (none there, too big), `usage` (no source).
 */
export async function fetchFromSource(
  source: string,
  options: SourceOptions,
): Promise<FetchedManifest | UnchangedManifest> {
  const parsed = parseSource(source);
  if (parsed.kind === 'url') return fetchManifestUrl(source, parsed.url, undefined, options);
  if (parsed.kind === 'file') return readManifestFile(source, parsed.path, undefined);
  return fetchNewestOfGitHub(source, parsed, options);
}

async function fetchNewestOfGitHub(
  source: string,
  parsed: Extract<Source, { kind: 'github' }>,
  options: SourceOptions,
): Promise<FetchedManifest | UnchangedManifest> {
  const repository = `${parsed.owner}/${parsed.repository}`;
  const { server = options.http.githubServerUrl } = parsed;
  const tags = releaseTags(await listTags(repository, parsed.tagPrefix, { ...options, server }), parsed.tagPrefix);
  for (const tag of tags.slice(0, maxStepsBack + 1)) {
    try {
      return await fetchManifestUrl(source, githubManifestUrl(server, parsed, tag), tag, options);
    } catch (error) {
      if (!(error instanceof AircherError) || error.details.status !== 404) throw error;
    }
  }
  const fact =
    tags.length === 0 ? `no tag ${parsed.tagPrefix}<version>` : `no release with a manifest in its newest tags`;
  throw remoteError(
    `${source}: ${fact}`,
    'Check the repository and the tag prefix behind #. A private repository needs GITHUB_TOKEN.',
    { details: { status: 404 } },
  );
}

export function githubManifestUrl(
  serverUrl: string,
  repository: { readonly owner: string; readonly repository: string },
  tag: string,
): string {
  return `${serverUrl}/${repository.owner}/${repository.repository}/releases/download/${encodeURIComponent(tag)}/manifest.json`;
}
