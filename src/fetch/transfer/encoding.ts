import type { ChunkIndex } from '../../contract/chunk-index.ts';
import { type EncodingIndex, parseEncodingIndex } from '../../contract/encoding-index.ts';
import { type HostKind, hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import type { ManifestEncoding } from '../../contract/manifest.ts';
import { anySignal } from '../../core/abort.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Sha256 } from '../../core/hashing.ts';
import type { Http } from '../../http/http-client.ts';
import type { Chunk } from './chunk.ts';
import { loadByDigest } from './fetch-index.ts';
import { chunkCopies } from './local-chunks.ts';
import type { ChunkCopy, TransferRequest } from './types.ts';

/** Wrong bodies after which an encoding is left alone. */
const mostWrong = 3;
/** Failed requests after which it is, at one mirror. */
const mostFailures = 3;
/** Nobody waits longer for what is of use but not needed. */
const patienceMs = 10_000;

/** An encoding of the archive, and what this run has learnt about it. Nothing of it is needed. */
export class Encoding {
  readonly name: string;
  readonly sizeBytes: number;
  /** Where it is asked for, by the mirror's name: nowhere any more when it is left alone. */
  readonly urls: Map<string, string>;
  /** The user was told that it is left alone. */
  announced = false;
  readonly #failures = new Map<string, number>();
  #wrong = 0;

  constructor({ name, size_bytes, download_urls }: ManifestEncoding, http: Http) {
    this.name = name;
    this.sizeBytes = size_bytes;
    const placed = (kind: HostKind): [string, string][] => {
      const url = download_urls[kind];
      return url === undefined ? [] : [[kind, http.place(url, kind)]];
    };
    this.urls = new Map(hostKinds.flatMap(placed));
  }

  /** A body was wrong. Whether it is left alone from now on, whoever has it. */
  noteWrong(): boolean {
    if (++this.#wrong >= mostWrong) this.urls.clear();
    return this.urls.size === 0;
  }

  /**
   * A mirror failed to send it: so many times, or for ever. Whether it isn't asked for there any
   * more.
   */
  noteFailure(mirror: string, times: number): boolean {
    const failures = (this.#failures.get(mirror) ?? 0) + times;
    this.#failures.set(mirror, failures);
    if (failures >= mostFailures) this.urls.delete(mirror);
    return !this.urls.has(mirror);
  }
}

/** A chunk in an encoding. */
export interface EncodedForm {
  readonly encoding: Encoding;
  readonly offset: number;
  readonly length: number;
  /** Of a patch: the old chunk, and where it may be read. */
  readonly old?: { readonly sha256: Sha256; readonly copies: readonly ChunkCopy[] };
}

/** An encoding and its index, as planned. */
export interface LoadedEncoding {
  readonly declared: ManifestEncoding;
  readonly index: EncodingIndex;
}

/**
 * The encodings that can help: planes, and patches from versions that are here. What is missing,
 * late, contradicts the manifest or is broken in any other way is gone without.
 */
export async function loadEncodings(
  request: TransferRequest,
  index: ChunkIndex,
  bytesMissing: number,
  http: Http,
  context: RunContext,
): Promise<readonly LoadedEncoding[]> {
  const { encodings = [] } = request.entry;
  const planes = encodings.find(({ kind }) => kind === 'planes');
  const patches = request.reuse.flatMap(
    ({ version }) =>
      encodings.find(({ kind, from }) => kind === 'patch' && from !== undefined && from === version) ?? [],
  );
  const candidates = [...new Set([...patches, ...(planes ? [planes] : [])])].filter(
    (declared) => declared.index.size_bytes <= Math.min(bytesMissing, limits.indexBytes),
  );
  const signal = anySignal(context.signal, AbortSignal.timeout(patienceMs));
  const loaded = await Promise.all(
    candidates.map(async (declared) => {
      const { kind, name, size_bytes, sha256 } = declared;
      try {
        const what = `${name} index`;
        const parse = (bytes: Buffer): EncodingIndex => parseEncodingIndex(bytes, index, what);
        const found = await loadByDigest(declared.index, { what, parse, rounds: 1 }, request, http, { signal });
        if (found.kind !== kind || found.size_bytes !== size_bytes || found.sha256 !== sha256)
          throw integrityError(`${name}: its index is of something else`);
        return [{ declared, index: found }];
      } catch (error) {
        context.signal?.throwIfAborted();
        context.onEvent?.({
          type: 'notice',
          message: `${name} is left alone: ${error instanceof Error ? error.message : error}`,
        });
        return [];
      }
    }),
  );
  return loaded.flat();
}

/** Gives each chunk the forms that the encodings have of it, the shortest first. */
export function addForms(
  chunks: readonly Chunk[],
  { chunks: indexed }: ChunkIndex,
  encodings: readonly LoadedEncoding[],
  request: TransferRequest,
  http: Http,
): void {
  const forms = new Map<string, EncodedForm[]>();
  const sources = encodings.some(({ index }) => index.kind === 'patch') ? request.reuse.map(chunkCopies) : [];
  for (const { declared, index } of encodings) {
    const encoding = new Encoding(declared, http);
    for (const [number, offset, length, oldSha256] of index.chunks) {
      const [, , , , chunkLength, sha256] = indexed[number]!;
      const copies = sources.flatMap((source) => source.get(`${oldSha256} ${chunkLength}`) ?? []);
      if (oldSha256 !== undefined && copies.length === 0) continue;
      const old = oldSha256 === undefined ? {} : { old: { sha256: oldSha256, copies } };
      const form = { encoding, offset, length, ...old };
      const key = `${sha256} ${chunkLength}`;
      const known = forms.get(key);
      if (known) known.push(form);
      else forms.set(key, [form]);
    }
  }
  for (const chunk of chunks) {
    const found = forms.get(`${chunk.sha256} ${chunk.length}`) ?? [];
    chunk.forms.push(...found.sort((a, b) => a.length - b.length));
  }
}
