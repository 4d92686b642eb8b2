import { limits } from '../../contract/limits.ts';
import { invalidError, isAircherError } from '../../core/errors.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { remoteReason, statusOf } from '../../http/remote-error.ts';
import type { FetchedManifest, SourceOptions, UnchangedManifest } from './manifest-source.ts';

const signatureEnding = '.minisig';

/**
 * Whether a host says by this error that it has no such document. Some deny what isn't there, or
 * answer with a page.
 */
export function isNotThere(error: unknown): boolean {
  const denied = isAircherError(error, 'conflict') || [404, 410].includes(Number(statusOf(error)));
  return denied || remoteReason(error) === 'content';
}

/** A manifest and the signature beside it, by http. */
export async function fetchManifestUrl(
  source: string,
  address: string,
  tag: string | undefined,
  options: SourceOptions,
): Promise<FetchedManifest | UnchangedManifest> {
  const { http, timeoutMs = 30_000 } = options;
  const url = http.place(address);
  // The query (of a signed URL, a token) stays behind the ending.
  const beside = new URL(url);
  beside.pathname += signatureEnding;
  const [document, signature] = await Promise.all([
    http.document(url, { ...options, timeoutMs, maxBytes: limits.manifestBytes }),
    http
      .document(beside.href, { ...options, timeoutMs, maxBytes: limits.signatureBytes, etag: undefined })
      .catch((error: unknown) => {
        if (!isNotThere(error)) throw error;
      }),
  ]);
  const { bytes, headers, local } = document;
  const found = { source, url, tag };
  return document.status === 304
    ? { ...found, notModified: true, etag: headers.etag ?? options.etag }
    : { ...found, notModified: false, etag: headers.etag, bytes, signature: signature?.bytes, local };
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
  return { source, notModified: false, url: path, tag, etag: undefined, bytes, signature, local: true };
}
