import { parseChecksums } from '../../contract/checksums.ts';
import { hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import type { LockedClient } from '../../contract/lock-file.ts';
import { AircherError, integrityError, toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { commentNamesRelease, parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';

const clientName = 'aircher.mjs';
const checksumsName = 'checksums.sha256';

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
): Promise<LockedClient> {
  const { release = '' } = good.manifest;
  const [urls, checksums] = [siblingUrls(good, clientName), siblingUrls(good, checksumsName)];
  const faults: AircherError[] = [];
  for (const kind of hostKinds) {
    const url = checksums[kind];
    if (url === undefined) continue;
    try {
      const http = (await client.http()).namedBy(good, context);
      const sha256 = await digestFrom(http, http.place(url, kind), good, keys, context);
      return { release, sha256, download_urls: urls };
    } catch (error) {
      context.signal?.throwIfAborted();
      faults.push(toAircherError(error));
    }
  }
  const worst = faults.find(({ code }) => code === 'integrity') ?? faults[0];
  const reasons = faults.map(({ message }) => message).join('; ') || 'no host is known';
  throw new AircherError(worst?.code ?? 'remote', `No host says what the client of ${release} is: ${reasons}`);
}

async function digestFrom(
  http: Http,
  url: string,
  good: GoodManifest,
  keys: readonly string[],
  context: RunContext,
): Promise<string> {
  const get = async (address: string, maxBytes: number): Promise<Buffer> =>
    (await http.document(address, { maxBytes, ...context })).bytes;
  const bytes = await get(url, limits.manifestBytes);
  if (keys.length > 0) {
    const signature = await get(`${url}.minisig`, limits.signatureBytes);
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
  return found;
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
