import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * What people have set up for the Hub's own clients, as huggingface_hub reads it.
 * [https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables]
 */

type Variables = Readonly<Record<string, string | undefined>>;

/** HF_HOME, XDG_CACHE_HOME/huggingface, ~/.cache/huggingface. */
function huggingFaceHome(env: Variables): string | undefined {
  if (env.HF_HOME) return withHome(env.HF_HOME, env);
  const caches = withHome(env.XDG_CACHE_HOME || '~/.cache', env);
  return caches && join(caches, 'huggingface');
}

/** Where its cache is. */
export function huggingFaceCacheOf(env: Variables): string | undefined {
  const named = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  const home = huggingFaceHome(env);
  const cache = named ? withHome(named, env) : home && join(home, 'hub');
  return cache && resolve(cache);
}

/** A path that may begin with `~`; undefined where nobody knows what that is. */
function withHome(path: string, { HOME, USERPROFILE }: Variables): string | undefined {
  const home = HOME || USERPROFILE;
  if (!/^~(?=[/\\]|$)/.test(path)) return path;
  return home ? join(home, path.slice(1)) : undefined;
}

/** The token that `hf auth login` keeps, where HF_TOKEN isn't set. */
export function keptToken(env: Variables): { readonly file: string; readonly token: string } | undefined {
  const home = huggingFaceHome(env);
  if (home === undefined || env.HF_TOKEN?.trim()) return undefined;
  const file = join(home, 'token');
  try {
    return { file, token: readFileSync(file, 'utf8') };
  } catch {
    return undefined;
  }
}

/** HF_HUB_OFFLINE, by the words that it takes for yes. */
export function isHubOffline(env: Variables): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((env.HF_HUB_OFFLINE ?? '').toUpperCase());
}
