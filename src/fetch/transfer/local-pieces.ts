import { type FileHandle, open } from 'node:fs/promises';
import { mapConcurrently } from '../../core/concurrency.ts';
import { readFully } from '../../core/files.ts';
import type { FileStore } from './file-store.ts';
import type { Landing } from './landing.ts';
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
  const sources = new Sources();
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
      const found = copy && (await sources.read(copy, piece.length));
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

/** Files that are copied from, kept open. Whatever can't be read isn't there. */
class Sources {
  readonly #handles = new Map<string, Promise<FileHandle | undefined>>();

  async read(copy: ChunkCopy, length: number): Promise<Buffer | undefined> {
    let handle = this.#handles.get(copy.file);
    if (handle === undefined) {
      handle = open(copy.file, 'r').catch(() => undefined);
      this.#handles.set(copy.file, handle);
      await this.#makeRoom();
    }
    const opened = await handle;
    return opened && readFully(opened, length, copy.offset).catch(() => undefined);
  }

  /** The file that was opened first is long done with: pieces come in the order of files. */
  async #makeRoom(): Promise<void> {
    const [oldest] = this.#handles.keys();
    if (oldest === undefined || this.#handles.size <= maxSources) return;
    const handle = this.#handles.get(oldest);
    this.#handles.delete(oldest);
    await (await handle)?.close();
  }

  async close(): Promise<void> {
    const all = [...this.#handles.values()];
    this.#handles.clear();
    await Promise.all(all.map(async (handle) => (await handle)?.close()));
  }
}
