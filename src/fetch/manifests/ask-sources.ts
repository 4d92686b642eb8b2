import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { AircherError, toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Client } from '../client.ts';
import { showSource } from '../http/remote-error.ts';
import type { Http } from '../http/types.ts';
import { fetchFromSource } from '../sources/fetch-from-source.ts';
import { fetchRelease } from '../sources/fetch-release.ts';
import type { FetchedManifest } from '../sources/types.ts';
import type { AcceptedManifest } from './accepted-manifest.ts';
import { openManifest, signaturesCount, signingKeys, type TrustedKeys } from './check-signature.ts';

export type SourceAnswer =
  | {
      readonly kind: 'good';
      readonly source: string;
      readonly url: string;
      readonly manifest: Manifest;
      readonly bytes: Buffer;
      readonly sha256: string;
      readonly signature: Buffer | undefined;
      /** To trust from then on. */
      readonly keys: TrustedKeys;
      /** One of these signed it. */
      readonly signers: readonly string[];
      readonly etags: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'bad'; readonly source: string; readonly error: AircherError };

const sourceTimeoutMs = 15_000;
/** How long slower sources are waited for once one has given a good answer. */
const graceMs = 3_000;

/**
 * Asks every source of the client at once, conditionally where it gave the stored manifest. Each has a deadline; after the
 * first good answer the others have three seconds more. Every source gets an answer, in the order of `client.sources`.
 */
export async function askSources(
  client: Client,
  stored: AcceptedManifest | undefined,
  keys: TrustedKeys,
  context: RunContext,
): Promise<SourceAnswer[]> {
  const http = await client.http();
  const late = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, late.signal]) : late.signal;
  let grace: NodeJS.Timeout | undefined;
  const answers = await Promise.all(
    client.sources.map(async (source): Promise<SourceAnswer> => {
      try {
        const answer = await askSource(source, http, client, stored, keys, { ...context, signal });
        grace ??= setTimeout(() => late.abort(), graceMs);
        return answer;
      } catch (error) {
        context.signal?.throwIfAborted();
        const fault = late.signal.aborted
          ? new AircherError('remote', `${source}: no answer while another source had answered`)
          : toAircherError(error);
        return { kind: 'bad', source, error: fault };
      }
    }),
  );
  clearTimeout(grace);
  return answers;
}

async function askSource(
  source: string,
  http: Http,
  client: Client,
  stored: AcceptedManifest | undefined,
  keys: TrustedKeys,
  context: RunContext,
): Promise<SourceAnswer> {
  const name = showSource(source);
  const etag = stored?.etags[name];
  // Telling of retries and mirrors would only confuse here: each source gets one verdict in the end.
  const options = { http, etag, timeoutMs: sourceTimeoutMs, signal: context.signal };
  const found = await fetchFromSource(source, options);
  if (found.notModified) {
    if (stored === undefined) throw new AircherError('remote', `${source}: answered 304 to a question without ETag`);
    const etags = found.etag === undefined ? {} : { [name]: found.etag };
    const { manifest, bytes, signature, url } = stored;
    const announced = stored.keys;
    return {
      kind: 'good',
      source,
      url,
      manifest,
      bytes,
      sha256: stored.sha256,
      signature,
      keys: { roots: keys.roots, announced },
      signers: stored.signers,
      etags,
    };
  }
  const good = await openPair(found, http, stored, keys, context);
  checkNamespace(good.manifest, client, stored, source);
  return {
    kind: 'good',
    source,
    url: good.found.url,
    manifest: good.manifest,
    bytes: good.found.bytes,
    sha256: sha256(good.found.bytes),
    signature: good.found.signature,
    keys: good.keys,
    signers: signingKeys(keys),
    etags: found.etag === undefined || good.found !== found ? {} : { [name]: found.etag },
  };
}

/**
 * Opens manifest and signature. They are two files, which a release may change between our two requests: where they don't
 * match, both are fetched once more, from the release's own place, before they are refused.
 */
async function openPair(
  found: FetchedManifest,
  http: Http,
  stored: AcceptedManifest | undefined,
  keys: TrustedKeys,
  context: RunContext,
): Promise<{ manifest: Manifest; keys: TrustedKeys; found: FetchedManifest }> {
  // The very bytes that were accepted before: a rotation of keys since then doesn't make them bad.
  if (stored !== undefined && sha256(found.bytes) === stored.sha256) {
    return { manifest: stored.manifest, keys: { roots: keys.roots, announced: stored.keys }, found };
  }
  try {
    return { ...openManifest(found.bytes, found.signature, keys, found.url), found };
  } catch (error) {
    if (!signaturesCount(keys) || !(error instanceof AircherError) || error.code !== 'integrity') throw error;
    const again = await fetchAgain(found, http, context);
    if (again === undefined) throw error;
    return { ...openManifest(again.bytes, again.signature, keys, again.url), found: again };
  }
}

async function fetchAgain(
  found: FetchedManifest,
  http: Http,
  context: RunContext,
): Promise<FetchedManifest | undefined> {
  try {
    const tag = found.tag ?? parseManifest(found.bytes, found.url).release;
    if (tag === undefined) return undefined;
    return await fetchRelease(found.source, tag, { http, timeoutMs: sourceTimeoutMs, signal: context.signal });
  } catch {
    context.signal?.throwIfAborted();
    return undefined;
  }
}

/** A cache belongs to one namespace: that of the client, else that of the first manifest accepted into it. */
export function checkNamespace(
  manifest: Manifest,
  client: Client,
  stored: AcceptedManifest | undefined,
  from: string,
): void {
  const expected = client.namespace ?? stored?.manifest.namespace;
  if (expected === undefined || manifest.namespace === expected) return;
  // Manifests of the format's first draft name no namespace; without keys there is nothing to hold them to.
  if (manifest.namespace === undefined && client.publicKeys.length === 0) return;
  throw new AircherError(
    'integrity',
    `${from}: the manifest is of the namespace ${JSON.stringify(manifest.namespace)}, not of ${JSON.stringify(expected)}`,
    { hint: 'Models of another publisher belong in a cache of their own: set AIRCHER_CACHE_DIR (or --cache-dir).' },
  );
}
