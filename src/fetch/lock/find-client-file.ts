import { parseChecksums } from '../../contract/checksums.ts';
import { hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import type { LockedClient } from '../../contract/lock-file.ts';
import { AircherError, integrityError, toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { isMissing } from '../../http/remote-error.ts';
import { commentNamesRelease, parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { placeFile } from '../sources/copies.ts';

export const clientName = 'aircher.mjs';
export const checksumsName = 'checksums.sha256';

/** A release's client, and the checksums that say what it is. */
export interface ClientFile {
  readonly locked: LockedClient;
  /** checksums.sha256, where it was, and its signature, where keys were given. */
  readonly checksums: { readonly url: string; readonly bytes: Buffer; readonly signature: Buffer | undefined };
}

/**
 * Where the release's client lies, and its digest by the release's checksums.sha256: signed by one
 * of `keys`, where there are any, and of this manifest. Throws `integrity`, `remote` where no host
 * has such checksums.
 */
export async function findClientFile(
  client: Client,
  good: GoodManifest,
  keys: readonly string[],
  context: RunContext,
): Promise<ClientFile> {
  const { release = '' } = good.manifest;
  const named = siblingUrls(good, checksumsName);
  const checksums = await placeFile(client, named, `${release}/${checksumsName}`, undefined, context);
  const faults: AircherError[] = [];
  for (const kind of hostKinds) {
    const url = checksums[kind];
    if (url === undefined) continue;
    try {
      const http = (await client.http()).namedBy(good, context);
      const found = await readChecksums(http, http.place(url, kind), good, keys, context);
      return {
        locked: { release, sha256: found.sha256, download_urls: siblingUrls(good, clientName) },
        checksums: found,
      };
    } catch (error) {
      context.signal?.throwIfAborted();
      faults.push(toAircherError(error));
    }
  }
  const worst = faults.find(({ code }) => code === 'integrity') ?? faults[0];
  const reasons = faults.map(({ message }) => message).join('; ') || 'no host is known';
  const details = faults.every(isMissing) ? { status: 404 } : {};
  const message = `No host says what the client of ${release} is: ${reasons}`;
  throw new AircherError(worst?.code ?? 'remote', message, { details });
}

async function readChecksums(
  http: Http,
  url: string,
  good: GoodManifest,
  keys: readonly string[],
  context: RunContext,
): Promise<ClientFile['checksums'] & { readonly sha256: string }> {
  const get = async (address: string, maxBytes: number): Promise<Buffer> =>
    (await http.document(address, { maxBytes, ...context })).bytes;
  const bytes = await get(url, limits.manifestBytes);
  const signature = keys.length > 0 ? await get(`${url}.minisig`, limits.signatureBytes) : undefined;
  if (signature !== undefined) {
    const { trustedComment } = verifySignature(bytes, signature.toString(), keys.map(parsePublicKey));
    if (!commentNamesRelease(trustedComment, good.manifest.release ?? '')) {
      throw integrityError(`${url} is signed for another release`);
    }
  }
  const sums = parseChecksums(bytes.toString(), url);
  const sumOf = (name: string): string | undefined => sums.find((sum) => sum.name === name)?.sha256;
  if (sumOf('manifest.json') !== good.sha256) throw integrityError(`${url} is of another manifest`);
  const found = sumOf(clientName);
  if (found === undefined) throw integrityError(`${url} names no ${clientName}`);
  return { url, bytes, signature, sha256: found };
}

/**
 * The addresses of a file of the manifest's release, by kind: beside its archives, or where those
 * of an older release stand, under its own tag.
 */
function siblingUrls({ manifest }: GoodManifest, name: string): LockedClient['download_urls'] {
  const { release = '', models } = manifest;
  const found = hostKinds.flatMap((kind) => {
    for (const { download_urls: urls, release: own = release } of Object.values(models)) {
      const [before, behind] = urls[kind]?.split(`/${own}/`) ?? [];
      if (before !== undefined && behind !== undefined) return [[kind, `${before}/${release}/${name}`]];
    }
    return [];
  });
  return Object.fromEntries(found);
}
