import { usageError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { showSource } from '../http/remote-error.ts';
import type { ClientOptions } from './api.ts';
import { baked } from './baked.ts';
import { readNamespaces } from './cache/namespaces.ts';
import { type Client, createClient } from './client.ts';
import { readLock } from './lock/read-lock.ts';
import { askSources, newestGood } from './manifests/ask-sources.ts';
import { directoryName, noteNamespace } from './manifests/remember-manifest.ts';
import { newTrust, readRootKeys } from './manifests/trust.ts';

/** A client whose cache is known, and whether that is so for good. */
export interface OpenedClient {
  readonly client: Client;
  /**
   * False where no source could be asked for its namespace: the cache is the default one for now.
   */
  readonly settled: boolean;
}

/**
 * Makes a client, and finds its cache: by the options, else by the namespace of its sources'
 * manifest, so that all clients of one publisher share a cache. Which that is was noted when the
 * sources were last used; sources that are new here are asked once. Throws `usage` where no source
 * is named and those of several publishers were used, and as `readLock`.
 */
export async function openClient(options: ClientOptions, context: RunContext): Promise<OpenedClient> {
  const { lock: path, namespace: named = baked.namespace } = options;
  const lock = path === undefined ? undefined : await readLock(path, named);
  const client = createClient(options, lock);
  if (isPlaced(client)) return { client, settled: true };
  const namespace = await findNamespace(client, client.namespacesFile ?? '', context);
  if (!namespace) return { client, settled: namespace === '' || client.sources.length === 0 };
  client.close();
  return { client: createClient({ ...options, namespace }), settled: true };
}

/**
 * Whether the cache doesn't depend on what the sources say: its directory or the namespace is
 * given.
 */
export function isPlaced({ namespace, namespacesFile }: Client): boolean {
  return namespace !== undefined || namespacesFile === undefined;
}

/**
 * The namespace of the sources' manifest, empty where it names none; undefined where nobody knows.
 */
async function findNamespace(client: Client, file: string, context: RunContext): Promise<string | undefined> {
  const noted = await readNamespaces(file);
  const sources = client.sources.map(showSource);
  if (sources.length === 0) {
    const [one, ...others] = new Set(Object.values(noted));
    if (others.length === 0) return one;
    throw usageError(
      `Models of several publishers are here: ${[one, ...others].join(', ')}.`,
      `Name the source by --manifest or AIRCHER_MANIFEST_URL: ${Object.keys(noted).join(', ')}`,
    );
  }
  const known = sources.map((source) => noted[source]).find((namespace) => namespace !== undefined);
  if (known !== undefined || client.offline) return known;
  const trust = newTrust(await readRootKeys(client.publicKeys));
  const answers = await askSources(client, trust, { signal: context.signal });
  const best = newestGood(answers);
  if (best === undefined) return undefined;
  await noteNamespace(client, best.manifest);
  return directoryName(best.manifest);
}
