import { type ChunkIndex, parseChunkIndex } from '../../contract/chunk-index.ts';
import { limits } from '../../contract/limits.ts';
import { AircherError, integrityError, invalidError, type Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { readFileIfThere, writeFileAtomically } from '../../core/files.ts';
import { sha256 } from '../../core/hashing.ts';
import { hostOf } from '../http/remote-error.ts';
import type { Http } from '../http/types.ts';
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
  const known = [request.indexBytes, await readFileIfThere(staged)].find(matches);
  if (known !== undefined) return parsed(request, Buffer.from(known.buffer, known.byteOffset, known.byteLength));
  const bytes = await download(request, http, context, matches);
  const index = parsed(request, bytes);
  await writeFileAtomically(staged, bytes);
  return index;
}

/** How long a mirror may take for the index while there is another one. */
const hastyMs = 8_000;

async function download(
  request: TransferRequest,
  http: Http,
  context: RunContext,
  matches: (bytes: Uint8Array) => boolean,
): Promise<Buffer> {
  const declared = request.entry.index!;
  const kinds = orderedKinds(request).filter((kind) => declared.download_urls[kind] !== undefined);
  const problems = new Map<string, Problem>();
  const wrong = new Set<string>();
  // A mirror that is busy or slow isn't waited for while another may answer at once: patience comes in the second round.
  for (const patient of kinds.length > 1 ? [false, true] : [true]) {
    for (const kind of kinds) {
      if (wrong.has(kind)) continue;
      const url = declared.download_urls[kind]!;
      const hasty = patient ? undefined : AbortSignal.timeout(hastyMs);
      const asked = hasty ? { ...context, attempts: 1, signal: anyOf(context.signal, hasty) } : context;
      try {
        const { bytes } = await http.document(http.place(url, kind), { ...asked, maxBytes: declared.size_bytes });
        if (matches(bytes)) return bytes;
        wrong.add(kind);
        const message = `${hostOf(url)}: the chunk index has another sha256 than the manifest says`;
        problems.set(kind, { level: 'error', file: kind, message });
      } catch (error) {
        context.signal?.throwIfAborted();
        if (hasty?.aborted) {
          problems.set(kind, {
            level: 'error',
            file: kind,
            message: `${hostOf(url)}: no chunk index in ${hastyMs / 1000} s`,
          });
          continue;
        }
        if (!(error instanceof AircherError) || error.code === 'interrupted' || error.code === 'machine') throw error;
        // More bytes than declared are wrong bytes.
        if (error.code === 'invalid') wrong.add(kind);
        problems.set(kind, { level: 'error', file: kind, message: error.message });
      }
      if (patient || wrong.has(kind)) {
        context.onEvent?.({ type: 'mirror-set-aside', mirror: kind, reason: problems.get(kind)!.message });
      }
    }
  }
  const found = [...problems.values()];
  if (found.length === 0) throw invalidError(`${request.model}: its index has no URL that this client knows`);
  throw new AircherError(
    wrong.size === found.length ? 'integrity' : 'remote',
    `${request.model}: no mirror gives the chunk index: ${found.map((problem) => problem.message).join('; ')}`,
    { hint: 'Try again later, or tell the maintainer of this release.', problems: found },
  );
}

function anyOf(signal: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return signal ? AbortSignal.any([signal, other]) : other;
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
