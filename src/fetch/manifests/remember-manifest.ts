import { toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { readAccepted, writeAccepted } from './accepted-manifest.ts';
import { compareReleases } from './compare-releases.ts';
import { sameKeys, type Trust, type TrustedManifest } from './trust.ts';

/**
 * Makes a manifest that was found good the newest accepted one, unless that is known already, another process accepted a newer
 * one meanwhile, or the cache can't be written to (a warning).
 */
export async function rememberManifest(
  client: Client,
  found: TrustedManifest,
  foundEtags: Readonly<Record<string, string>>,
  trust: Trust,
  context: RunContext,
): Promise<void> {
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
