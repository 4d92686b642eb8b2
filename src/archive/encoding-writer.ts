import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { EncodedChunk } from '../contract/encoding-index.ts';
import type { Sha256 } from '../core/hashing.ts';

/** Writes the bodies of an encoding one behind the other, and keeps where they stand. */
export class EncodingWriter {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #chunks: EncodedChunk[] = [];
  #written = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Synchronous for the reason that `ChunkWriter` gives. */
  add(chunk: number, body: readonly Uint8Array[], oldSha256?: Sha256): void {
    const offset = this.#written;
    for (const piece of body) {
      this.#hash.update(piece);
      this.#written += piece.length;
      for (let at = 0; at < piece.length; ) at += writeSync(this.#handle.fd, piece, at, piece.length - at);
    }
    const place = [chunk, offset, this.#written - offset] as const;
    this.#chunks.push(oldSha256 === undefined ? place : [...place, oldSha256]);
  }

  finish(): { readonly size_bytes: number; readonly sha256: Sha256; readonly chunks: readonly EncodedChunk[] } {
    return { size_bytes: this.#written, sha256: this.#hash.digest('hex'), chunks: this.#chunks };
  }
}
