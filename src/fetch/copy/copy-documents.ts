import { hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { integrityError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { isMissing } from '../../http/remote-error.ts';
import type { Client } from '../client.ts';
import { type ClientFile, checksumsName, clientName, findClientFile } from '../lock/find-client-file.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { readTrust } from '../manifests/trust.ts';
import { placeFile } from '../sources/copies.ts';
import { isNotThere } from '../sources/fetch-document.ts';
import type { CopyDirectory } from './copy-directory.ts';
import { directoryOf } from './plan-copy.ts';

const signed = ['manifest.json', checksumsName];
/** What a release has besides its models' artifacts. */
export const documentNames = [clientName, 'manifest.json.asc', ...signed, ...signed.map((name) => `${name}.minisig`)];

/**
 * Copies them: its client, checked by the release's checksums, signatures, the manifest last. A
 * release that has its manifest is whole. `isNewest`: then the keys that count now must have signed
 * the checksums, else any that ever did.
 */
export async function copyDocuments(
  client: Client,
  directory: CopyDirectory,
  good: GoodManifest,
  isNewest: boolean,
  context: RunContext,
): Promise<void> {
  const tag = directoryOf(good.manifest.release);
  if ((await directory.read(`${tag}/manifest.json`)) !== undefined) return;
  const http = (await client.http()).namedBy(good, context);
  const get = async (url: string, maxBytes: number): Promise<Buffer | undefined> => {
    try {
      return (await http.document(url, { ...context, maxBytes })).bytes;
    } catch (error) {
      if (isNotThere(error)) return undefined;
      throw error;
    }
  };
  const write = async (name: string, bytes: Buffer | undefined): Promise<void> => {
    if (bytes !== undefined) await directory.write(`${tag}/${name}`, bytes);
  };
  const { roots, announced, earlier } = await readTrust(client, context);
  const current = announced.length > 0 ? announced : roots;
  const found = await findChecked(
    client,
    good,
    isNewest ? current : [...roots, ...earlier.flat(), ...announced],
    context,
  );
  if (found !== undefined) {
    const { url, bytes, signature } = found.checksums;
    const beside = (name: string): Promise<Buffer | undefined> => get(new URL(name, url).href, limits.signatureBytes);
    await write(clientName, await fetchClient(client, found, get, context));
    await write(`${checksumsName}.minisig`, signature ?? (await beside(`${checksumsName}.minisig`)));
    await write(checksumsName, bytes);
    await write('manifest.json.asc', await beside('manifest.json.asc'));
  }
  // An older manifest was found at its own address, and trusted by its digest.
  const signature = isNewest ? good.signature : await get(`${good.url}.minisig`, limits.signatureBytes);
  await write('manifest.json.minisig', signature);
  await write('manifest.json', good.bytes);
}

/** Undefined, with a warning, where no host has checksums of the release. */
async function findChecked(
  client: Client,
  good: GoodManifest,
  keys: readonly string[],
  context: RunContext,
): Promise<ClientFile | undefined> {
  try {
    return await findClientFile(client, good, keys, context);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const message = `has no ${checksumsName}: the copy has no client of ${good.manifest.release}`;
    warn(context, { file: good.url, message });
    return undefined;
  }
}

async function fetchClient(
  client: Client,
  { locked: { release, sha256: expected, download_urls: named } }: ClientFile,
  get: (url: string, maxBytes: number) => Promise<Buffer | undefined>,
  context: RunContext,
): Promise<Buffer> {
  const urls = await placeFile(client, named, `${release}/${clientName}`, undefined, context);
  const http = await client.http();
  for (const kind of hostKinds) {
    const bytes = urls[kind] && (await get(http.place(urls[kind], kind), limits.manifestBytes));
    if (bytes && sha256(bytes) === expected) return bytes;
  }
  throw integrityError(
    `No host has the ${clientName} of ${release} that its ${checksumsName} names.`,
    'Try again later; if it stays so, tell the maintainer of this release.',
  );
}
