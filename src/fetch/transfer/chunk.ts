import { type ChunkIndex, structure } from '../../contract/chunk-index.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import type { EncodedForm } from './encoding.ts';
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
  /** What encodings have of it, the shortest first, without what turned out to be wrong. */
  readonly forms: EncodedForm[];
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
        forms: [],
      });
    }
  }
  return [...chunks.values()];
}

/** Bytes to fetch for it, where nothing fails. */
export function leastBytes({ forms, archiveLength }: Chunk): number {
  return forms[0]?.length ?? archiveLength;
}

/** Whether the bytes are the chunk's. */
export function isChunk(chunk: Pick<Chunk, 'sha256' | 'length'>, bytes: Uint8Array): boolean {
  return bytes.length === chunk.length && sha256(bytes) === chunk.sha256;
}
