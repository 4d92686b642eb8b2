import { type ChunkIndex, structure } from '../../contract/chunk-index.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import type { Mirror } from './mirror.ts';

/** One place that a chunk's bytes belong to. */
export interface Place {
  /** Its number in `index.chunks`. */
  readonly chunk: number;
  /** Its number in `index.files`. */
  readonly file: number;
  readonly offset: number;
}

/** A distinct chunk: fetched or copied once, written to every place that has the same bytes. */
export interface Piece {
  /** Undefined for what can't be judged by itself: gzip's trailer. */
  readonly sha256: Sha256 | undefined;
  readonly length: number;
  readonly archiveOffset: number;
  readonly archiveLength: number;
  /** Its bytes stand in the archive as they are, whatever its format. */
  readonly plain?: true;
  /** No file needs it; see `frame.ts`. */
  readonly frame?: true;
  /** In archive order; the first one is where it is fetched from. */
  readonly places: readonly [Place, ...Place[]];
  /** `local`: being copied or checked on this machine. `taken`: arriving. `landing`: arrived, being checked and written. */
  state: 'open' | 'local' | 'taken' | 'landing' | 'done';
  /** How often a mirror sent it wrong. */
  readonly wrong: Map<Mirror, number>;
}

/** The pieces of an index's files, in archive order; tar structure is none of them, since files are written without it. */
export function piecesOf(index: ChunkIndex): Piece[] {
  const pieces = new Map<string, Piece & { readonly places: [Place, ...Place[]] }>();
  for (const [chunk, [archiveOffset, archiveLength, file, offset, length, sha256]] of index.chunks.entries()) {
    if (file === structure) continue;
    // The length is part of the identity, so that a false digest can't lend one chunk's length to another.
    const key = `${sha256} ${length}`;
    const place = { chunk, file, offset };
    const known = pieces.get(key);
    if (known) known.places.push(place);
    else
      pieces.set(key, {
        sha256,
        length,
        archiveOffset,
        archiveLength,
        places: [place],
        state: 'open',
        wrong: new Map(),
      });
  }
  return [...pieces.values()];
}

/** Both lists as one. */
export function inArchiveOrder(pieces: readonly Piece[], others: readonly Piece[] = []): readonly Piece[] {
  return [...pieces, ...others].sort((a, b) => a.archiveOffset - b.archiveOffset);
}

/** Whether the bytes are the chunk's. */
export function isChunk(piece: Piece, bytes: Uint8Array): boolean {
  return bytes.length === piece.length && (piece.sha256 === undefined || sha256(bytes) === piece.sha256);
}
