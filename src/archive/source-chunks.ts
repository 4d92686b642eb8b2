import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { limits } from '../contract/limits.ts';
import { type AircherError, invalidError } from '../core/errors.ts';
import type { Sha256 } from '../core/hashing.ts';
import { cutFile, type TensorLayout } from './cut.ts';
import { TensorDigests } from './tensor-digests.ts';

/** A file that goes into an archive. */
export interface SourceFile {
  /** In the archive, below the top directory, `/`-separated. */
  readonly path: string;
  readonly absolutePath: string;
  readonly sizeBytes: number;
}

/** Buffers of one chunk each, used again and again. */
export class BufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(limits.chunkBytes);
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

export interface SourceChunk {
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Call when nothing uses `bytes` any more. */
  readonly release: () => void;
}

export interface ReadSource {
  /** Of the whole file. */
  readonly sha256: Sha256;
  /** Undefined for a file without tensors. */
  readonly tensors: TensorDigests | undefined;
}

/**
 * Reads a file once, from front to back, cut into its chunks; returns the sha256 of all of it.
 * Throws AircherError `invalid` where the file is not, or no longer, what `file` says.
 */
export async function* readSourceChunks(
  file: SourceFile,
  layout: TensorLayout | undefined,
  pool: BufferPool,
): AsyncGenerator<SourceChunk, ReadSource> {
  const handle = await open(file.absolutePath);
  try {
    const before = await handle.stat();
    if (!before.isFile()) throw invalidError(`${file.absolutePath} is not a regular file`);
    if (before.size !== file.sizeBytes) throw changed(file, `has ${before.size} bytes instead of ${file.sizeBytes}`);
    const tensors = layout === undefined ? undefined : new TensorDigests(layout.ranges);
    const hash = createHash('sha256');
    let offset = 0;
    for (const length of cutFile(file.sizeBytes, layout)) {
      const buffer = pool.take();
      fill(handle, buffer, length, offset, file);
      const bytes = buffer.subarray(0, length);
      hash.update(bytes);
      tensors?.addBytes(bytes, offset);
      yield { bytes, offset, release: () => pool.give(buffer) };
      offset += length;
    }
    const after = await handle.stat();
    if (after.size !== before.size) throw changed(file, `grew or shrank to ${after.size} bytes while it was read`);
    if (after.mtimeMs !== before.mtimeMs) throw changed(file, 'was written to while it was read');
    return { sha256: hash.digest('hex'), tensors };
  } finally {
    await handle.close();
  }
}

/**
 * Synchronous for the reason that `ChunkWriter` gives: the thread pool belongs to the compression.
 */
function fill(handle: FileHandle, buffer: Buffer, length: number, position: number, file: SourceFile): void {
  for (let filled = 0; filled < length; ) {
    const bytesRead = readSync(handle.fd, buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) throw changed(file, `ended after ${position + filled} of ${file.sizeBytes} bytes`);
    filled += bytesRead;
  }
}

function changed(file: SourceFile, fact: string): AircherError {
  return invalidError(`${file.absolutePath} ${fact}`, 'Let whatever writes to it finish, then run the command again.');
}
