import { type HostKind, hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { type PublishedVersion, parseManifest } from '../../contract/manifest.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Client } from '../client.ts';
import { placeFile } from '../sources/copies.ts';
import { fetchRelease, tagPrefixOf } from '../sources/fetch-release.ts';
import { checkExpiry } from './check-expiry.ts';
import { releaseVersion } from './compare-releases.ts';
import { firstGood, type GoodManifest, type KnownManifest } from './good-manifest.ts';
import { newTrust, openManifest, readRootKeys, readTrust } from './trust.ts';

/**
 * The manifest of a release named by tag or version (`newest` is undefined where there are
 * prereleases only). One that the newest manifest lists is trusted by the digest there, and its own
 * age, expiry and keys don't count; any other (a prerelease) must be signed like a new one, where
 * keys are trusted. `locked`: somebody knows its digest, so that its age doesn't count, and the
 * keys that were given are those of its time.
 */
export async function findRelease(
  client: Client,
  newest: GoodManifest | undefined,
  release: string,
  context: RunContext,
  locked = false,
): Promise<GoodManifest> {
  if (newest !== undefined && names(release, newest.manifest.release)) return newest;
  for (const [name, model] of Object.entries(newest?.manifest.models ?? {})) {
    const published = model.published_versions?.find((version) => names(release, version.release));
    if (newest && published) return fetchPublished(client, newest, { name, ...published }, context);
  }
  return fetchUnlisted(client, tagPrefixOf(newest?.manifest.release), release, context, locked);
}

/**
 * An old manifest, by what the newest one says of a version of the model `name`. Asks one host
 * after the other. Throws `remote`, `integrity`, and as `placeFile`.
 */
export async function fetchPublished(
  client: Client,
  newest: KnownManifest,
  published: PublishedVersion & { readonly name: string },
  context: RunContext,
): Promise<GoodManifest> {
  const http = (await client.http()).namedBy(newest, context);
  const { download_urls: named, sha256: expected, size_bytes: sizeBytes } = published.manifest;
  const urls = await placeFile(client, named, `${published.release}/manifest.json`, published, context);
  const { mirrors = [] } = await client.preferences();
  const kinds = [...new Set([...mirrors, ...hostKinds])].filter((kind) => urls[kind] !== undefined);
  const ask = async (kind: HostKind): Promise<GoodManifest> => {
    const url = http.place(urls[kind]!, kind);
    const maxBytes = Math.min(sizeBytes, limits.manifestBytes);
    const { bytes, local } = await http.document(url, { maxBytes, ...context });
    if (sha256(bytes) !== expected) {
      throw integrityError(`${url}: not the manifest of ${published.release} (its sha256 differs)`);
    }
    return { manifest: parseManifest(bytes, url), bytes, sha256: expected, signature: undefined, url, local };
  };
  return firstGood(kinds, ask, context, `No host gives the manifest of ${published.release}.`, 'Try again later.');
}

async function fetchUnlisted(
  client: Client,
  tagPrefix: string | undefined,
  release: string,
  context: RunContext,
  locked: boolean,
): Promise<GoodManifest> {
  const http = await client.http();
  const trust = locked ? newTrust(await readRootKeys(client.publicKeys)) : await readTrust(client, {});
  const ask = async (source: string): Promise<GoodManifest> => {
    const found = openManifest(client, trust, await fetchRelease(source, release, { http, tagPrefix, ...context }));
    const { release: itself } = found.manifest;
    // A mirror that gives another release's (well-signed) manifest for the asked one mustn't pass
    // it off.
    if (itself !== undefined && !names(release, itself)) {
      throw integrityError(`${found.url}: the manifest is of ${itself}, not of ${release}`);
    }
    if (!locked) checkExpiry(found.manifest);
    return found;
  };
  return firstGood(
    client.sources,
    ask,
    context,
    `No source has a good manifest of the release ${release}.`,
    'Check the tag or version. `list --remote` shows what is offered.',
  );
}

/** Whether a tag or version names the release of that tag. */
function names(release: string, tag: string | undefined): boolean {
  return tag === release || (tag !== undefined && releaseVersion(tag) === release);
}
