import { parseStrictJson } from '../../contract/strict-json.ts';
import type { RunContext } from '../../core/events.ts';
import { showUrl } from './remote-error.ts';
import type { Http } from './types.ts';

/** GitHub allows 1,000 assets a release; about 2 KB each. */
const maxReleaseBytes = 16 * 1024 * 1024;

/** What a URL of the form `<server>/<owner>/<repo>/releases/download/<tag>/<name>` names. */
export interface AssetName {
  readonly repository: string;
  readonly tag: string;
  readonly name: string;
}

export function parseAssetUrl(url: string, githubServerUrl: string): AssetName | undefined {
  if (!url.startsWith(`${githubServerUrl}/`)) return undefined;
  const path = url.slice(githubServerUrl.length + 1).replace(/[?#].*$/s, '');
  const [, repository, tag, name] = /^([^/]+\/[^/]+)\/releases\/download\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (repository === undefined || tag === undefined || name === undefined) return undefined;
  return { repository, tag: decodeURIComponent(tag), name: decodeURIComponent(name) };
}

/**
 * The API's address of an asset, for a private repository, whose public URL answers 404 whatever the token. It is to be asked
 * with `accept: application/octet-stream`, and redirects to a signed URL. Undefined where the release has no such asset.
 */
export async function findAssetByApi(
  asset: AssetName,
  options: { readonly http: Http } & RunContext,
): Promise<string | undefined> {
  const { http } = options;
  const url = `${http.githubApiUrl}/repos/${asset.repository}/releases/tags/${encodeURIComponent(asset.tag)}`;
  const document = await http.document(url, {
    ...options,
    headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
    maxBytes: maxReleaseBytes,
  });
  const release = parseStrictJson(document.bytes, { file: showUrl(url), maxBytes: maxReleaseBytes });
  const listed = (release as { readonly assets?: unknown } | null)?.assets;
  const assets: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const found = assets.find((entry) => (entry as { readonly name?: unknown } | null)?.name === asset.name);
  const id = (found as { readonly id?: unknown } | undefined)?.id;
  // Built by ourselves, so that an answer can't send the token elsewhere.
  return typeof id === 'number' ? `${http.githubApiUrl}/repos/${asset.repository}/releases/assets/${id}` : undefined;
}

export const assetHeaders = { accept: 'application/octet-stream' } as const;
