import type { Hash } from 'node:crypto';
import { type Sha256, sha256, startHash } from '../core/hashing.ts';
import type { DataRange } from '../weights/weights-file.ts';
import { cutEvenly, ownChunkBytes } from './cut.ts';

/** A tensor of a packed file; its digest depends on its data alone, wherever that stands. */
export interface PackedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sha256: Sha256;
}

/** The digest of a tensor with these data; see `TensorDigests`. */
export function tensorDigest(data: Uint8Array): Sha256 {
  if (data.length < ownChunkBytes) return sha256(data);
  const chunks = startHash();
  let offset = 0;
  for (const length of cutEvenly(data.length)) {
    chunks.update(sha256(data.subarray(offset, offset + length)), 'hex');
    offset += length;
  }
  return chunks.digest('hex');
}

/**
 * Digests of the tensors in a file, made while it is packed: that of a tensor below 64 KiB is the
 * sha256 of its data; that of a larger one the sha256 over the digests of its chunks (32 bytes
 * each, in order), also where it is one chunk. So nothing large is hashed once more. Bytes and
 * chunks come in the file's order.
 */
export class TensorDigests {
  readonly #ranges: readonly DataRange[];
  readonly #digests = new Map<number, Sha256>();
  /** Places in `#ranges` of the next small and the next large one. */
  #small = 0;
  #large = 0;
  #chunks: Hash = startHash();

  /** `ranges`: where the tensors stand, in order; those that `cutFile` was given. */
  constructor(ranges: readonly DataRange[]) {
    this.#ranges = ranges;
  }

  /** A chunk's bytes, which begin at `offset` in the file: small tensors lie in one chunk whole. */
  addBytes(bytes: Uint8Array, offset: number): void {
    for (; this.#small < this.#ranges.length; this.#small++) {
      const { begin, end } = this.#ranges[this.#small]!;
      if (end - begin >= ownChunkBytes) continue;
      if (begin < offset || end > offset + bytes.length) return;
      this.#digests.set(begin, sha256(bytes.subarray(begin - offset, end - offset)));
    }
  }

  /** A chunk of the index, which begins at `offset` in the file. */
  addChunk(offset: number, digest: Sha256): void {
    for (; this.#large < this.#ranges.length; this.#large++) {
      const { begin, end } = this.#ranges[this.#large]!;
      if (end - begin < ownChunkBytes) continue;
      if (offset < begin) return;
      if (offset < end) {
        this.#chunks.update(digest, 'hex');
        return;
      }
      this.#endLarge(begin);
    }
  }

  /** Digests by the place where a tensor begins. */
  finish(): ReadonlyMap<number, Sha256> {
    const last = this.#ranges[this.#large];
    if (last !== undefined) this.#endLarge(last.begin);
    return this.#digests;
  }

  #endLarge(begin: number): void {
    this.#digests.set(begin, this.#chunks.digest('hex'));
    this.#chunks = startHash();
  }
}
