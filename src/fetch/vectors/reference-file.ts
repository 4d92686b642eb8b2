import { vectorsName } from '../../contract/artifacts.ts';
import { limits } from '../../contract/limits.ts';
import { parseReferenceVectors, type ReferenceVectors } from '../../contract/reference-vectors.ts';
import { hasSystemCode, integrityError, invalidError, remoteError, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import type { InstallTarget } from '../install/install-version.ts';
import { placeEntry } from '../sources/copies.ts';
import { fetchByDigest } from '../transfer/fetch-index.ts';

/** The entry of a model, and who it is. */
type Declared = Pick<InstallTarget, 'name' | 'version' | 'entry'>;

/**
 * The reference vectors' file as it lies at `path`; undefined where the entry names none, or what
 * lies there isn't it.
 */
export async function readVectorsFile(path: string, { entry }: Pick<Declared, 'entry'>): Promise<Buffer | undefined> {
  const { reference } = entry;
  if (reference === undefined || reference.size_bytes > limits.vectorsBytes) return undefined;
  const bytes = await readBoundedFile(path, reference.size_bytes).catch(() => undefined);
  return bytes && sha256(bytes) === reference.sha256 ? bytes : undefined;
}

/** Fetches that file; undefined where the entry names none. Throws as `fetchByDigest`. */
async function fetchVectorsFile(
  client: Client,
  target: Pick<InstallTarget, 'name' | 'version' | 'entry' | 'from'>,
  context: RunContext,
): Promise<Buffer | undefined> {
  if (target.entry.reference === undefined) return undefined;
  const { name, from } = target;
  const entry = await placeEntry(client, target, context);
  const reference = entry.reference ?? target.entry.reference;
  const { size_bytes: size } = reference;
  if (size > limits.vectorsBytes) {
    throw invalidError(`${name}: its reference vectors have ${size} bytes, more than ${limits.vectorsBytes}`);
  }
  const http = (await client.http()).namedBy(from, context);
  const { mirrors: mirrorOrder } = await client.preferences();
  const request = { model: name, entry, mirrorOrder };
  return fetchByDigest(reference, { what: vectorsName(name), rounds: 1 }, request, http, context);
}

/**
 * The file that is kept, else fetched. It is for checks alone, so a model without it is installed
 * all the same: where it can't be had, that is a warning.
 */
export async function bringVectorsFile(
  client: Client,
  target: Pick<InstallTarget, 'name' | 'version' | 'entry' | 'from'>,
  context: RunContext,
): Promise<Buffer | undefined> {
  const { name, version } = target;
  const kept = await keptVectorsFile(client.layout, target);
  if (kept !== undefined || client.offline) return kept;
  return fetchVectorsFile(client, target, context).catch((error: unknown) => {
    context.signal?.throwIfAborted();
    const message = `its reference vectors can’t be had: ${toAircherError(error).message}`;
    warn(context, { file: `${name}@${version}`, message });
    return undefined;
  });
}

/** The file that is kept with the version, here or in the system cache. */
async function keptVectorsFile(layout: CacheLayout, target: Declared): Promise<Buffer | undefined> {
  const here = await readVectorsFile(layout.vectors(target.name, target.version), target);
  return here ?? (layout.system && keptVectorsFile(layout.system, target));
}

/** Keeps the file with the version, where that can be written. */
export async function keepVectorsFile(layout: CacheLayout, { name, version }: Declared, bytes: Buffer): Promise<void> {
  await writeFileAtomically(layout.vectors(name, version), bytes).catch((error: unknown) => {
    if (!hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) throw error;
  });
}

/**
 * The reference vectors of an installed version: those that are kept with it, else fetched. Throws
 * `invalid` where its release has none, and as `fetchVectorsFile`.
 */
export async function referenceVectors(
  client: Client,
  record: InstallRecord,
  context: RunContext,
): Promise<ReferenceVectors> {
  const { model: name, version, entry } = record;
  let bytes = await keptVectorsFile(client.layout, { name, version, entry });
  if (bytes === undefined && entry.reference && client.offline) {
    throw remoteError(
      `The reference vectors of ${name} ${version} are not kept here (or not as they were), and the client is offline.`,
      'Run check-vectors once with the network, or install with --from a folder that has them.',
    );
  }
  if (bytes === undefined) {
    bytes = await fetchVectorsFile(client, { name, version, entry, from: record }, context);
    if (bytes !== undefined) await keepVectorsFile(client.layout, { name, version, entry }, bytes);
  }
  if (bytes === undefined) {
    throw invalidError(
      `${name} ${version} has no reference vectors.`,
      'Its maintainers can add them to the next version: "reference" in release.json.',
    );
  }
  const reference = parseReferenceVectors(bytes, vectorsName(name));
  const isSame = reference.model === name && reference.version === version && reference.archive_sha256 === entry.sha256;
  if (isSame) return reference;
  throw integrityError(
    `${vectorsName(name)}: is of ${reference.model} ${reference.version}, or of another archive of it`,
    'The release contradicts itself. Tell its maintainer.',
  );
}
