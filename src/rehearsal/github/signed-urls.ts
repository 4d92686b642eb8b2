import { createHmac, timingSafeEqual } from 'node:crypto';
import { type ActiveFault, findFault } from '../faults.ts';
import type { GitHubContext } from './context.ts';
import type { StoredAsset, StoredRepository } from './store.ts';

const defaultLifetimeMs = 5 * 60_000;

/** A URL of the asset host that lets anybody fetch these bytes until it expires. */
export function signedUrl(
  { urls, store, options }: GitHubContext,
  repository: StoredRepository,
  asset: StoredAsset,
  faults: readonly ActiveFault[],
): string {
  const lifetime = findFault(faults, 'expired-url') ? -60_000 : (options.signedUrlLifetimeMs ?? defaultLifetimeMs);
  const url = new URL(`${urls.assets}/github-production-release-asset/${repository.id}/${asset.id}`);
  url.searchParams.set('sp', 'r');
  url.searchParams.set('sv', '2018-11-09');
  url.searchParams.set('se', new Date(Date.now() + lifetime).toISOString());
  url.searchParams.set('rscd', `attachment; filename=${asset.name}`);
  url.searchParams.set('rsct', 'application/octet-stream');
  url.searchParams.set('sig', signature(url, store.signingKey));
  return url.toString();
}

/** Whether the URL was signed here and still holds. */
export function checkSignedUrl(url: URL, signingKey: string): 'good' | 'forged' | 'expired' {
  const found = Buffer.from(url.searchParams.get('sig') ?? '');
  const expected = Buffer.from(signature(url, signingKey));
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return 'forged';
  const isExpired = !(Date.parse(url.searchParams.get('se') ?? '') > Date.now());
  return isExpired ? 'expired' : 'good';
}

function signature(url: URL, key: string): string {
  const parts = ['sp', 'sv', 'se', 'rscd', 'rsct'].map((name) => url.searchParams.get(name) ?? '');
  return createHmac('sha256', key)
    .update([url.pathname, ...parts].join('\n'))
    .digest('base64');
}
