import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChunkIndex, parseChunkIndex } from '../../contract/chunk-index.ts';
import { limits } from '../../contract/limits.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { anySignal } from '../../core/abort.ts';
import { AircherError, integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { removeTree } from '../../core/write-files.ts';
import type { Http } from '../../http/http-client.ts';
import { type Mirror, mirrorsAt } from './mirror.ts';
import { announce, mirrorsFailed } from './set-mirror-aside.ts';
import { pathsIn } from './transfer-directory.ts';
import type { FileRecord, TransferRequest } from './types.ts';

export interface LoadedIndex {
  readonly value: ChunkIndex;
  readonly bytes: Buffer;
}

/**
 * The chunk index that the manifest's entry names: from the caller, from the staging directory, or
 * from a mirror. Undefined where the entry names none. It is checked: size and sha256 are the
 * entry's, it is well formed, and it describes the entry's archive and files. Throws `invalid`,
 * `integrity`, `remote`.
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
  const parse = (bytes: Buffer): LoadedIndex => parsed(request, bytes);
  const options = { what: 'the chunk index', parse, known: request.indexBytes, rounds: mostRounds };
  return await loadByDigest(declared, options, request, http, context);
}

/** A document of a release, as the manifest names it. */
export type NamedDocument = NonNullable<ManifestModel['index']>;

/**
 * A document that the manifest names by size and sha256: what is known, what an earlier run left in
 * the staging directory, or from one mirror after the other, each asked up to `rounds` times. Only
 * what `parse` accepts is kept. `what` names it in messages. Throws `remote`, `integrity`, and what
 * `parse` throws.
 */
export async function loadByDigest<T>(
  declared: NamedDocument,
  options: {
    readonly what: string;
    readonly parse: (bytes: Buffer) => T;
    readonly rounds: number;
    readonly known?: Uint8Array | undefined;
  },
  request: TransferRequest,
  http: Http,
  context: RunContext,
): Promise<T> {
  const staged = pathsIn(request.staging).document(declared.sha256);
  const left = await readBoundedFile(staged, declared.size_bytes).catch(() => undefined);
  const known = [options.known, left].find((bytes) => bytes && isDeclared(bytes, declared));
  if (known !== undefined) return options.parse(Buffer.from(known));
  const bytes = await fetchByDigest(declared, options, request, http, context);
  const value = options.parse(bytes);
  // If a kill cuts this off, the file won't match, and is fetched again. Something else may lie at
  // this path: remove it.
  await removeTree(staged);
  await writeFile(staged, bytes);
  return value;
}

/** If a mirror hasn't sent the document after so long, the next one is asked as well. */
const patienceMs = 1500;
/**
 * How often each mirror is asked. A mirror that is just being updated may answer 404, or with a web
 * page, for a moment.
 */
const mostRounds = 3;

/** Such a document from the mirrors alone. Throws `remote`, `integrity`, `invalid`. */
export async function fetchByDigest(
  declared: NamedDocument,
  { what, rounds }: { readonly what: string; readonly rounds: number },
  request: Pick<TransferRequest, 'model' | 'entry' | 'mirrorOrder'>,
  http: Http,
  context: RunContext,
): Promise<Buffer> {
  const { size_bytes: maxBytes, download_urls: urls } = declared;
  const mirrors = mirrorsAt(urls, request, http);
  if (mirrors.length === 0) throw invalidError(`${request.model}: ${what} has no URL that this client knows`);
  const found = new AbortController();
  const signal = anySignal(context.signal, found.signal);
  let asking = mirrors;
  let document: Buffer | undefined;
  const ask = async (mirror: Mirror): Promise<void> => {
    try {
      const { bytes } = await http.document(mirror.url, { ...context, signal, maxBytes });
      if (!isDeclared(bytes, declared))
        throw integrityError(`${mirror.host}: ${what} has another sha256 than the manifest says`);
      document ??= bytes;
    } catch (error) {
      if (signal.aborted || !(error instanceof AircherError)) throw error;
      const { code, details, message } = error;
      // `invalid`: it sent more bytes than the manifest declares, so they are wrong too.
      mirror.note(code === 'integrity' || code === 'invalid' ? 'wrong-bytes' : 'failing', message);
      announce(mirror, message, context);
      // A mirror that gave no answer at all was already asked several times by `http.document`.
      if (code === 'remote' && details.reason !== 'status') asking = asking.filter((other) => other !== mirror);
      throw error;
    }
  };
  for (let round = 0; round < rounds && document === undefined; round++) {
    if (round > 0 && asking.length > 0) await delay(http.settings.retryDelayMs * 2 ** round, undefined, { signal });
    const answers: Promise<void>[] = [];
    for (const mirror of asking) {
      if (document !== undefined) break;
      const answer = ask(mirror);
      answers.push(answer);
      await Promise.race([answer, Promise.any(answers), delay(patienceMs, undefined, { signal })]).catch(() => {});
    }
    await Promise.any(answers).catch(() => {});
    context.signal?.throwIfAborted();
  }
  found.abort();
  if (document === undefined) throw mirrorsFailed(mirrors);
  return document;
}

function isDeclared(bytes: Uint8Array, { size_bytes: size, sha256: digest }: NamedDocument): boolean {
  return bytes.length === size && sha256(bytes) === digest;
}

/** Parses the index, and checks that it is of the same release as the entry. */
function parsed(request: TransferRequest, bytes: Buffer): LoadedIndex {
  const { model } = request;
  const file = `${model} index`;
  const value = parseChunkIndex(bytes, { file, maxBytes: limits.indexBytes });
  const contradiction = contradictionOf(value, request);
  if (contradiction === undefined) return { value, bytes };
  throw integrityError(
    `${file}: ${contradiction}, against the manifest`,
    'The release contradicts itself. Tell its maintainer.',
  );
}

function contradictionOf({ archive, files }: ChunkIndex, { model, entry }: TransferRequest): string | undefined {
  const { name, format, size_bytes, sha256 } = archive;
  const isSame = name === `${model}.${format}` && format === (entry.format ?? format);
  if (!isSame || size_bytes !== entry.size_bytes || sha256 !== entry.sha256) return 'it is of another archive';
  return entry.files && listOf(entry.files) !== listOf(files) ? 'its files are others' : undefined;
}

function listOf(files: readonly FileRecord[]): string {
  return files
    .map(({ path, size_bytes, sha256 }) => JSON.stringify([path, size_bytes, sha256]))
    .sort()
    .join();
}
