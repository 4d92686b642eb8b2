import { isBelow, isLoopback } from './allowed-addresses.ts';
import type { Hosts } from './hosts.ts';
import type { HttpOptions } from './http-client.ts';

export type TokenKind = 'github' | 'huggingface';

/** The variables that the tokens come from, for messages. */
export const tokenVariables: Readonly<Record<TokenKind, string>> = { github: 'GITHUB_TOKEN', huggingface: 'HF_TOKEN' };

export interface Tokens {
  /** Which token goes with a request to this URL, if any. */
  kindOf(url: URL): TokenKind | undefined;
  headersOf(kind: TokenKind | undefined): Readonly<Record<string, string>>;
  /** Its host answers only without it: it isn't sent again. False where that was known. */
  drop(kind: TokenKind): boolean;
}

/** Which token goes where: each to its own host's address, and below it, alone. */
export function createTokens(options: HttpOptions, hosts: Hosts): Tokens {
  const tokens = new Map<TokenKind, string>();
  if (options.githubToken) tokens.set('github', options.githubToken);
  if (options.huggingFaceToken) tokens.set('huggingface', options.huggingFaceToken);
  const bases = { github: hosts.githubApiUrl, huggingface: hosts.huggingFaceEndpoint };
  return {
    kindOf(url) {
      // A token in clear text to another machine is given away.
      if (url.protocol === 'http:' && !isLoopback(url.hostname) && !options.allowInsecure) return undefined;
      return [...tokens.keys()].find((kind) => isBelow(url, bases[kind]));
    },
    headersOf: (kind) => ({ ...(kind && { authorization: `Bearer ${tokens.get(kind)}` }) }),
    drop: (kind) => tokens.delete(kind),
  };
}
