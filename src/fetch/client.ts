import { join, resolve } from 'node:path';
import { remoteError } from '../core/errors.ts';
import { headerToken } from '../core/token.ts';
import { createHttp } from '../http/create-http.ts';
import type { Http, HttpOptions } from '../http/http-client.ts';
import { proxyOptionsOf } from '../http/proxies.ts';
import type { ClientOptions } from './api.ts';
import { baked, defaultNamespace } from './baked.ts';
import { type CacheLayout, cacheLayout } from './cache/layout.ts';
import { locateCache } from './cache/locate.ts';
import { type Preferences, readPreferences } from './cache/preferences.ts';
import { huggingFaceCacheOf, isHubOffline, keptToken } from './hugging-face-home.ts';
import type { ModelsLock } from './lock/read-lock.ts';
import { mirrorCredentials } from './mirror-credentials.ts';
import { parseRate } from './parse-rate.ts';

/** A client's settings, all known, and the network, made when it is first needed. */
export interface Client {
  readonly layout: CacheLayout;
  /** Undefined where nothing fixes it: then the first accepted manifest does. */
  readonly namespace: string | undefined;
  /**
   * Where the namespaces of sources are noted, in the default cache. Undefined where the cache's
   * directory is given.
   */
  readonly namespacesFile: string | undefined;
  readonly sources: readonly string[];
  /** The caller named the sources: an older manifest there is refused instead of passed over. */
  readonly sourcesAreNamed: boolean;
  readonly publicKeys: readonly string[];
  readonly offline: boolean;
  readonly release: string | undefined;
  readonly allowDowngrade: boolean;
  /** Ids of licences that the user accepts, whatever policies say. */
  readonly acceptLicenses: readonly string[];
  /** Where one is given: what it says is installed, and nothing else. */
  readonly lock: ModelsLock | undefined;
  /** `…/huggingface/hub`, where identical files may lie already. */
  readonly huggingFaceCache: string | undefined;
  /** Throws `remote` where the client is offline. */
  http(): Promise<Http>;
  preferences(): Promise<Preferences>;
  /** Ends idle connections. */
  close(): void;
}

export function createClient(options: ClientOptions = {}, lock?: ModelsLock): Client {
  const env = options.env ?? {};
  const namespace = lock?.content.namespace ?? options.namespace ?? baked.namespace;
  const { cacheDir } = options;
  const layoutOf = (name: string): CacheLayout => {
    const root = locateCache({ namespace: name, cacheDir, env });
    return cacheLayout(root, { namespace, system: systemCacheOf(env, root) });
  };
  const layout = layoutOf(namespace ?? defaultNamespace);
  const hasDirectory = Boolean(cacheDir || env.AIRCHER_CACHE_DIR);
  const sources =
    options.manifestSources ?? lock?.content.sources ?? words(env.AIRCHER_MANIFEST_URL) ?? baked.manifest_sources;
  const offline = options.offline ?? (isSet(env.AIRCHER_OFFLINE) || isHubOffline(env));
  let http: Promise<Http> | undefined;
  let opened: Http | undefined;
  const open = async (): Promise<Http> => {
    const { limitRate, connections } = await readPreferences(layout);
    const settings = {
      ...httpOptionsOf(env),
      limitRate: parseRate(options.limitRate) ?? limitRate,
      connections: options.connections ?? connections,
      ...options.http,
    };
    opened = createHttp(settings, mirrorCredentials(env, sources));
    return opened;
  };
  return {
    layout,
    namespace,
    namespacesFile: hasDirectory ? undefined : join(layoutOf(defaultNamespace).state, 'namespaces.json'),
    sources,
    sourcesAreNamed: options.manifestSources !== undefined,
    publicKeys: options.publicKeys ?? lock?.content.public_keys ?? words(env.AIRCHER_PUBLIC_KEY) ?? baked.public_keys,
    offline,
    release: options.release,
    allowDowngrade: options.allowDowngrade ?? false,
    acceptLicenses: options.acceptLicenses ?? [],
    lock,
    huggingFaceCache: huggingFaceCacheOf(env),
    http: async () => {
      if (offline) {
        throw remoteError(
          'The network is needed, and the client is offline.',
          'Run again without --offline, AIRCHER_OFFLINE and HF_HUB_OFFLINE.',
        );
      }
      http ??= open();
      return http;
    },
    preferences: () => readPreferences(layout),
    close: () => opened?.close(),
  };
}

/** None for whoever fills it, as the user's own. */
function systemCacheOf(env: Readonly<Record<string, string | undefined>>, root: string): CacheLayout | undefined {
  const shared = env.AIRCHER_SYSTEM_CACHE && resolve(env.AIRCHER_SYSTEM_CACHE);
  return shared && shared !== root ? cacheLayout(shared, { kind: 'system' }) : undefined;
}

function httpOptionsOf(env: Readonly<Record<string, string | undefined>>): HttpOptions {
  const { file = 'HF_TOKEN', token = env.HF_TOKEN } = keptToken(env) ?? {};
  return {
    ...proxyOptionsOf(env),
    huggingFaceToken: headerToken({ [file]: token }),
    githubToken: headerToken({ GITHUB_TOKEN: env.GITHUB_TOKEN, GH_TOKEN: env.GH_TOKEN }),
    huggingFaceEndpoint: env.HF_ENDPOINT || undefined,
    githubServerUrl: env.GITHUB_SERVER_URL || undefined,
    githubApiUrl: env.GITHUB_API_URL || undefined,
    allowInsecure: isSet(env.AIRCHER_ALLOW_HTTP),
  };
}

function isSet(value = ''): boolean {
  return !['', '0', 'false', 'no'].includes(value.toLowerCase());
}

/** What stands between blanks; undefined where nothing does. */
function words(text: string | undefined): readonly string[] | undefined {
  return text?.match(/\S+/g) ?? undefined;
}
