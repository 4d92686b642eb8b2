import type { Transform } from 'node:stream';
import type { ArchiveFormat } from '../contract/chunk-index.ts';
import { builtins } from '../core/builtins.ts';
import { type AircherError, integrityError, reasonOf } from '../core/errors.ts';
import { ByteReader } from './byte-reader.ts';
import { findZstdFrame, zstdFrame } from './zstd-frames.ts';

const batchBytes = 1024 * 1024;

/**
 * The tar stream inside an archive of the given format, all gzip members or zstd frames of it.
 * Throws AircherError `integrity` for damaged data and where it would be more than `maxBytes`;
 * errors of `source` come through as they are.
 */
export async function* decompress(
  format: ArchiveFormat,
  source: AsyncIterable<Uint8Array>,
  options: { readonly maxBytes: number; readonly portableZstd?: boolean },
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of decoded(
    format,
    source,
    options.portableZstd ?? !('createZstdDecompress' in builtins.zlib),
  )) {
    bytes += piece.length;
    if (bytes > options.maxBytes) {
      throw integrityError(`the archive unpacks to more than the ${options.maxBytes} bytes expected`);
    }
    yield piece;
  }
}

function decoded(
  format: ArchiveFormat,
  source: AsyncIterable<Uint8Array>,
  portableZstd: boolean,
): AsyncIterable<Uint8Array> {
  if (format === 'tar') return source;
  if (format === 'tar.gz') return through(source, builtins.zlib.createGunzip());
  return unzstd(source, portableZstd);
}

/**
 * Frame by frame, because Node's own decoder stops after the first one in some versions, without an
 * error.
 */
async function* unzstd(source: AsyncIterable<Uint8Array>, portable: boolean): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source, 'the zstd data');
  try {
    while (await findZstdFrame(reader)) {
      const frame = zstdFrame(reader);
      yield* portable ? unzstdPortably(frame) : through(inBatches(frame), builtins.zlib.createZstdDecompress());
    }
  } finally {
    await reader.close();
  }
}

/**
 * Native decoders bound their output themselves, and every write costs them a hop through the
 * thread pool.
 */
async function* inBatches(units: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for await (const unit of units) {
    batch.push(unit);
    bytes += unit.length;
    if (bytes < batchBytes) continue;
    yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(batch);
}

/** For Node versions whose zlib has no zstd. */
async function* unzstdPortably(frame: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // Its tables take a moment to make, at every start of the client.
  const { Decompress } = await import('fzstd');
  let output: Uint8Array[] = [];
  const decoder = new Decompress((piece) => output.push(piece));
  const push = (unit: Uint8Array, final: boolean): Uint8Array[] => {
    try {
      decoder.push(unit, final);
    } catch (error) {
      throw damaged(error);
    }
    const pieces = output;
    output = [];
    return pieces;
  };
  for await (const unit of frame) yield* push(unit, false);
  yield* push(new Uint8Array(0), true);
}

/** `source` through a transform of zlib; tells the source's errors from the transform's. */
async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  let sourceError: { readonly error: unknown } | undefined;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      sourceError = { error };
      throw error;
    }
  };
  const { pipeline, Readable } = builtins.stream;
  // The loop below sees every error: the pipeline destroys the transform with it.
  pipeline(Readable.from(watched(), { objectMode: false }), transform, () => {});
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw sourceError === undefined ? damaged(error) : sourceError.error;
  }
}

function damaged(error: unknown): AircherError {
  return integrityError(`the archive's compressed data is damaged: ${reasonOf(error)}`, undefined, { cause: error });
}
