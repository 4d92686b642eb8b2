import { join } from 'node:path';
import { type RunContext, warn } from '../../core/events.ts';
import { isFile } from '../../core/files.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Client } from '../client.ts';
import { readManifestFile } from '../sources/fetch-document.ts';
import { parseSource } from '../sources/source.ts';
import { checkNamespace } from './ask-sources.ts';
import { hasExpired } from './check-expiry.ts';
import { openManifest, readRootKeys, signingKeys, trustedKeys } from './check-signature.ts';
import { compareReleases } from './compare-releases.ts';
import { readTrustedStored } from './find-manifest.ts';
import type { GoodManifest } from './good-manifest.ts';
import { rememberManifest } from './remember-manifest.ts';

/**
 * The good manifests that can be had without a network: files that the caller names as sources, the one in `directory`, what was
 * accepted before. Signature and namespace count as ever; age and expiry don't, for somebody carried the release here on
 * purpose (an expired one is warned of). Throws `integrity`, `invalid`.
 */
export async function localManifests(
  client: Client,
  directory: string,
  context: RunContext,
): Promise<readonly GoodManifest[]> {
  const roots = await readRootKeys(client.publicKeys);
  const stored = await readTrustedStored(client, roots, context);
  const keys = trustedKeys(roots, stored);
  const named = client.sourcesAreNamed ? client.sources.map(parseSource) : [];
  const beside = join(directory, 'manifest.json');
  const paths = named.filter((source) => source.kind === 'file').map((source) => source.path);
  if (await isFile(beside)) paths.push(beside);
  const good: GoodManifest[] = [];
  for (const path of paths) {
    const { bytes, signature } = await readManifestFile(path, path, undefined);
    const opened = openManifest(bytes, signature, keys, path);
    const { manifest } = opened;
    checkNamespace(manifest, client, stored, path);
    if (hasExpired(manifest)) warn(context, { file: path, message: `the manifest expired at ${manifest.expires_at}` });
    const found = { manifest, bytes, sha256: sha256(bytes), signature, url: path };
    good.push({ ...found, fresh: true });
    if (stored !== undefined && compareReleases(manifest, stored.manifest) <= 0) continue;
    const remembered = { ...found, keys: opened.keys.announced, signers: signingKeys(keys), etags: {} };
    await rememberManifest(client, remembered, stored, roots, context);
  }
  return stored === undefined ? good : [...good, { ...stored, fresh: false }];
}
