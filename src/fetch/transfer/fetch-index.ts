import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChunkIndex, parseChunkIndex } from '../../contract/chunk-index.ts';
import type { HostKind } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { AircherError, integrityError, invalidError, type Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { readBoundedFile, removeTree } from '../../core/files.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Http } from '../../http/http-client.ts';
import { hostOf } from '../../http/remote-error.ts';
import { orderedKinds } from './mirror.ts';
import { stagingOf } from './staging.ts';
import type { TransferRequest } from './types.ts';

export interface LoadedIndex {
  readonly value: ChunkIndex;
  readonly bytes: Buffer;
}

/**
 * The chunk index that the manifest's entry names, from the caller, the staging directory, or one mirror after the other;
 * undefined where the entry names none. Its size and sha256 are the entry's, it is well formed, and it describes the entry's
 * archive and files. Throws `invalid`, `integrity`, `remote`.
 */
export async function loadIndex(
  request: TransferRequest,
  http: Http,
  context: RunContext,
): Promise<LoadedIndex | undefined> {
  const declared = request.entry.index;
  if (declared === undefined) return undefined;
  if (declared.size_bytes > limits.indexBytes) {
    throw invalidError(`${request.model}: its index has ${declared.size_bytes} bytes, more than ${limits.indexBytes}`);
  }
  const matches = (bytes: Uint8Array | undefined): bytes is Uint8Array =>
    bytes !== undefined && bytes.length === declared.size_bytes && sha256(bytes) === declared.sha256;
  const { index: staged } = stagingOf(request.staging);
  const left = await readBoundedFile(staged, declared.size_bytes).catch(() => undefined);
  const known = [request.indexBytes, left].find(matches);
  if (known !== undefined) return parsed(request, Buffer.from(known.buffer, known.byteOffset, known.byteLength));
  const bytes = await download(request, http, context, matches);
  const index = parsed(request, bytes);
  // Torn by a kill, it doesn't match, and is fetched again; whatever lies there makes room.
  await removeTree(staged);
  await writeFile(staged, bytes);
  return index;
}

/** When a mirror hasn't sent the index after so long, the next one is asked as well. */
const patienceMs = 1500;

async function download(
  request: TransferRequest,
  http: Http,
  context: RunContext,
  matches: (bytes: Uint8Array) => boolean,
): Promise<Buffer> {
  const { size_bytes: maxBytes, download_urls: urls } = request.entry.index!;
  const found = new AbortController();
  const signal = AbortSignal.any([found.signal, ...(context.signal ? [context.signal] : [])]);
  const errors: AircherError[] = [];
  const problems: Problem[] = [];
  let index: Buffer | undefined;
  const ask = async (kind: HostKind, url: string): Promise<void> => {
    try {
      const { bytes } = await http.document(http.place(url, kind), { ...context, signal, maxBytes });
      if (!matches(bytes))
        throw integrityError(`${hostOf(url)}: the chunk index has another sha256 than the manifest says`);
      index ??= bytes;
    } catch (error) {
      if (signal.aborted || !(error instanceof AircherError)) throw error;
      errors.push(error);
      problems.push({ level: 'error', file: kind, message: error.message });
      context.onEvent?.({ type: 'mirror-set-aside', mirror: kind, reason: error.message });
      throw error;
    }
  };
  const asked: Promise<void>[] = [];
  for (const kind of orderedKinds(request)) {
    const url = urls[kind];
    if (url === undefined || index !== undefined) continue;
    const answer = ask(kind, url);
    asked.push(answer);
    await Promise.race([answer, Promise.any(asked), delay(patienceMs, undefined, { signal })]).catch(() => {});
  }
  await Promise.any(asked).catch(() => {});
  found.abort();
  if (index !== undefined) return index;
  context.signal?.throwIfAborted();
  if (errors.length === 0) throw invalidError(`${request.model}: its index has no URL that this client knows`);
  throw new AircherError(
    // More bytes than declared are wrong bytes.
    errors.every(({ code }) => code === 'integrity' || code === 'invalid') ? 'integrity' : 'remote',
    `${request.model}: no mirror gives the chunk index: ${problems.map(({ message }) => message).join('; ')}`,
    { hint: 'Try again later, or tell the maintainer of this release.', problems },
  );
}

/** Parsed strictly, and the same release as the entry. */
function parsed(request: TransferRequest, bytes: Buffer): LoadedIndex {
  const { model, entry } = request;
  const file = `${model} index`;
  const value = parseChunkIndex(bytes, { file, maxBytes: limits.indexBytes });
  const contradiction = contradictionOf(value, request);
  if (contradiction === undefined) return { value, bytes };
  throw integrityError(
    `${file}: ${contradiction}, against the manifest`,
    'The release contradicts itself. Tell its maintainer.',
    { details: { model, version: entry.version } },
  );
}

function contradictionOf(index: ChunkIndex, { model, entry }: TransferRequest): string | undefined {
  const { archive } = index;
  if (archive.sha256 !== entry.sha256) return `it is of an archive with the sha256 ${archive.sha256}`;
  if (archive.size_bytes !== entry.size_bytes) return `it is of an archive of ${archive.size_bytes} bytes`;
  if (archive.name !== `${model}.${archive.format}`) return `it is of ${JSON.stringify(archive.name)}`;
  if (entry.format !== undefined && archive.format !== entry.format) return `its format is ${archive.format}`;
  if (entry.files === undefined) return undefined;
  const declared = new Map(entry.files.map((file) => [file.path, file]));
  if (declared.size !== index.files.length) return `it has ${index.files.length} files instead of ${declared.size}`;
  for (const file of index.files) {
    const same = declared.get(file.path);
    if (same?.size_bytes !== file.size_bytes || same.sha256 !== file.sha256) {
      return `its file ${JSON.stringify(file.path)} has another size or sha256`;
    }
  }
  return undefined;
}
