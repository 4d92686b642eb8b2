import { join } from 'node:path';

/** Where everything lies in a cache. Nothing here touches the file system. */
export interface CacheLayout {
  readonly root: string;
  /** `system`: shared by users, who only read it. */
  readonly kind: 'user' | 'system';
  /** The system cache that is looked into besides this one. */
  readonly system: CacheLayout | undefined;
  /** Whose models count there; undefined: anybody's. */
  readonly namespace: string | undefined;
  /** `models/<name>` leads to the current version. */
  readonly models: string;
  /** Immutable installs: `versions/<name>/<version>/`. */
  readonly versions: string;
  /** Records, accepted manifest, keys. Not safe to delete. */
  readonly state: string;
  /** Work in progress. Safe to delete. */
  readonly downloads: string;
  readonly locks: string;
  readonly checksums: string;
  readonly preferences: string;
  /** Directories found at `models/<name>` that match no release. */
  readonly setAside: string;
  /** `models/<name>`. */
  current(name: string): string;
  version(name: string, version: string): string;
  /** Install records of a model: a file a version. */
  records(name: string): string;
  record(name: string, version: string): string;
  /** The chunk index that a version was installed by. */
  index(name: string, version: string): string;
  /** The reference vectors of a version. */
  vectors(name: string, version: string): string;
  /** Holds the version that `models/<name>` shall lead to. */
  intent(name: string): string;
  lock(name: string): string;
}

export function cacheLayout(
  root: string,
  { kind = 'user', system, namespace }: Partial<Pick<CacheLayout, 'kind' | 'system' | 'namespace'>> = {},
): CacheLayout {
  const state = join(root, 'state');
  return {
    root,
    kind,
    system,
    namespace,
    models: join(root, 'models'),
    versions: join(root, 'versions'),
    state,
    downloads: join(root, 'downloads'),
    locks: join(root, 'locks'),
    checksums: join(root, 'models', 'checksums.json'),
    preferences: join(root, 'config', 'model-preferences.json'),
    setAside: join(root, 'set-aside'),
    current: (name) => join(root, 'models', name),
    version: (name, version) => join(root, 'versions', name, version),
    records: (name) => join(state, 'installed', name),
    record: (name, version) => join(state, 'installed', name, `${version}.json`),
    index: (name, version) => join(state, 'installed', name, `${version}.index`),
    vectors: (name, version) => join(state, 'installed', name, `${version}.vectors`),
    intent: (name) => join(state, 'current', name),
    lock: (name) => join(root, 'locks', `${name}.lock`),
  };
}

export const versionFileName = '.version';
