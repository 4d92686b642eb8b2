import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type ArchiveFormat, type ChunkTuple, structure } from '../contract/chunk-index.ts';
import { limits } from '../contract/limits.ts';
import { freeBuffer } from '../core/free-buffers.ts';
import type { Sha256 } from '../core/hashing.ts';
import { sha256 } from '../core/hashing.ts';
import type { WriteEncoded } from './chunk-encodings.ts';
import { encodeChunk } from './encode.ts';
import { gzipHeader, gzipTrailer } from './gzip-member.ts';

/** A chunk on its way into the archive. */
interface Pending {
  readonly chunk: Uint8Array;
  readonly fileNumber: number;
  readonly fileOffset: number;
  readonly encoded: Promise<readonly Uint8Array[]>;
  /** The same chunk for the model's encodings, where it is one of theirs. */
  readonly alsoEncoded: Promise<WriteEncoded> | undefined;
  readonly release: (() => void) | undefined;
}

/**
 * Writes chunks to an archive in the order in which they are added, hashing as it goes, while up to
 * `parallel` of them are being compressed in Node's thread pool. Structure is gathered, so that
 * what neighbours is one chunk.
 */
export class ChunkWriter {
  readonly #handle: FileHandle;
  readonly #format: ArchiveFormat;
  readonly #parallel: number;
  readonly #pending: Pending[] = [];
  readonly #tuples: ChunkTuple[] = [];
  readonly #archiveHash = createHash('sha256');
  #structureParts: Uint8Array[] = [];
  #written = 0;
  #contentBytes = 0;
  #contentCrc = 0;

  constructor(handle: FileHandle, format: ArchiveFormat, parallel: number) {
    this.#handle = handle;
    this.#format = format;
    this.#parallel = parallel;
  }

  start(): void {
    if (this.#format === 'tar.gz') this.#write(gzipHeader);
  }

  /**
   * Adds tar structure; it is written with its neighbours when a file's bytes or the end follow.
   */
  addStructure(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#structureParts.push(bytes);
  }

  /**
   * Adds one chunk of a file. `chunk` belongs to the writer until it calls `release`; `encode`
   * begins to encode it for the model's encodings.
   */
  async addFileChunk(
    chunk: Uint8Array,
    fileNumber: number,
    fileOffset: number,
    more: { readonly release?: () => void; readonly encode?: (() => Promise<WriteEncoded>) | undefined } = {},
  ): Promise<void> {
    await this.#flushStructure();
    await this.#add(chunk, fileNumber, fileOffset, more);
  }

  /** Writes what is still on its way and the format's end. */
  async finish(): Promise<{
    readonly chunks: readonly ChunkTuple[];
    readonly sizeBytes: number;
    readonly sha256: Sha256;
  }> {
    await this.#flushStructure();
    while (this.#pending.length > 0) await this.#writeOldest();
    if (this.#format === 'tar.gz') this.#write(gzipTrailer(this.#contentCrc, this.#contentBytes));
    return { chunks: this.#tuples, sizeBytes: this.#written, sha256: this.#archiveHash.digest('hex') };
  }

  /** After a failure: waits until nothing uses the chunks any more. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#pending.flatMap(({ encoded, alsoEncoded }) => [encoded, alsoEncoded]));
  }

  async #flushStructure(): Promise<void> {
    const bytes = Buffer.concat(this.#structureParts);
    this.#structureParts = [];
    for (let start = 0; start < bytes.length; start += limits.chunkBytes) {
      await this.#add(bytes.subarray(start, start + limits.chunkBytes), structure, 0);
    }
  }

  async #add(
    chunk: Uint8Array,
    fileNumber: number,
    fileOffset: number,
    { release, encode }: Parameters<ChunkWriter['addFileChunk']>[3] = {},
  ): Promise<void> {
    while (this.#pending.length >= this.#parallel) await this.#writeOldest();
    const encoded = encodeChunk(this.#format, chunk);
    const alsoEncoded = encode?.();
    // A failure is seen when the chunk's turn comes.
    encoded.catch(() => {});
    alsoEncoded?.catch(() => {});
    this.#pending.push({ chunk, fileNumber, fileOffset, encoded, alsoEncoded, release });
    this.#contentBytes += chunk.length;
    if (this.#format === 'tar.gz') this.#contentCrc = crc32(chunk, this.#contentCrc);
  }

  async #writeOldest(): Promise<void> {
    const oldest = this.#pending[0];
    if (oldest === undefined) return;
    const { chunk, fileNumber, fileOffset, release } = oldest;
    const digest = sha256(chunk);
    const pieces = await oldest.encoded;
    const writeEncoded = await oldest.alsoEncoded;
    this.#pending.shift();
    const archiveOffset = this.#written;
    for (const piece of pieces) this.#write(piece);
    // Only now, since pieces may share a buffer.
    for (const piece of pieces) if (piece.buffer !== chunk.buffer) freeBuffer(piece);
    const archiveLength = this.#written - archiveOffset;
    writeEncoded?.({ number: this.#tuples.length, archiveLength, sha256: digest });
    this.#tuples.push([archiveOffset, archiveLength, fileNumber, fileOffset, chunk.length, digest]);
    release?.();
  }

  /**
   * Synchronous on purpose: a hop through the thread pool would wait there behind whole chunks
   * being compressed, and the pool runs dry meanwhile. The pool has work for longer than a write of
   * 1 MiB takes.
   */
  #write(bytes: Uint8Array): void {
    this.#archiveHash.update(bytes);
    this.#written += bytes.length;
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#handle.fd, bytes, done, bytes.length - done);
  }
}
