import { join } from 'node:path';
import { remoteError } from '../core/errors.ts';
import { createHttp } from '../http/create-http.ts';
import type { Http } from '../http/http-client.ts';
import type { ClientOptions, Setting } from './api.ts';
import { defaultNamespace } from './baked.ts';
import { type CacheLayout, cacheLayout } from './cache/layout.ts';
import { locateCache } from './cache/locate.ts';
import { type Preferences, readPreferences } from './cache/preferences.ts';
import type { ModelsLock } from './lock/read-lock.ts';
import { mirrorCredentials } from './mirror-credentials.ts';
import { parseRate } from './parse-rate.ts';
import { decideSettings } from './settings.ts';
import { type Copy, rootOf } from './sources/copies.ts';

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
  /**
   * Those of the caller, which a lock file doesn't change: what is installed may lie beside them,
   * if they are copies.
   */
  readonly places: readonly string[];
  /** What is known of places, by their root; undefined where it is no copy. */
  readonly copies: Map<string, Copy | undefined>;
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
  /** What `doctor` tells of these, and of the network's. */
  readonly settings: readonly Setting[];
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
  const settings = decideSettings(options, lock);
  const { namespace, cacheRoot, systemRoot, sources, places, publicKeys, offline, huggingFaceCache } = settings;
  const system = systemRoot === undefined ? undefined : cacheLayout(systemRoot, { kind: 'system' });
  const layout = cacheLayout(cacheRoot, { namespace, system });
  const hasDirectory = Boolean(options.cacheDir || env.AIRCHER_CACHE_DIR);
  const defaultCache = (): CacheLayout => cacheLayout(locateCache({ namespace: defaultNamespace, env }).root);
  let http: Promise<Http> | undefined;
  let opened: Http | undefined;
  const open = async (): Promise<Http> => {
    const { limitRate, connections } = await readPreferences(layout);
    const found = {
      limitRate: parseRate(options.limitRate) ?? limitRate,
      connections: options.connections ?? connections,
      ...settings.http(),
    };
    const named = [...sources, ...places];
    opened = createHttp(
      found,
      mirrorCredentials(env, named),
      named.flatMap((source) => rootOf(source) ?? []),
    );
    return opened;
  };
  return {
    layout,
    namespace,
    namespacesFile: hasDirectory ? undefined : join(defaultCache().state, 'namespaces.json'),
    sources,
    places,
    copies: new Map(),
    sourcesAreNamed: options.manifestSources !== undefined,
    publicKeys,
    offline,
    release: options.release,
    allowDowngrade: options.allowDowngrade ?? false,
    acceptLicenses: options.acceptLicenses ?? [],
    lock,
    huggingFaceCache,
    settings: settings.told,
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
