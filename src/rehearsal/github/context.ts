import type { Exchange } from '../http.ts';
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
  /** The call's path and query, where they stand in for the exchange's own (`/repositories/:id/…`, `/api/v3/…`). */
  readonly url: URL;
}

/** The repository, as far as the caller may know of it; else 404. Names are matched without regard to case. */
export function findRepository({ context, caller }: Call, owner: string, name: string): StoredRepository {
  const wanted = `${owner}/${name}`.toLowerCase();
  const found = context.store.repositories.find((one) => `${one.owner}/${one.name}`.toLowerCase() === wanted);
  if (found === undefined || !canRead(caller.account, found)) throw notFound();
  return found;
}
