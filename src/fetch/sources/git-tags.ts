import * as semver from '../../contract/versions.ts';
import { remoteError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { askGitHub, maxGitHubBytes } from '../../http/github-asset.ts';
import type { Http } from '../../http/http-client.ts';
import { networkError, statusOf } from '../../http/remote-error.ts';

/**
 * Names of all tags, by git's ref advertisement: no API, whose few anonymous requests an hour whole
 * offices share. A private repository doesn't answer; then, with a token, GitHub's API does: those
 * of the prefix, all in one answer. Throws `remote`, `conflict`.
 */
export async function listTags(
  repository: string,
  tagPrefix: string,
  options: { readonly http: Http; readonly server: string; readonly timeoutMs?: number | undefined } & RunContext,
): Promise<string[]> {
  const { http, server, timeoutMs, signal, onEvent } = options;
  try {
    const url = `${server}/${repository}.git/info/refs?service=git-upload-pack`;
    const { bytes } = await http.document(url, { timeoutMs, signal, onEvent, maxBytes: maxGitHubBytes });
    return parseRefAdvertisement(bytes);
  } catch (error) {
    if (![401, 403, 404].includes(Number(statusOf(error))) || !http.hasGithubToken) throw error;
    const refs = await askGitHub(http, `${repository}/git/matching-refs/tags/${tagPrefix}`, options);
    if (!Array.isArray(refs)) throw remoteError(`${repository}: the API gives no list of refs`);
    return refs.map((entry: { readonly ref?: unknown } | null) => String(entry?.ref).replace(/^refs\/tags\//, ''));
  }
}

/**
 * Tags of a version 0 advertisement: pkt-lines `<4 hex digits length><sha>
 * <ref>[\0capabilities]\n`, 0000 as separator (git's gitprotocol-http). Peeled entries (`^{}`) name
 * the commit of an annotated tag that is listed itself. Throws `remote`.
 */
export function parseRefAdvertisement(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tags: string[] = [];
  for (let at = 0; at < text.length; ) {
    // A separator has the length 0, and no more than its four digits.
    const length = Number.parseInt(text.toString('latin1', at, at + 4), 16);
    if (length !== 0 && !(length >= 4 && at + length <= text.length)) {
      throw networkError('protocol', 'the answer is not a list of git refs');
    }
    const line = text.toString('utf8', at + 4, at + length);
    const tag = /^[0-9a-f]{40,64} refs\/tags\/([^\0\n]+)/.exec(line)?.[1];
    if (tag !== undefined && !tag.endsWith('^{}')) tags.push(tag);
    at += length || 4;
  }
  return tags;
}

/** Tags `<prefix><version>`, the newest first, prereleases left out. */
export function releaseTags(tags: readonly string[], tagPrefix: string): string[] {
  return tags
    .filter((tag) => tag.startsWith(tagPrefix))
    .map((tag) => tag.slice(tagPrefix.length))
    .filter((version) => semver.valid(version) === version && !version.includes('-'))
    .sort(semver.rcompare)
    .map((version) => tagPrefix + version);
}
