import { gzipHeader, gzipTrailer, joinCrc32 } from '../../archive/gzip-member.ts';
import { type ChunkIndex, gzipHeaderBytes, gzipTrailerBytes, structure } from '../../contract/chunk-index.ts';
import { builtins } from '../../core/builtins.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { type Piece, piecesOf } from './piece.ts';

/**
 * What of an archive is no file's: tar structure, gzip's header and trailer. A first installation reads it too, so that an
 * altered archive is refused whichever byte it is. It is kept in the staging directory as one more file, and goes on after an
 * interruption as files do.
 */
export class Frame {
  /** In archive order. */
  readonly pieces: readonly Piece[];
  /** The file of the staging directory that they are written to; its sha256 is nowhere declared. */
  readonly file: { readonly path: string; readonly size_bytes: number; readonly sha256: undefined };
  readonly #index: ChunkIndex;
  readonly #crcs = new Map<number, number>();
  #trailer: Sha256 | undefined;

  constructor(index: ChunkIndex) {
    const number = index.files.length;
    let offset = 0;
    const chunks = index.chunks.map((tuple) => {
      const [at, archiveLength, file, , length, digest] = tuple;
      if (file !== structure) return [at, archiveLength, structure, 0, length, digest] as const;
      offset += length;
      return [at, archiveLength, number, offset - length, length, digest] as const;
    });
    const pieces = piecesOf({ ...index, chunks }).map((piece): Piece => ({ ...piece, frame: true }));
    if (index.archive.format === 'tar.gz') {
      const header = plainPiece(chunks.length, number, offset, 0, gzipHeaderBytes, sha256(gzipHeader));
      offset += gzipHeaderBytes;
      const end = index.archive.size_bytes - gzipTrailerBytes;
      const trailer = plainPiece(chunks.length + 1, number, offset, end, gzipTrailerBytes, undefined);
      offset += gzipTrailerBytes;
      pieces.unshift(header);
      pieces.push(trailer);
    }
    this.pieces = pieces;
    this.file = { path: '../structure', size_bytes: offset, sha256: undefined };
    this.#index = index;
  }

  /** Every chunk that is right goes by here: gzip's trailer has the CRC-32 of them all. */
  note(piece: Piece, bytes: Uint8Array): void {
    if (this.#index.archive.format !== 'tar.gz') return;
    if (piece.sha256 === undefined) this.#trailer = sha256(bytes);
    else if (!piece.plain) {
      const crc = builtins.zlib.crc32(bytes);
      for (const { chunk } of piece.places) this.#crcs.set(chunk, crc);
    }
  }

  /** When all is there: the trailer as it must be, to be fetched again, if what came is another one. */
  wrongTrailer(): Piece | undefined {
    const { chunks } = this.#index;
    if (this.#trailer === undefined || this.#crcs.size < chunks.length) return undefined;
    let crc = 0;
    let bytes = 0;
    for (const [chunk, [, , , , length]] of chunks.entries()) {
      crc = joinCrc32(crc, this.#crcs.get(chunk)!, length);
      bytes += length;
    }
    const right = sha256(gzipTrailer(crc, bytes));
    const piece = this.pieces.at(-1)!;
    return right === this.#trailer ? undefined : { ...piece, sha256: right, state: 'open', wrong: new Map() };
  }
}

function plainPiece(
  chunk: number,
  file: number,
  offset: number,
  archiveOffset: number,
  length: number,
  digest: Sha256 | undefined,
): Piece {
  return {
    sha256: digest,
    length,
    archiveOffset,
    archiveLength: length,
    plain: true,
    frame: true,
    places: [{ chunk, file, offset }],
    state: 'open',
    wrong: new Map(),
  };
}
