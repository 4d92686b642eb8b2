import type { Hash } from 'node:crypto';
import { type Sha256, sha256, startHash } from '../core/hashing.ts';
import type { SafetensorsHeader, Tensor } from '../weights/safetensors-header.ts';
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
 * Digests of a safetensors file's tensors, made while the file is packed: that of a tensor below 64 KiB is the sha256 of its data;
 * that of a larger one the sha256 over the digests of its chunks (32 bytes each, in order), also where it is one chunk. So nothing large
 * is hashed once more. Bytes and chunks come in the file's order.
 */
export class TensorDigests {
  readonly #dataStart: number;
  readonly #tensors: readonly Tensor[];
  readonly #digests: (Sha256 | undefined)[];
  /** Places in `#tensors` of the next small and the next large one. */
  #small = 0;
  #large = 0;
  #chunks: Hash = startHash();

  constructor({ headerBytes, tensors }: SafetensorsHeader) {
    this.#dataStart = headerBytes;
    this.#tensors = tensors;
    this.#digests = new Array<Sha256 | undefined>(tensors.length);
  }

  /** A chunk's bytes, which begin at `offset` in the file: small tensors lie in one chunk whole. */
  addBytes(bytes: Uint8Array, offset: number): void {
    const start = this.#dataStart - offset;
    for (; this.#small < this.#tensors.length; this.#small++) {
      const { begin, end } = this.#tensors[this.#small]!;
      if (end - begin >= ownChunkBytes) continue;
      if (start + begin < 0 || start + end > bytes.length) return;
      this.#digests[this.#small] = sha256(bytes.subarray(start + begin, start + end));
    }
  }

  /** A chunk of the index, which begins at `offset` in the file. */
  addChunk(offset: number, digest: Sha256): void {
    for (; this.#large < this.#tensors.length; this.#large++) {
      const { begin, end } = this.#tensors[this.#large]!;
      if (end - begin < ownChunkBytes) continue;
      if (offset < this.#dataStart + begin) return;
      if (offset < this.#dataStart + end) {
        this.#chunks.update(digest, 'hex');
        return;
      }
      this.#endLarge();
    }
  }

  finish(): readonly PackedTensor[] {
    if (this.#large < this.#tensors.length) this.#endLarge();
    return this.#tensors.map(({ name, dtype, shape }, place) => ({
      name,
      dtype,
      shape,
      sha256: this.#digests[place]!,
    }));
  }

  #endLarge(): void {
    this.#digests[this.#large] = this.#chunks.digest('hex');
    this.#chunks = startHash();
  }
}
