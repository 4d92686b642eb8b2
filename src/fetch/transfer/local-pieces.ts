import { open } from 'node:fs/promises';
import { mapConcurrently } from '../../core/concurrency.ts';
import { readFully } from '../../core/files.ts';
import type { FileStore } from './file-store.ts';
import type { Landing } from './landing.ts';
import { OpenFiles } from './open-files.ts';
import { isChunk, type Piece } from './piece.ts';
import type { ChunkCopy } from './types.ts';

/** Reads of chunks at once. */
const parallelReads = 3;
const maxSources = 32;

export interface LocalWork {
  readonly pieces: readonly Piece[];
  /** Chunks said to be in their place already. */
  readonly staged: ReadonlySet<number>;
  readonly copies: ReadonlyMap<number, ChunkCopy>;
  readonly store: Pick<FileStore, 'read'>;
  readonly landing: Pick<Landing, 'write'>;
  readonly signal?: AbortSignal | undefined;
  /** A piece is done; `inPlace`: chunks whose bytes were there already. */
  readonly onDone: (piece: Piece, from: 'staged' | 'copy', inPlace: ReadonlySet<number>) => void;
  /** Nothing on this machine has it, whatever was said. */
  readonly onMissing: (piece: Piece) => void;
}

/** Checks what is in place, and copies what an installed version has: by the chunks' digests alone. */
export async function landLocalPieces(work: LocalWork): Promise<void> {
  const sources = new OpenFiles<string>(maxSources);
  try {
    await mapConcurrently(work.pieces, parallelReads, async (piece) => {
      work.signal?.throwIfAborted();
      const inPlace = new Set<number>();
      let right: Uint8Array | undefined;
      for (const { chunk, file, offset } of piece.places) {
        if (!work.staged.has(chunk)) continue;
        const found = await work.store.read(file, piece.length, offset);
        if (!isChunk(piece, found)) continue;
        inPlace.add(chunk);
        right = found;
      }
      if (right !== undefined) {
        await work.landing.write(piece, right, inPlace);
        work.onDone(piece, 'staged', inPlace);
        return;
      }
      const copy = work.copies.get(piece.places[0].chunk);
      const found =
        copy &&
        (await sources
          .use(
            copy.file,
            () => open(copy.file, 'r'),
            (handle) => readFully(handle, piece.length, copy.offset),
          )
          // Whatever can't be read isn't there.
          .catch(() => undefined));
      if (found === undefined || !isChunk(piece, found)) {
        work.onMissing(piece);
        return;
      }
      await work.landing.write(piece, found);
      work.onDone(piece, 'copy', inPlace);
    });
  } finally {
    await sources.close();
  }
}
