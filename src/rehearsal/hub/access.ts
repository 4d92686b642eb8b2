import { isHiddenByLag } from '../faults.ts';
import { type Exchange, readBytes } from '../http.ts';
import { type HubAccount, identify, mayDownloadGated, mayRead, mayWrite } from './accounts.ts';
import { HubError } from './hub-error.ts';
import type { RateLimiter } from './rate-limits.ts';
import type { IsHidden } from './refs.ts';
import type { Repositories, Repository } from './repositories.ts';
import type { UrlSigner } from './signed-urls.ts';

/** What all routes of the stand-in share. */
export interface HubContext {
  readonly repositories: Repositories;
  readonly accounts: ReadonlyMap<string, HubAccount>;
  readonly signer: UrlSigner;
  readonly limiter: RateLimiter;
  /** Base URL of the storage origin. */
  readonly cdnUrl: string;
  readonly multipart: { readonly thresholdBytes: number; readonly partBytes: number };
  readonly commits: { readonly msPerFile: number; readonly timeoutMs: number };
  /** Work that goes on after its request was given up. */
  readonly background: Set<Promise<unknown>>;
}

export interface Opened {
  readonly repository: Repository;
  readonly account: HubAccount | undefined;
}

/** The repository of a request that its account may commit to. HubError 401, 403, 404 otherwise. */
export function openForWrite(
  context: HubContext,
  exchange: Exchange,
  params: RepositoryParams,
): { readonly repository: Repository; readonly account: HubAccount } {
  const { repository, account } = openForRead(context, exchange, params, 'metadata');
  if (account === undefined) throw new HubError(401, 'Invalid username or password.');
  if (!mayWrite(account, repository.name)) {
    throw new HubError(403, `Forbidden: your token has no write access to ${repository.name}.`);
  }
  return { repository, account };
}

/**
 * The repository of a request that its account may see. A gated one tells everybody its `metadata`;
 * its `content` is for those with access. HubError 401, 403, 404 otherwise.
 */
export function openForRead(
  context: HubContext,
  exchange: Exchange,
  params: RepositoryParams,
  need: 'metadata' | 'content',
): Opened {
  const account = identify(exchange.headers.authorization, context.accounts);
  const name = `${params.owner}/${params.name.replace(/\.git$/, '')}`;
  const repository = context.repositories.get(name);
  if (repository === undefined || (repository.settings.private && !mayRead(account, repository.name))) {
    // An anonymous caller isn't told whether the repository is private or doesn't exist.
    if (account === undefined) throw new HubError(401, 'Invalid username or password.', { code: 'RepoNotFound' });
    throw new HubError(404, 'Repository not found', { code: 'RepoNotFound' });
  }
  if (need === 'content' && repository.settings.gated !== false && !mayDownloadGated(account, repository.name)) {
    const reason = account === undefined ? 'Please log in.' : 'You are not in the authorized list.';
    throw new HubError(
      account === undefined ? 401 : 403,
      `Access to model ${repository.name} is restricted. ${reason}`,
      { code: 'GatedRepo' },
    );
  }
  return { repository, account };
}

export interface RepositoryParams {
  readonly owner: string;
  readonly name: string;
}

/** What the read-after-write lag of this exchange hides. */
export function hiddenFrom(exchange: Exchange): IsHidden {
  return (madeAt) => isHiddenByLag(exchange.faults, madeAt);
}

/** The request's JSON object. HubError 400 otherwise. */
export async function readJson(exchange: Exchange): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBytes(exchange);
  try {
    const value: unknown = bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, with everything else that is no object.
  }
  throw new HubError(400, 'the body must be a JSON object');
}
