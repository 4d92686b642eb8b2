import { parseManifest } from '../../contract/manifest.ts';
import { anySignal } from '../../core/abort.ts';
import { type AircherError, isAircherError, remoteError, toAircherError } from '../../core/errors.ts';
import type { OnEvent, RunContext } from '../../core/events.ts';
import { seconds, showSource } from '../../http/remote-error.ts';
import type { Client } from '../client.ts';
import { fetchFromSource } from '../sources/fetch-from-source.ts';
import { fetchRelease } from '../sources/fetch-release.ts';
import type { FetchedManifest, SourceOptions } from '../sources/manifest-source.ts';
import { compareReleases } from './compare-releases.ts';
import { openManifest, type Trust, type TrustedManifest } from './trust.ts';

export interface GoodAnswer extends TrustedManifest {
  readonly kind: 'good';
  readonly source: string;
  /** The answer's ETag by source. */
  readonly etags: Readonly<Record<string, string>>;
}

export interface BadAnswer {
  readonly kind: 'bad';
  readonly source: string;
  readonly error: AircherError;
}

export type SourceAnswer = GoodAnswer | BadAnswer;

/** The good answer of the newest release, if there is any. */
export function newestGood(answers: readonly SourceAnswer[]): GoodAnswer | undefined {
  return answers.filter((answer) => answer.kind === 'good').sort((a, b) => compareReleases(b.manifest, a.manifest))[0];
}

/** For all that one source is asked. */
const sourceTimeoutMs = 15_000;
/** How long slower sources are waited for once one has given a good answer. */
const graceMs = 3_000;

/**
 * Asks every source of the client at once, conditionally where it gave the stored manifest. Each
 * has a deadline; after the first good answer the others have three seconds more. Every source gets
 * an answer, in the order of `client.sources`.
 */
export async function askSources(client: Client, trust: Trust, context: RunContext): Promise<SourceAnswer[]> {
  // Told before the network's modules are loaded: then a terminal shows at once what is waited for.
  const asked = { task: 'ask', subject: client.sources.map(showSource).join(', ') } as const;
  context.onEvent?.({ type: 'progress', ...asked, done: 0, total: undefined });
  const http = await client.http();
  const late = new AbortController();
  // Telling of retries would only confuse here: each source gets one verdict in the end.
  const onEvent: OnEvent = (event) => event.type === 'warning' && context.onEvent?.(event);
  let grace: NodeJS.Timeout | undefined;
  const answers = await Promise.all(
    client.sources.map(async (source): Promise<SourceAnswer> => {
      const deadline = AbortSignal.timeout(sourceTimeoutMs);
      try {
        const within = { http, signal: anySignal(context.signal, late.signal, deadline), onEvent };
        const answer = await askSource(source, client, trust, within);
        grace ??= setTimeout(() => late.abort(), graceMs);
        return answer;
      } catch (error) {
        context.signal?.throwIfAborted();
        return { kind: 'bad', source, error: fault(source, error, late.signal, deadline) };
      }
    }),
  );
  clearTimeout(grace);
  context.onEvent?.({ type: 'done', ...asked });
  return answers;
}

function fault(source: string, error: unknown, late: AbortSignal, deadline: AbortSignal): AircherError {
  const name = showSource(source);
  if (late.aborted) return remoteError(`${name}: no answer while another source had answered`);
  if (deadline.aborted) return remoteError(`${name}: no complete answer in ${seconds(sourceTimeoutMs)} s`);
  return toAircherError(error);
}

async function askSource(source: string, client: Client, trust: Trust, options: SourceOptions): Promise<GoodAnswer> {
  const name = showSource(source);
  const { stored } = trust;
  const found = await fetchFromSource(source, { ...options, etag: stored?.etags[name] });
  const { etag } = found;
  const answer = (opened: TrustedManifest, isFound = true): GoodAnswer => ({
    ...opened,
    kind: 'good',
    source,
    etags: etag !== undefined && isFound ? { [name]: etag } : {},
  });
  // Without a stored manifest nothing was asked conditionally.
  if (found.notModified) return answer(openManifest(client, trust, stored!));
  try {
    return answer(openManifest(client, trust, found));
  } catch (error) {
    // Two files, which a release may change between our two requests: both once more, from the
    // release's own place.
    if (trust.roots.length === 0 || !isAircherError(error, 'integrity')) throw error;
    const again = await fetchAgain(found, options).catch(() => undefined);
    options.signal?.throwIfAborted();
    if (again === undefined) throw error;
    return answer(openManifest(client, trust, again), false);
  }
}

async function fetchAgain(found: FetchedManifest, options: SourceOptions): Promise<FetchedManifest | undefined> {
  const tag = found.tag ?? parseManifest(found.bytes, found.url).release;
  return tag === undefined ? undefined : fetchRelease(found.source, tag, options);
}
