import { isBelow, isLoopback } from './allowed-addresses.ts';
import type { Hosts } from './hosts.ts';
import type { HttpOptions } from './http-client.ts';

/** What a host knows somebody by. */
export interface Credential {
  /** The variable or file that it comes from, for messages. */
  readonly name: string;
  /** Value of the header `authorization`. */
  readonly authorization: string;
  isFor(url: URL): boolean;
}

/** Not a token, but login and password, as a `.netrc` has them. */
export function isPassword({ authorization }: Credential): boolean {
  return authorization.startsWith('Basic ');
}

export interface Tokens {
  /** What goes with a request to this URL, if anything. */
  of(url: URL): Credential | undefined;
  /** Its host answers only without it: it isn't sent again. False where that was known. */
  drop(token: Credential): boolean;
}

/**
 * Which token goes where: each to its own host's address, and below it, alone; then `others`, the
 * first that fits.
 */
export function createTokens(options: HttpOptions, hosts: Hosts, others: readonly Credential[]): Tokens {
  const bearer = (name: string, token: string | undefined, base: string): readonly Credential[] =>
    token ? [{ name, authorization: `Bearer ${token}`, isFor: (url) => isBelow(url, base) }] : [];
  const tokens = new Set([
    ...bearer('GITHUB_TOKEN', options.githubToken, hosts.githubApiUrl),
    ...bearer('HF_TOKEN', options.huggingFaceToken, hosts.huggingFaceEndpoint),
    ...others,
  ]);
  return {
    of(url) {
      // A token in clear text to another machine is given away.
      if (url.protocol === 'http:' && !isLoopback(url.hostname) && !options.allowInsecure) return undefined;
      return [...tokens].find((token) => token.isFor(url));
    },
    drop: (token) => tokens.delete(token),
  };
}
