import type { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import type { ArchiveFormat } from '../contract/chunk-index.ts';
import { machineError } from '../core/errors.ts';

/** zstd's own default. Part of the format's promise of equal bytes for one version of libzstd. */
const zstdLevel = 3;

/** Largest stored block of deflate (RFC 1951, 3.2.4). */
const maxStoredBytes = 0xffff;

/** What a full flush leaves at a byte boundary: an empty stored block. */
const fullFlush = Buffer.of(0x00, 0x00, 0x00, 0xff, 0xff);

/** Throws AircherError `machine` where this Node can't make the format. */
export function checkFormat(format: ArchiveFormat): void {
  if (format !== 'tar.zst' || 'zstdCompress' in zlib) return;
  throw machineError(
    `Node ${process.version} can't make tar.zst archives`,
    'Use Node 22.15 or newer, or another archive.format.',
  );
}

/**
 * One chunk as it stands in the archive, in pieces to be written one after the other; decodes
 * alone.
 */
export async function encodeChunk(format: ArchiveFormat, chunk: Uint8Array): Promise<readonly Uint8Array[]> {
  if (format === 'tar') return [chunk];
  if (format === 'tar.zst') return collect(zstdCompressor(chunk.length), chunk);
  const deflated = await collect(huffmanDeflater(chunk.length), chunk);
  const bytes = deflated.reduce((sum, piece) => sum + piece.length, 0);
  return bytes < storedBytes(chunk.length) ? deflated : storeBlocks(chunk);
}

/**
 * All output for one input, as it comes: joining the pieces would cost as much as a third hash of
 * them.
 */
async function collect(stream: Transform, chunk: Uint8Array): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  stream.on('data', (piece: Uint8Array) => pieces.push(piece));
  stream.end(chunk);
  await finished(stream);
  return pieces;
}

/**
 * Blocks of literals with Huffman codes and no matches, whose bytes are the same in every zlib;
 * ends in a full flush.
 */
function huffmanDeflater(length: number): Transform {
  return zlib.createDeflateRaw({
    strategy: zlib.constants.Z_HUFFMAN_ONLY,
    level: 6,
    memLevel: 8,
    finishFlush: zlib.constants.Z_FULL_FLUSH,
    chunkSize: outputBytes(length),
  });
}

/**
 * One frame with its content's size, compressed by one thread: several threads in one frame corrupt
 * it silently.
 */
function zstdCompressor(length: number): Transform {
  return zlib.createZstdCompress({
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: zstdLevel,
      [zlib.constants.ZSTD_c_contentSizeFlag]: 1,
      [zlib.constants.ZSTD_c_checksumFlag]: 0,
    },
    chunkSize: outputBytes(length),
    pledgedSrcSize: length,
  });
}

/** Room for the largest result, so that one chunk is one call into the thread pool. */
export function outputBytes(length: number): number {
  return length + Math.ceil(length / 64) + 1024;
}

function storedBytes(length: number): number {
  return length + 5 * Math.ceil(length / maxStoredBytes) + fullFlush.length;
}

/** Stored blocks, written here because zlib's depend on the size of its output buffer. */
function storeBlocks(chunk: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < chunk.length; start += maxStoredBytes) {
    const block = chunk.subarray(start, start + maxStoredBytes);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(block.length, 1);
    header.writeUInt16LE(0xffff - block.length, 3);
    pieces.push(header, block);
  }
  pieces.push(fullFlush);
  return pieces;
}
