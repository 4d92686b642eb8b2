import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What people have set up for the Hub's own clients, as huggingface_hub reads it.
 * [https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables]
 */

type Variables = Readonly<Record<string, string | undefined>>;

/** HF_HOME, XDG_CACHE_HOME/huggingface, ~/.cache/huggingface. */
function huggingFaceHome(env: Variables): string | undefined {
  if (env.HF_HOME) return env.HF_HOME;
  const home = env.HOME || env.USERPROFILE;
  const caches = env.XDG_CACHE_HOME || (home && join(home, '.cache'));
  return caches ? join(caches, 'huggingface') : undefined;
}

/** Where its cache is. */
export function huggingFaceCacheOf(env: Variables): string | undefined {
  const home = huggingFaceHome(env);
  return env.HF_HUB_CACHE || (home && join(home, 'hub'));
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
