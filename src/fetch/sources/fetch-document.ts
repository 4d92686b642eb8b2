import { limits } from '../../contract/limits.ts';
import { AircherError, invalidError, remoteError } from '../../core/errors.ts';
import { readBoundedFile } from '../../core/files.ts';
import { assetHeaders, findAssetByApi, parseAssetUrl } from '../http/github-asset.ts';
import type { HttpDocument } from '../http/types.ts';
import type { FetchedManifest, SourceOptions, UnchangedManifest } from './types.ts';

const signatureEnding = '.minisig';

/** A manifest and the signature beside it, by http. */
export async function fetchManifestUrl(
  source: string,
  address: string,
  tag: string | undefined,
  options: SourceOptions,
): Promise<FetchedManifest | UnchangedManifest> {
  const url = options.http.place(address);
  const [document, signature] = await Promise.all([
    get(url, limits.manifestBytes, options, options.etag, [304]),
    get(besideManifest(url, signatureEnding), limits.signatureBytes, options, undefined, [404, 410]).catch((error) => {
      // Some hosts deny what isn't there.
      if (error instanceof AircherError && error.code === 'conflict') return undefined;
      throw error;
    }),
  ]);
  const etag = document.headers.etag ?? options.etag;
  if (document.status === 304) return { source, notModified: true, url, tag, etag };
  return {
    source,
    notModified: false,
    url,
    tag,
    etag: document.headers.etag,
    bytes: document.bytes,
    signature: signature?.status === 200 ? signature.bytes : undefined,
  };
}

async function get(
  url: string,
  maxBytes: number,
  options: SourceOptions,
  etag: string | undefined,
  accept: readonly number[],
): Promise<HttpDocument> {
  const { http, signal, onEvent } = options;
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 30_000);
  const request = { maxBytes, accept, signal: signal ? AbortSignal.any([signal, deadline]) : deadline, onEvent };
  const condition: Record<string, string> = etag === undefined ? {} : { 'if-none-match': etag };
  const asset = http.hasGithubToken ? parseAssetUrl(url, http.githubServerUrl) : undefined;
  try {
    const document = await http.document(url, {
      ...request,
      headers: condition,
      // A private repository's assets answer 404 here.
      accept: asset === undefined ? accept : accept.filter((status) => status !== 404),
    });
    return document;
  } catch (error) {
    if (deadline.aborted && !signal?.aborted) {
      throw remoteError(`${url}: no complete answer in time`, undefined, {
        cause: error,
        details: { reason: 'timeout' },
      });
    }
    if (asset === undefined || !(error instanceof AircherError) || error.details.status !== 404) throw error;
    const found = await findAssetByApi(asset, { http, signal: request.signal }).catch(() => undefined);
    if (found !== undefined) return http.document(found, { ...request, headers: { ...condition, ...assetHeaders } });
    if (!accept.includes(404)) throw error;
    return { status: 404, headers: {}, url, hops: [url], bytes: Buffer.alloc(0) };
  }
}

/** The address of what lies beside a manifest; a query (of a signed URL, a token) stays. */
function besideManifest(url: string, ending: string): string {
  const parsed = new URL(url);
  parsed.pathname += ending;
  return parsed.href;
}

/** A manifest and the signature beside it, from a disk. Throws `invalid` where there is none. */
export async function readManifestFile(
  source: string,
  path: string,
  tag: string | undefined,
): Promise<FetchedManifest> {
  const bytes = await readBoundedFile(path, limits.manifestBytes);
  if (bytes === undefined) {
    throw invalidError(`${path}: no manifest there`, 'Name the manifest.json file itself.', {
      details: { status: 404 },
    });
  }
  const signature = await readBoundedFile(path + signatureEnding, limits.signatureBytes);
  return { source, notModified: false, url: path, tag, etag: undefined, bytes, signature };
}
