import type { Manifest } from '../../contract/manifest.ts';
import { toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { type AcceptedManifest, readAccepted, writeAccepted } from './accepted-manifest.ts';
import { teachersOf } from './check-signature.ts';
import { compareReleases } from './compare-releases.ts';

export interface ManifestToRemember {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly signature: Buffer | undefined;
  readonly url: string;
  /** Announced by it, or by those before it. */
  readonly keys: readonly string[];
  /** One of these signed it. */
  readonly signers: readonly string[];
  readonly etags: Readonly<Record<string, string>>;
}

/**
 * Makes a manifest that was found good the newest accepted one, unless that is known already, another process accepted a newer
 * one meanwhile, or the cache can't be written to (a warning).
 */
export async function rememberManifest(
  client: Client,
  found: ManifestToRemember,
  stored: AcceptedManifest | undefined,
  given: readonly string[],
  context: RunContext,
): Promise<void> {
  const roots = teachersOf(given, stored) ?? given;
  const known = stored?.sha256 === found.sha256;
  const etags = { ...(known ? stored.etags : {}), ...found.etags };
  const sameKeys = stored?.roots.join() === roots.join() && stored.keys.join() === found.keys.join();
  if (known && sameKeys && JSON.stringify(stored.etags) === JSON.stringify(etags)) return;
  const latest = await readAccepted(client.layout);
  const overtaken = latest !== undefined && latest.sha256 !== stored?.sha256 && !client.allowDowngrade;
  if (overtaken && compareReleases(latest.manifest, found.manifest) > 0) return;
  try {
    await writeAccepted(client.layout, {
      sha256: found.sha256,
      bytes: found.bytes,
      signature: found.signature,
      url: found.url,
      roots,
      keys: found.keys,
      signers: found.signers,
      etags,
    });
  } catch (error) {
    if (toAircherError(error).code !== 'machine') throw error;
    warn(context, { file: client.layout.state, message: 'the accepted manifest can’t be remembered there' });
  }
}
