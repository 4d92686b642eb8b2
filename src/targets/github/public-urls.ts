import { mapConcurrently } from '../../core/concurrency.ts';
import { AircherError } from '../../core/errors.ts';
import { download } from '../download.ts';
import { readAnswer } from '../exchange.ts';
import { headFault } from '../public-address.ts';
import { lookUntil, persist } from '../remote.ts';
import { hasStatus, malformed } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { GithubApi } from './github-api.ts';

/**
 * Waits until every file's public URL answers, as an anonymous client sees it. Throws `remote`
 * after `publicMs`.
 */
export async function awaitPublicUrls(api: GithubApi, release: TargetRelease): Promise<void> {
  const { patience } = api.settings;
  const end = performance.now() + patience.publicMs;
  await mapConcurrently(release.files, patience.parallel, async (file) => {
    const url = publicUrl(api, release.tag, file.name);
    let fault: string | undefined;
    const answered = await lookUntil(Math.max(0, end - performance.now()), patience, api.context, async () => {
      fault = await headFault(url, { network: patience, signal: api.context.signal });
      return fault === undefined ? true : undefined;
    });
    if (answered) return;
    throw new AircherError('remote', `${url} does not answer: ${fault}`, {
      hint: 'The release is public, but GitHub does not serve it yet. Run the same command again in a few minutes.',
    });
  });
}

function publicUrl(api: GithubApi, tag: string, name: string): string {
  const { serverUrl, repository } = api.settings;
  return `${serverUrl}/${repository}/releases/download/${encodeURIComponent(tag)}/${encodeURIComponent(name)}`;
}

/**
 * A file of a public release by its public URL, without the API and its 60 anonymous requests an
 * hour; undefined where there is none.
 */
export async function readPublicFile(
  api: GithubApi,
  tag: string,
  name: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const { patience } = api.settings;
  const url = publicUrl(api, tag, name);
  try {
    return await persist(name, patience, api.context, () =>
      download(url, { network: patience, signal: api.context.signal, maxBytes }, async (answer) => {
        const bytes = await readAnswer(answer, maxBytes);
        // No file of ours is a page: a proxy answered in GitHub's place.
        if (/^text\/html\b/i.test(answer.headers.get('content-type') ?? '')) throw malformed(name);
        return bytes;
      }),
    );
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
