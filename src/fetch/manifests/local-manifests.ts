import { join } from 'node:path';
import { type RunContext, warn } from '../../core/events.ts';
import { isFile } from '../../core/read-files.ts';
import type { Client } from '../client.ts';
import { readManifestFile } from '../sources/fetch-document.ts';
import { parseSource } from '../sources/source.ts';
import { hasExpired } from './check-expiry.ts';
import { compareReleases } from './compare-releases.ts';
import type { GoodManifest } from './good-manifest.ts';
import { rememberManifest } from './remember-manifest.ts';
import { openManifest, readTrust } from './trust.ts';

/**
 * The good manifests that can be had without a network: files that the caller names as sources, the
 * one in `directory`, what was accepted before. Signature and namespace count as ever; age and
 * expiry don't, for somebody carried the release here on purpose (an expired one is warned of).
 * Throws `integrity`, `invalid`.
 */
export async function localManifests(
  client: Client,
  directory: string,
  context: RunContext,
): Promise<readonly GoodManifest[]> {
  const trust = await readTrust(client, context);
  const { stored } = trust;
  const named = client.sourcesAreNamed ? client.sources.map(parseSource) : [];
  const beside = join(directory, 'manifest.json');
  const paths = named.filter((source) => source.kind === 'file').map((source) => source.path);
  if (await isFile(beside)) paths.push(beside);
  const good: GoodManifest[] = [];
  for (const path of paths) {
    // Carried here from elsewhere: what it names on this machine isn't meant.
    const carried = { ...(await readManifestFile(path, path, undefined)), local: false };
    const found = openManifest(client, trust, carried);
    const { manifest } = found;
    if (hasExpired(manifest)) warn(context, { file: path, message: `the manifest expired at ${manifest.expires_at}` });
    good.push(found);
    if (stored !== undefined && compareReleases(manifest, stored.manifest) <= 0) continue;
    await rememberManifest(client, found, {}, trust, context);
  }
  return stored === undefined ? good : [...good, stored];
}
