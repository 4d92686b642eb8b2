import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { headerToken } from '../core/token.ts';
import { netrcCredentials } from '../http/netrc.ts';
import type { Credential } from '../http/tokens.ts';

/**
 * What the user has for mirrors that ask for it: AIRCHER_MIRROR_TOKEN, for the hosts of the
 * manifest sources alone, since a manifest may name any address; and the passwords of `$NETRC`,
 * else `~/.netrc`, each for its host.
 */
export function mirrorCredentials(
  env: Readonly<Record<string, string | undefined>>,
  sources: readonly string[],
): readonly Credential[] {
  const token = headerToken({ AIRCHER_MIRROR_TOKEN: env.AIRCHER_MIRROR_TOKEN });
  const hosts = sources.filter((source) => /^https?:/i.test(source) && URL.canParse(source));
  const own: Credential = {
    name: 'AIRCHER_MIRROR_TOKEN',
    authorization: `Bearer ${token}`,
    isFor: ({ host }) => hosts.some((source) => new URL(source).host === host),
  };
  return [...(token === undefined ? [] : [own]), ...netrcOf(env)];
}

/** None where there is no such file. */
export function netrcOf(env: Readonly<Record<string, string | undefined>>): readonly Credential[] {
  const home = env.HOME || env.USERPROFILE;
  const file = env.NETRC || (home && join(home, '.netrc'));
  if (!file) return [];
  try {
    return netrcCredentials(readFileSync(file, 'utf8'), file);
  } catch {
    return [];
  }
}
