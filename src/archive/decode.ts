import type * as Zlib from 'node:zlib';
import type { ArchiveFormat } from '../contract/chunk-index.ts';
import { builtins } from '../core/builtins.ts';
import { integrityError } from '../core/errors.ts';
import { decompress } from './decompress.ts';

/** zlib takes no smaller output buffer. */
const minOutputBytes = 64;

/** What Node's callback gives with `info: true`; @types/node doesn't know it. */
interface WithEngine {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/**
 * The chunk that one slice of an archive holds, which must be exactly `length` bytes and use the
 * whole slice; never inflates more than that. Throws AircherError `integrity`. Whether the bytes
 * are the right ones is the caller's to check, by digest.
 */
export async function decodeChunk(format: ArchiveFormat, slice: Uint8Array, length: number): Promise<Uint8Array> {
  const chunk = await decodeBounded(format, slice, length);
  if (chunk.length === length) return chunk;
  throw integrityError(`a chunk holds ${chunk.length} bytes instead of ${length}`);
}

async function decodeBounded(format: ArchiveFormat, slice: Uint8Array, length: number): Promise<Uint8Array> {
  if (format === 'tar') return slice;
  const { zlib } = builtins;
  if (format === 'tar.gz') return decodeWhole(zlib.inflateRaw, slice, length);
  if ('zstdDecompress' in zlib) return decodeWhole(zlib.zstdDecompress as Decode, slice, length);
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield slice;
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress('tar.zst', source(), { maxBytes: length })) pieces.push(piece);
  return Buffer.concat(pieces);
}

type Decode = (
  input: Uint8Array,
  options: Zlib.ZlibOptions,
  callback: (error: Error | null, result: Buffer) => void,
) => void;

async function decodeWhole(decode: Decode, input: Uint8Array, length: number): Promise<Uint8Array> {
  let result: WithEngine;
  try {
    result = (await builtins.util.promisify(decode)(input, {
      info: true,
      maxOutputLength: Math.max(length, 1),
      // One output buffer, a little larger than needed, makes it one call into the thread pool.
      chunkSize: length + minOutputBytes,
      // A slice of the seekable gzip has no final block; zstd knows no other end than its frame's.
      ...(decode === builtins.zlib.inflateRaw && { finishFlush: builtins.zlib.constants.Z_SYNC_FLUSH }),
    })) as unknown as WithEngine;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw integrityError(`a chunk is damaged: ${reason}`, undefined, { cause: error });
  }
  if (result.engine.bytesWritten !== input.length) throw integrityError('a chunk ends before its slice does');
  return result.buffer;
}
