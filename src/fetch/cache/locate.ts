import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { usageError } from '../../core/errors.ts';

export interface LocateCacheOptions {
  readonly namespace: string;
  /** Named by the caller; wins over the environment. */
  readonly cacheDir?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
  /** The user's home directory; undefined where there is none. */
  readonly home?: () => string | undefined;
}

/**
 * The cache's root, and what named it: `cacheDir`, else $AIRCHER_CACHE_DIR,
 * $XDG_CACHE_HOME/<namespace>, %LOCALAPPDATA%\<namespace> on Windows, ~/.cache/<namespace>. A
 * relative $XDG_CACHE_HOME is ignored, as its specification demands. Throws `usage` where no place
 * is known.
 */
export function locateCache(options: LocateCacheOptions): { readonly root: string; readonly setBy: string } {
  const { namespace, env = {}, platform = process.platform } = options;
  if (options.cacheDir) return { root: resolve(options.cacheDir), setBy: '--cache-dir' };
  if (env.AIRCHER_CACHE_DIR) return { root: resolve(env.AIRCHER_CACHE_DIR), setBy: 'AIRCHER_CACHE_DIR' };
  const below = (directory: string, setBy: string) => ({ root: join(directory, namespace), setBy });
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return below(env.XDG_CACHE_HOME, 'XDG_CACHE_HOME');
  if (platform === 'win32' && env.LOCALAPPDATA) return below(env.LOCALAPPDATA, 'LOCALAPPDATA');
  const home = (options.home ?? systemHome)();
  if (home !== undefined && isAbsolute(home)) return below(join(home, '.cache'), 'default');
  throw usageError('There is no home directory to keep models in.', otherCache);
}

/** The remedy where a cache can't be used. */
export const otherCache = 'Set AIRCHER_CACHE_DIR (or --cache-dir) to a directory you can write to.';

function systemHome(): string | undefined {
  try {
    // The root of the file system is what services without a home get; nobody means it.
    const home = homedir();
    return home === '' || home === '/' || home === '/nonexistent' ? undefined : home;
  } catch {
    return undefined;
  }
}
