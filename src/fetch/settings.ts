import { resolve } from 'node:path';
import { headerToken } from '../core/token.ts';
import type { HttpOptions } from '../http/http-client.ts';
import { proxyOptionsOf } from '../http/proxies.ts';
import { showSource } from '../http/remote-error.ts';
import type { ClientOptions, Setting } from './api.ts';
import { baked, defaultNamespace } from './baked.ts';
import { locateCache } from './cache/locate.ts';
import { huggingFaceCacheOf, isHubOffline, keptToken } from './hugging-face-home.ts';
import type { ModelsLock } from './lock/read-lock.ts';

type Variables = Readonly<Record<string, string | undefined>>;
type KeptToken = ReturnType<typeof keptToken>;

/** What a client goes by, but for its preferences. */
export interface Settings {
  readonly namespace: string | undefined;
  readonly cacheRoot: string;
  /** Of the system cache; undefined, too, for whoever fills it: then it is the client's own. */
  readonly systemRoot: string | undefined;
  readonly sources: readonly string[];
  /** See `Client.places`. */
  readonly places: readonly string[];
  readonly publicKeys: readonly string[];
  readonly offline: boolean;
  readonly huggingFaceCache: string | undefined;
  /** Throws `usage` for tokens that are none: only who asks a host needs them. */
  readonly http: () => HttpOptions;
  /** What `doctor` tells: each setting, and the flag, variable or file that says so. */
  readonly told: readonly Setting[];
}

/**
 * Decides what a client goes by: the one place where it is decided whether a flag, a variable, the
 * lock file, what is baked in, or a default counts. Throws `usage` as `locateCache`.
 */
export function decideSettings(options: ClientOptions, lock: ModelsLock | undefined): Settings {
  const env = options.env ?? {};
  const { content, path: lockPath = '' } = lock ?? {};
  const told: Setting[] = [];
  /** The first value that is there, by what says so. `show` hides secrets. */
  const first = <T>(setting: string, ways: Readonly<Record<string, T | undefined>>, show: (value: T) => string) => {
    const [set_by, value] = Object.entries(ways).find(([, each]) => each !== undefined) ?? ['default'];
    told.push({ setting, value: value === undefined ? undefined : show(value), set_by });
    return value;
  };
  const namespace = content?.namespace ?? options.namespace ?? baked.namespace;
  const { root, setBy } = locateCache({ namespace: namespace ?? defaultNamespace, cacheDir: options.cacheDir, env });
  const shared = env.AIRCHER_SYSTEM_CACHE ? resolve(env.AIRCHER_SYSTEM_CACHE) : undefined;
  const hub = huggingFaceCacheOf(env);
  const hubBy = ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'XDG_CACHE_HOME'].find((name) => env[name]);
  first('cache_dir', { [setBy]: root }, String);
  const sources = {
    '--manifest': options.manifestSources,
    [lockPath]: content?.sources,
    AIRCHER_MANIFEST_URL: words(env.AIRCHER_MANIFEST_URL),
    'aircher.mjs': filled(baked.manifest_sources),
  };
  const publicKeys = {
    '--public-key': options.publicKeys,
    [lockPath]: content?.public_keys,
    AIRCHER_PUBLIC_KEY: words(env.AIRCHER_PUBLIC_KEY),
    'aircher.mjs': filled(baked.public_keys),
  };
  const offline = {
    '--offline': options.offline,
    AIRCHER_OFFLINE: isSet(env.AIRCHER_OFFLINE) || undefined,
    HF_HUB_OFFLINE: isHubOffline(env) || undefined,
    default: false,
  };
  const asked = options.manifestSources ?? sources.AIRCHER_MANIFEST_URL;
  const joined = (values: readonly string[]): string => values.join(' ');
  first('lock', { '--lock': lock?.path }, String);
  first('release', { '--release': options.release }, String);
  first('accept_licenses', { '--accept-license': options.acceptLicenses }, joined);
  // The preferences have these, too, which are read when they are needed.
  first('limit_rate', { '--limit-rate': options.limitRate }, String);
  first('connections', { '--connections': options.connections }, String);
  const kept = keptToken(env);
  const fromEnv = httpOptionsOf(env, kept);
  const given = options.http ?? {};
  for (const [setting, key, variable, show = String] of httpSettings(env, kept)) {
    const flag = key === 'allowInsecure' ? '--allow-http' : `http.${key}`;
    first<unknown>(setting, { [flag]: given[key], [variable]: fromEnv[key] }, (value) => show(String(value)));
  }
  first('mirror_token', { AIRCHER_MIRROR_TOKEN: env.AIRCHER_MIRROR_TOKEN || undefined }, secret);
  first('netrc', { NETRC: env.NETRC || undefined }, String);
  // Node itself reads it.
  const { NODE_EXTRA_CA_CERTS } = env;
  first(
    'extra_certificates',
    { 'http.extraCertificates': given.extraCertificates && 'set', NODE_EXTRA_CA_CERTS },
    String,
  );
  const systemRoot = first('system_cache', { AIRCHER_SYSTEM_CACHE: shared === root ? undefined : shared }, String);
  const found = first('manifest_sources', sources, (values) => joined(values.map(showSource))) ?? [];
  return {
    namespace,
    cacheRoot: root,
    systemRoot,
    sources: found,
    places: asked ?? found,
    publicKeys: first('public_keys', publicKeys, joined) ?? [],
    offline: first('offline', offline, String) ?? false,
    huggingFaceCache: first('hugging_face_cache', { [hubBy ?? 'default']: hub }, String),
    http: () => ({ ...fromEnv, ...tokensOf(env, kept), ...given }),
    told,
  };
}

const secret = (): string => 'set';
/** An address without user and password. */
const address = (value: string): string => value.replace(/[^/@\s]+@/g, '***@');

type HttpSetting = readonly [
  setting: string,
  key: keyof HttpOptions,
  variable: string,
  show?: (value: string) => string,
];

/** As they are told, and the variables that they come from. */
function httpSettings(env: Variables, kept: KeptToken): readonly HttpSetting[] {
  const either = (name: string): string => (env[name.toLowerCase()] ? name.toLowerCase() : name);
  return [
    ['https_proxy', 'httpsProxy', either('HTTPS_PROXY'), address],
    ['http_proxy', 'httpProxy', either('HTTP_PROXY'), address],
    ['all_proxy', 'allProxy', either('ALL_PROXY'), address],
    ['no_proxy', 'noProxy', either('NO_PROXY')],
    ['hugging_face_token', 'huggingFaceToken', kept?.file ?? 'HF_TOKEN', secret],
    ['github_token', 'githubToken', env.GITHUB_TOKEN?.trim() ? 'GITHUB_TOKEN' : 'GH_TOKEN', secret],
    ['hugging_face_endpoint', 'huggingFaceEndpoint', 'HF_ENDPOINT', address],
    ['github_server_url', 'githubServerUrl', 'GITHUB_SERVER_URL', address],
    ['github_api_url', 'githubApiUrl', 'GITHUB_API_URL', address],
    ['allow_http', 'allowInsecure', 'AIRCHER_ALLOW_HTTP'],
  ];
}

function tokensOf(env: Variables, kept: KeptToken): Pick<HttpOptions, 'huggingFaceToken' | 'githubToken'> {
  const { file = 'HF_TOKEN', token = env.HF_TOKEN } = kept ?? {};
  return {
    huggingFaceToken: headerToken({ [file]: token }),
    githubToken: headerToken({ GITHUB_TOKEN: env.GITHUB_TOKEN, GH_TOKEN: env.GH_TOKEN }),
  };
}

/** With tokens as they stand there, to be told and not to be used: see `tokensOf`. */
function httpOptionsOf(env: Variables, kept: KeptToken): HttpOptions {
  return {
    ...proxyOptionsOf(env),
    huggingFaceToken: (kept?.token ?? env.HF_TOKEN)?.trim() || undefined,
    githubToken: env.GITHUB_TOKEN?.trim() || env.GH_TOKEN?.trim() || undefined,
    huggingFaceEndpoint: env.HF_ENDPOINT || undefined,
    githubServerUrl: env.GITHUB_SERVER_URL || undefined,
    githubApiUrl: env.GITHUB_API_URL || undefined,
    allowInsecure: isSet(env.AIRCHER_ALLOW_HTTP) || undefined,
  };
}

function isSet(value = ''): boolean {
  return !['', '0', 'false', 'no'].includes(value.toLowerCase());
}

/** What stands between blanks; undefined where nothing does. */
function words(text: string | undefined): readonly string[] | undefined {
  return text?.match(/\S+/g) ?? undefined;
}

function filled(values: readonly string[]): readonly string[] | undefined {
  return values.length > 0 ? values : undefined;
}
