import type { Exchange } from '../http.ts';
import type { Account, GitHubOptions } from './options.ts';
import { badCredentials, notFound, refusal } from './refusals.ts';
import type { StoredRepository } from './store.ts';

/**
 * Who asks: an account, or nobody in particular (undefined). `key` names them in rate limits; it is
 * no secret.
 */
export interface Caller {
  readonly account: Account | undefined;
  readonly key: string;
}

/**
 * The caller by the Authorization header (`Bearer`, `token`, or Basic with the token as password);
 * 401 where it is no good.
 */
export function callerOf({ headers, remoteAddress }: Exchange, tokens: GitHubOptions['tokens'] = {}): Caller {
  const { authorization } = headers;
  if (authorization === undefined) return { account: undefined, key: `address ${remoteAddress}` };
  const [, scheme = '', credentials = ''] = /^(\S+)\s+(.*)$/.exec(authorization) ?? [];
  const token = scheme.toLowerCase() === 'basic' ? basicToken(credentials) : credentials;
  const account = Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  if (account === undefined || account.expired) throw badCredentials();
  return { account, key: `account ${account.login}` };
}

function basicToken(credentials: string): string {
  const [user = '', password = ''] = Buffer.from(credentials, 'base64').toString().split(':');
  return password === '' || password === 'x-oauth-basic' ? user : password;
}

/**
 * Whether the account, as a person or an app, has push rights; the token may still be too weak for
 * them.
 */
export function hasPushRole(account: Account | undefined, repository: StoredRepository): boolean {
  return covers(account?.push, repository);
}

/** Whether a write by this token would be let through. */
export function canWrite(account: Account | undefined, repository: StoredRepository): boolean {
  if (account === undefined || !hasPushRole(account, repository)) return false;
  if (account.kind === 'actions' || account.kind === 'fine-grained') return account.contents !== 'read';
  const scopes = account.scopes ?? ['repo'];
  return scopes.includes('repo') || (!repository.private && scopes.includes('public_repo'));
}

export function canRead(account: Account | undefined, repository: StoredRepository): boolean {
  if (!repository.private) return true;
  if (account === undefined) return false;
  const hasScope = (account.kind ?? 'classic') !== 'classic' || (account.scopes ?? ['repo']).includes('repo');
  return hasScope && (hasPushRole(account, repository) || covers(account.read, repository));
}

/**
 * Refuses a write as GitHub does: 401 without a token, 404 for a classic token, 403 for the others.
 */
export function requireWrite(account: Account | undefined, repository: StoredRepository): Account {
  if (account === undefined) throw refusal(401, 'Requires authentication');
  if (!canWrite(account, repository)) {
    if ((account.kind ?? 'classic') === 'classic') throw notFound();
    const by = account.kind === 'actions' ? 'integration' : 'personal access token';
    throw refusal(403, `Resource not accessible by ${by}`);
  }
  if (repository.archived) throw refusal(403, 'Repository was archived so is read-only.');
  return account;
}

function covers(rights: boolean | readonly string[] | undefined, { owner, name }: StoredRepository): boolean {
  if (typeof rights !== 'object') return rights === true;
  return rights.some((repository) => repository.toLowerCase() === `${owner}/${name}`.toLowerCase());
}
