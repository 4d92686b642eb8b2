import type { Exchange } from '../http.ts';
import { Refusal, redirectReply } from '../reply.ts';
import type { Caller } from './accounts.ts';
import { canRead } from './accounts.ts';
import type { GitHubOptions } from './options.ts';
import { notFound } from './refusals.ts';
import type { Store, StoredRepository } from './store.ts';

/** Base URLs of the four origins, without a final slash. */
export interface Urls {
  readonly api: string;
  readonly uploads: string;
  readonly web: string;
  readonly assets: string;
}

/** What every part of the stand-in works on. `urls` is complete when the first request comes. */
export interface GitHubContext {
  readonly options: GitHubOptions;
  readonly store: Store;
  readonly urls: Urls;
}

/** One call of the API by somebody known (or known to be nobody). */
export interface Call {
  readonly context: GitHubContext;
  readonly exchange: Exchange;
  readonly caller: Caller;
  readonly method: string;
  /**
   * The call's path and query, where they stand in for the exchange's own (`/repositories/:id/…`,
   * `/api/v3/…`).
   */
  readonly url: URL;
}

/**
 * The repository, as far as the caller may know of it; else 404. Names are matched without regard
 * to case. Under a former name, the request is redirected to the repository's id: 301 for what only
 * reads, else 307.
 */
export function findRepository(call: Call, owner: string, name: string): StoredRepository {
  const { context, caller, method, url } = call;
  const found = repositoryNamed(context, owner, name);
  const former = found ?? repositoryNamed(context, owner, name, 'former');
  if (former === undefined || !canRead(caller.account, former)) throw notFound();
  if (found !== undefined) return found;
  const rest = url.pathname.split('/').slice(4).join('/');
  const location = `${context.urls.api}/repositories/${former.id}${rest === '' ? '' : `/${rest}`}${url.search}`;
  throw new Refusal(redirectReply(location, ['GET', 'HEAD'].includes(method) ? 301 : 307));
}

/** The repository of that name, or of that former name. */
export function repositoryNamed(
  { store }: GitHubContext,
  owner: string,
  name: string,
  when: 'now' | 'former' = 'now',
): StoredRepository | undefined {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  return store.repositories.find(
    (one) =>
      same(one.owner, owner) &&
      (when === 'now' ? same(one.name, name) : one.formerNames.some((former) => same(former, name))),
  );
}
