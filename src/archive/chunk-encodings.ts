import type { FileHandle } from 'node:fs/promises';
import type { EncodedChunk } from '../contract/encoding-index.ts';
import type { EncodingKind } from '../contract/fields.ts';
import { freeBuffer } from '../core/free-buffers.ts';
import type { Sha256 } from '../core/hashing.ts';
import type { PlacedTensor } from '../weights/weights-file.ts';
import { ContentsReader } from './chunk-contents.ts';
import { encodePatch, encodePlanes } from './encode-planes.ts';
import { EncodingWriter } from './encoding-writer.ts';
import type { PatchBase } from './patch-base.ts';

/** A chunk is in an encoding only where that is at most so much of the other way to have it. */
export const mostOfOther = 0.98;
/**
 * A patch is made only where an update by it, and else by the archive, fetches at most so much of
 * what it would by the archive alone.
 */
const mostOfUpdate = 0.75;

/** An encoding that is to be made; `base` makes it a patch. */
export interface WantedEncoding {
  readonly handle: FileHandle;
  readonly base?: PatchBase | undefined;
}

export interface FinishedEncoding {
  readonly kind: EncodingKind;
  readonly size_bytes: number;
  readonly sha256: Sha256;
  readonly chunks: readonly EncodedChunk[];
  /** Whether it saves enough to be published. */
  readonly isWorthIt: boolean;
}

/** What the archive has of a chunk. */
export interface ArchivedChunk {
  /** Its place in the index. */
  readonly number: number;
  readonly archiveLength: number;
  readonly sha256: Sha256;
}

/** Called when a chunk stands in the archive; writes those encoded forms of it that save enough. */
export type WriteEncoded = (archived: ArchivedChunk) => void;

/** Makes a model's planes and patches while its chunks pass by on their way into the archive. */
export class ChunkEncodings {
  readonly #tensors: readonly PlacedTensor[];
  readonly #planes: EncodingWriter | undefined;
  readonly #patches: PatchWriter[];
  readonly #seen = new Set<string>();
  #reader: { readonly path: string; readonly contents: ContentsReader } | undefined;

  /** `tensors`: all of the model's; at most one of `wanted` is of planes. */
  constructor(tensors: readonly PlacedTensor[], wanted: readonly WantedEncoding[]) {
    this.#tensors = tensors;
    const planes = wanted.find(({ base }) => base === undefined);
    this.#planes = planes && new EncodingWriter(planes.handle);
    this.#patches = wanted.flatMap(({ handle, base }) => (base === undefined ? [] : [new PatchWriter(handle, base)]));
  }

  /** Encodes a chunk of the file `path`; the chunks of a file come in their order. */
  async encode(chunk: Uint8Array, path: string, offset: number): Promise<WriteEncoded> {
    if (this.#reader?.path !== path) this.#reader = { path, contents: new ContentsReader(this.#tensors, path) };
    const contents = this.#reader.contents.read(offset, chunk.length);
    const [planes, ...patches] = await Promise.all([
      contents && this.#planes && encodePlanes(chunk, contents.element),
      ...this.#patches.map(async ({ base }) => {
        const old = contents && base.find(contents.key, path);
        if (contents === undefined || old === undefined) return undefined;
        const bytes = base.read(old);
        const isSame = Buffer.compare(bytes, chunk) === 0;
        const body = isSame ? undefined : await encodePatch(chunk, bytes, contents.element);
        freeBuffer(bytes);
        return body && { body, oldSha256: old.sha256 };
      }),
    ]);
    return ({ number, archiveLength, sha256 }) => {
      const key = `${sha256} ${chunk.length}`;
      // Clients fetch a chunk once, however often it is there.
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
      let shortest = archiveLength;
      if (planes !== undefined && lengthOf(planes) <= archiveLength * mostOfOther) {
        this.#planes?.add(number, planes);
        shortest = lengthOf(planes);
      }
      for (const [at, patch] of patches.entries()) {
        const writer = this.#patches[at]!;
        if (!writer.base.has(sha256, chunk.length)) writer.add(number, { archiveLength, otherwise: shortest }, patch);
      }
      for (const piece of [planes, ...patches.map((patch) => patch?.body)].flat()) if (piece) freeBuffer(piece);
    };
  }

  /** In the order in which they were wanted, planes first. */
  finish(): readonly FinishedEncoding[] {
    const planes = this.#planes?.finish();
    return [
      ...(planes === undefined ? [] : [{ kind: 'planes' as const, ...planes, isWorthIt: planes.chunks.length > 0 }]),
      ...this.#patches.map((patch) => patch.finish()),
    ];
  }
}

/** A patch on the way, and what it spares an update. */
class PatchWriter {
  readonly base: PatchBase;
  readonly #writer: EncodingWriter;
  /** Bytes that an update fetches of the chunks so far, from the archive and with the patch. */
  #without = 0;
  #with = 0;

  constructor(handle: FileHandle, base: PatchBase) {
    this.#writer = new EncodingWriter(handle);
    this.base = base;
  }

  /** A chunk that the older version doesn't have; `otherwise`: bytes of it without the patch. */
  add(
    number: number,
    { archiveLength, otherwise }: { readonly archiveLength: number; readonly otherwise: number },
    patch: { readonly body: readonly Uint8Array[]; readonly oldSha256: Sha256 } | undefined,
  ): void {
    const length = patch && lengthOf(patch.body);
    const isTaken = length !== undefined && length <= otherwise * mostOfOther;
    if (isTaken) this.#writer.add(number, patch!.body, patch!.oldSha256);
    this.#without += archiveLength;
    this.#with += isTaken ? length : archiveLength;
  }

  finish(): FinishedEncoding {
    const finished = this.#writer.finish();
    const isWorthIt = finished.chunks.length > 0 && this.#with <= this.#without * mostOfUpdate;
    return { kind: 'patch', ...finished, isWorthIt };
  }
}

function lengthOf(body: readonly Uint8Array[]): number {
  return body.reduce((sum, piece) => sum + piece.length, 0);
}
