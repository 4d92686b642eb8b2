import { createHash } from 'node:crypto';
import { HubError } from './hub-error.ts';

/** What a token of the stand-in stands for. */
export interface HubAccount {
  readonly user: string;
  /** `fineGrained`: only what `writeTo` and `readFrom` name. */
  readonly role: 'read' | 'write' | 'fineGrained';
  /** Organisations the user belongs to, with the rights there. */
  readonly orgs?: readonly { readonly name: string; readonly role: 'admin' | 'write' | 'contributor' | 'read' }[];
  /**
   * Users, organisations or repositories (`owner/name`) that a fine-grained token may write to, and
   * so read.
   */
  readonly writeTo?: readonly string[];
  /** Those that it may read. */
  readonly readFrom?: readonly string[];
  /** Gated repositories whose conditions the user has accepted. */
  readonly gatedAccess?: readonly string[];
  /** The token's expiry as milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * The account of a request, undefined for an anonymous one. A wrong or expired token is refused
 * (401) even where none is needed, as the Hub does. Basic authentication (git, git-lfs) carries the
 * token as password.
 */
export function identify(
  authorization: string | undefined,
  accounts: ReadonlyMap<string, HubAccount>,
): HubAccount | undefined {
  if (authorization === undefined) return undefined;
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)\s*$/.exec(authorization) ?? [];
  const token =
    scheme.toLowerCase() === 'basic'
      ? Buffer.from(value, 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, '')
      : value;
  const account = accounts.get(token);
  if (account === undefined) throw new HubError(401, 'Invalid credentials in Authorization header');
  if (account.expiresAt !== undefined && account.expiresAt <= Date.now()) {
    throw new HubError(401, `User Access Token of "${account.user}" is expired`);
  }
  return account;
}

/** Whether the account may see a private repository. */
export function mayRead(account: HubAccount | undefined, repository: string): boolean {
  if (account === undefined) return false;
  if (account.role === 'fineGrained') {
    return covers([...(account.writeTo ?? []), ...(account.readFrom ?? [])], repository);
  }
  return isMember(account, ownerOf(repository));
}

/** Whether the account may commit to the repository. */
export function mayWrite(account: HubAccount, repository: string): boolean {
  if (account.role === 'read') return false;
  if (account.role === 'fineGrained') return covers(account.writeTo ?? [], repository);
  const owner = ownerOf(repository);
  return (
    account.user === owner ||
    (account.orgs ?? []).some((org) => org.name === owner && (org.role === 'admin' || org.role === 'write'))
  );
}

/** Whether the account may see and download a gated repository's files. */
export function mayDownloadGated(account: HubAccount | undefined, repository: string): boolean {
  if (account === undefined) return false;
  return isMember(account, ownerOf(repository)) || (account.gatedAccess ?? []).includes(repository);
}

/** The document of `api/whoami-v2`. */
export function describeAccount(account: HubAccount, url: string): Record<string, unknown> {
  const entity = (name: string, type: 'user' | 'org'): Record<string, unknown> => ({
    type,
    id: idOf(name),
    name,
    fullname: name,
    canPay: false,
    periodEnd: null,
    avatarUrl: `${url}/avatars/${idOf(name)}.svg`,
  });
  const scoped = (entities: readonly string[], permissions: readonly string[]): Record<string, unknown>[] =>
    entities.map((name) => ({
      entity: { _id: idOf(name), type: name.includes('/') ? 'model' : 'org', name },
      permissions,
    }));
  return {
    ...entity(account.user, 'user'),
    email: `${account.user}@example.invalid`,
    emailVerified: true,
    isPro: false,
    billingMode: 'prepaid',
    orgs: (account.orgs ?? []).map((org) => ({
      ...entity(org.name, 'org'),
      email: null,
      isEnterprise: false,
      roleInOrg: org.role,
    })),
    auth: {
      type: 'access_token',
      ...(account.expiresAt === undefined ? {} : { expiresAt: new Date(account.expiresAt).toISOString() }),
      accessToken: {
        displayName: 'rehearsal',
        role: account.role,
        createdAt: '2026-01-01T00:00:00.000Z',
        ...(account.role === 'fineGrained' && {
          fineGrained: {
            canReadGatedRepos: true,
            global: [],
            scoped: [
              ...scoped(account.writeTo ?? [], ['repo.content.read', 'repo.write']),
              ...scoped(account.readFrom ?? [], ['repo.content.read']),
            ],
          },
        }),
      },
    },
  };
}

/** A stable id of 24 hex digits, as the Hub gives to users, organisations and repositories. */
export function idOf(name: string): string {
  return createHash('sha1').update(name).digest('hex').slice(0, 24);
}

export function ownerOf(repository: string): string {
  return repository.slice(0, repository.indexOf('/'));
}

function isMember(account: HubAccount, owner: string): boolean {
  return account.user === owner || (account.orgs ?? []).some((org) => org.name === owner);
}

function covers(entities: readonly string[], repository: string): boolean {
  return entities.includes(repository) || entities.includes(ownerOf(repository));
}
