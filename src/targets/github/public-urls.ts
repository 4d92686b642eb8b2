import { mapConcurrently } from '../../core/concurrency.ts';
import { AircherError } from '../../core/errors.ts';
import { answerFailure } from '../answer-failure.ts';
import { download } from '../download.ts';
import { exchange, readAnswer } from '../exchange.ts';
import { lookUntil, persist } from '../remote.ts';
import { hasStatus, malformed, RequestFailure } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { GithubApi } from './api.ts';

/** Waits until every file's public URL answers, as an anonymous client sees it. Throws `remote` after `publicMs`. */
export async function awaitPublicUrls(api: GithubApi, release: TargetRelease): Promise<void> {
  const { patience } = api.settings;
  const end = performance.now() + patience.publicMs;
  await mapConcurrently(release.files, patience.parallel, async (file) => {
    const url = publicUrl(api, release.tag, file.name);
    let status: string | undefined;
    const answered = await lookUntil(Math.max(0, end - performance.now()), patience, api.context, async () => {
      status = await publicStatus(api, url);
      return status === undefined ? true : undefined;
    });
    if (answered) return;
    throw new AircherError('remote', `${url} does not answer: ${status}`, {
      hint: 'The release is public, but GitHub does not serve it yet. Run the same command again in a few minutes.',
    });
  });
}

export function publicUrl(api: GithubApi, tag: string, name: string): string {
  const { serverUrl, repository } = api.settings;
  return `${serverUrl}/${repository}/releases/download/${encodeURIComponent(tag)}/${encodeURIComponent(name)}`;
}

/** undefined where the URL answers or redirects to the bytes; else what it says. */
async function publicStatus(api: GithubApi, url: string): Promise<string | undefined> {
  const { deadlines } = api.settings.patience;
  try {
    return await exchange(
      url,
      { method: 'HEAD', redirect: 'manual', deadlines, signal: api.context.signal },
      async ({ status, headers }) => {
        if (status === 200 || (status >= 300 && status < 400)) return undefined;
        return answerFailure('HEAD', status, headers, '').message;
      },
    );
  } catch (error) {
    if (error instanceof RequestFailure && error.retryable) return error.message;
    throw error;
  }
}

/** A file of a public release by its public URL, without the API and its 60 anonymous requests an hour; undefined where there is none. */
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
      download(
        url,
        { deadlines: patience.deadlines, signal: api.context.signal, tokenOrigin: '', maxBytes },
        async (answer) => {
          const bytes = await readAnswer(answer, maxBytes);
          // No file of ours is a page: a proxy answered in GitHub's place.
          if (/^text\/html\b/i.test(answer.headers.get('content-type') ?? '')) throw malformed(name);
          return bytes;
        },
      ),
    );
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
