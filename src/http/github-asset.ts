import { parseStrictJson } from '../contract/strict-json.ts';
import type { RunContext } from '../core/events.ts';
import type { Http } from './http-client.ts';
import { showUrl } from './remote-error.ts';

/**
 * Answers of GitHub about one repository: 1,000 assets of a release have about 2 KB each, and
 * 400,000 refs fit.
 */
export const maxGitHubBytes = 32 * 1024 * 1024;

/**
 * What GitHub's API says at a path below `/repos`. Throws as `Http.document`, and `invalid` for
 * what is no JSON.
 */
export async function askGitHub(http: Http, path: string, context: RunContext): Promise<unknown> {
  const url = `${http.githubApiUrl}/repos/${path}`;
  const headers = { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' };
  const { bytes } = await http.document(url, { ...context, headers, maxBytes: maxGitHubBytes });
  return parseStrictJson(bytes, { file: showUrl(url), maxBytes: maxGitHubBytes });
}

/**
 * The API's address of what a public URL `<server>/<owner>/<repo>/releases/download/<tag>/<name>`
 * names: in a private repository that answers 404 whatever the token. It is to be asked with
 * `assetHeaders`, and redirects to a signed URL. Undefined without a token, for any other URL, and
 * where the release has no such asset.
 */
export async function findPrivateAsset(http: Http, url: string, context: RunContext): Promise<string | undefined> {
  if (!http.hasGithubToken || !url.startsWith(`${http.githubServerUrl}/`)) return undefined;
  const path = url.slice(http.githubServerUrl.length + 1);
  const [, repository, tag, name] = /^([^/]+\/[^/]+)\/releases\/download\/([^/]+)\/([^/?#]+)/.exec(path) ?? [];
  if (name === undefined) return undefined;
  const release = await askGitHub(http, `${repository}/releases/tags/${tag}`, context).catch(() => undefined);
  const listed = (release as { readonly assets?: unknown } | null | undefined)?.assets;
  const assets: readonly ({ readonly name?: unknown; readonly id?: unknown } | null)[] = Array.isArray(listed)
    ? listed
    : [];
  const id = assets.find((asset) => asset?.name === decodeURIComponent(name))?.id;
  // Built by ourselves, so that an answer can't send the token elsewhere.
  return typeof id === 'number' ? `${http.githubApiUrl}/repos/${repository}/releases/assets/${id}` : undefined;
}

export const assetHeaders = { accept: 'application/octet-stream' } as const;
