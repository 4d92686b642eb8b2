import { decodeChunk } from '../../archive/decode.ts';
import { type ArchiveFormat, type ChunkIndex, structure } from '../../contract/chunk-index.ts';
import { isAircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { freeLarge } from './free-large.ts';
import type { Mirror } from './mirror.ts';

/** One place in a file where a chunk's bytes belong. */
export interface Place {
  /** Its number in `index.chunks`. */
  readonly chunk: number;
  /** Its number in `index.files`. */
  readonly file: number;
  readonly offset: number;
}

/**
 * A chunk that is needed. Chunks with the same bytes are one chunk with several places: it is
 * fetched or copied once, and written to each place.
 */
export interface Chunk {
  readonly sha256: Sha256;
  readonly length: number;
  readonly archiveOffset: number;
  readonly archiveLength: number;
  /** In archive order. The chunk is fetched from the first one. */
  readonly places: readonly [Place, ...Place[]];
  /**
   * `local`: being looked for on this machine. `asked`: a worker reads it. `arrived`: it is being
   * checked and written.
   */
  state: 'local' | 'missing' | 'asked' | 'arrived' | 'done';
  /** Two workers read it (`RangeQueue.takeAgain`). */
  askedTwice: boolean;
  /** How often a mirror sent it wrong. */
  readonly wrong: Map<Mirror, number>;
}

/**
 * The chunks of the wanted files, in archive order. Headers and padding of tar are not among them:
 * files are written without them.
 */
export function chunksOf(index: ChunkIndex, paths?: ReadonlySet<string>): Chunk[] {
  const chunks = new Map<string, Chunk & { readonly places: [Place, ...Place[]] }>();
  for (const [chunk, [archiveOffset, archiveLength, file, offset, length, sha256]] of index.chunks.entries()) {
    if (file === structure || paths?.has(index.files[file]!.path) === false) continue;
    // The length is part of the key. Else an index with a false digest could give one chunk the
    // length of another.
    const key = `${sha256} ${length}`;
    const place = { chunk, file, offset };
    const known = chunks.get(key);
    if (known) known.places.push(place);
    else {
      chunks.set(key, {
        sha256,
        length,
        archiveOffset,
        archiveLength,
        places: [place],
        state: 'missing',
        askedTwice: false,
        wrong: new Map(),
      });
    }
  }
  return [...chunks.values()];
}

/** Whether the bytes are the chunk's. */
export function isChunk(chunk: Chunk, bytes: Uint8Array): boolean {
  return bytes.length === chunk.length && sha256(bytes) === chunk.sha256;
}

/**
 * The chunk's bytes, decompressed from what a mirror sent. Or what is wrong, if they aren't the
 * chunk's.
 */
export async function decodeSlice(
  chunk: Chunk,
  slice: Uint8Array,
  format: ArchiveFormat,
): Promise<Uint8Array | { readonly wrong: string }> {
  try {
    const bytes = await decodeChunk(format, slice, chunk.length);
    if (bytes.buffer !== slice.buffer) freeLarge(slice);
    return isChunk(chunk, bytes) ? bytes : { wrong: 'a chunk has another sha256 than it should' };
  } catch (error) {
    if (!isAircherError(error, 'integrity')) throw error;
    return { wrong: error.message };
  }
}
