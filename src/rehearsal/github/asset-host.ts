import { serveContent } from '../content.ts';
import { findFault } from '../faults.ts';
import type { Exchange } from '../http.ts';
import type { Reply } from '../reply.ts';
import type { GitHubContext } from './context.ts';
import { checkSignedUrl } from './signed-urls.ts';

/**
 * The host that signed download URLs lead to, an object store: GET and HEAD, single ranges,
 * conditional requests. It refuses requests that bring an Authorization header of their own,
 * expired and forged signatures, and several ranges at once; it never compresses.
 */
export function serveAsset({ store }: GitHubContext, exchange: Exchange): Reply {
  const { url, method, headers, faults } = exchange;
  if (method !== 'GET' && method !== 'HEAD')
    return storageError(405, 'UnsupportedHttpVerb', 'The resource doesn’t support this verb.');
  if (headers.authorization !== undefined) {
    return storageError(
      400,
      'InvalidAuthenticationInfo',
      'Authentication information is not given in the correct format.',
    );
  }
  const verdict = findFault(faults, 'expired-url') ? 'expired' : checkSignedUrl(url, store.signingKey);
  if (verdict !== 'good') {
    const detail =
      verdict === 'expired' ? 'Signature not valid in the specified time frame' : 'Signature did not match';
    return storageError(403, 'AuthenticationFailed', `Server failed to authenticate the request. ${detail}.`);
  }
  const [, , repositoryId, assetId] = url.pathname.split('/');
  const asset = store.repositories
    .find(({ id }) => String(id) === repositoryId)
    ?.releases.flatMap(({ assets }) => assets)
    .find(({ id, state }) => String(id) === assetId && state === 'uploaded');
  if (asset === undefined) return storageError(404, 'BlobNotFound', 'The specified blob does not exist.');
  return serveContent(exchange, {
    body: { file: store.assetPath(asset.id), start: 0, end: asset.size },
    etag: `"0x8D${asset.id.toString(16).toUpperCase()}${asset.updatedAt.toString(16).toUpperCase()}"`,
    lastModified: new Date(asset.updatedAt),
    headers: {
      'content-type': url.searchParams.get('rsct') ?? 'application/octet-stream',
      'content-disposition': url.searchParams.get('rscd') ?? undefined,
    },
    manyRanges: 'not-implemented',
  });
}

function storageError(status: number, code: string, message: string): Reply {
  const body = `\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml', 'x-ms-error-code': code }, body };
}
