import { namespacePattern } from '../../contract/fields.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { showSource } from '../../http/remote-error.ts';
import { writeNamespace } from '../cache/namespaces.ts';
import type { Client } from '../client.ts';
import { readAccepted, writeAccepted } from './accepted-manifest.ts';
import { compareReleases } from './compare-releases.ts';
import { sameKeys, type Trust, type TrustedManifest } from './trust.ts';

/**
 * Makes a manifest that was found good the newest accepted one, unless that is known already,
 * another process accepted a newer one meanwhile, or the cache can't be written to (a warning).
 */
export async function rememberManifest(
  client: Client,
  found: TrustedManifest,
  foundEtags: Readonly<Record<string, string>>,
  trust: Trust,
  context: RunContext,
): Promise<void> {
  await noteNamespace(client, found.manifest);
  const { roots, stored } = trust;
  const { announced, signers } = found;
  const known = stored?.sha256 === found.sha256;
  const etags = { ...(known && stored.etags), ...foundEtags };
  const facts = JSON.stringify([roots, announced, etags]);
  if (known && facts === JSON.stringify([stored.roots, stored.keys, stored.etags])) return;
  const latest = await readAccepted(client.layout);
  const overtaken = latest !== undefined && latest.sha256 !== stored?.sha256 && !client.allowDowngrade;
  if (overtaken && compareReleases(latest.manifest, found.manifest) > 0) return;
  const replaced = trust.announced.length > 0 && !sameKeys(trust.announced, announced);
  const earlier = replaced ? [...trust.earlier, trust.announced] : trust.earlier;
  try {
    await writeAccepted(client.layout, found, { roots, keys: announced, earlier, signers, etags });
  } catch (error) {
    if (toAircherError(error).code !== 'machine') throw error;
    warn(context, { file: client.layout.state, message: 'the accepted manifest cannot be kept there' });
  }
}

/** Notes which namespace the client's sources are of, so that others find its cache by them. */
export async function noteNamespace(client: Client, manifest: Manifest): Promise<void> {
  if (client.namespacesFile === undefined) return;
  await writeNamespace(client.namespacesFile, client.sources.map(showSource), directoryName(manifest));
}

/**
 * A manifest's namespace, as the name of its cache; empty where it has none that may name a
 * directory.
 */
export function directoryName({ namespace = '' }: Manifest): string {
  return namespacePattern.test(namespace) ? namespace : '';
}
