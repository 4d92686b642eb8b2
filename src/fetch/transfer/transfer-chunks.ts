import { dirname } from 'node:path';
import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { RunContext } from '../../core/events.ts';
import { syncDirectory } from '../../core/files.ts';
import type { Http } from '../../http/http-client.ts';
import { Board } from './board.ts';
import { Conductor } from './conductor.ts';
import { checkDiskSpace } from './disk-space.ts';
import { FileStore } from './file-store.ts';
import { FileTrails } from './file-trail.ts';
import type { Frame } from './frame.ts';
import type { Journal } from './journal.ts';
import { Landing } from './landing.ts';
import { landLocalPieces } from './local-pieces.ts';
import { mirrorsOf } from './mirror.ts';
import { inArchiveOrder, type Piece, piecesOf } from './piece.ts';
import { progressOf } from './progress.ts';
import type { ChunkCopy, MirrorReport, TransferRequest } from './types.ts';

export interface ChunkTransfer {
  readonly request: Pick<TransferRequest, 'model' | 'entry' | 'mirrorOrder'>;
  readonly index: ChunkIndex;
  /** Where the files are put together. */
  readonly directory: string;
  /** Chunks that may be in place already. */
  readonly staged: ReadonlySet<number>;
  readonly copies: ReadonlyMap<number, ChunkCopy>;
  /** Where the archive is read whole; it is written beside the directory. */
  readonly frame?: Frame | undefined;
  readonly journal: Journal | undefined;
  readonly http: Http;
}

export interface ChunkResult {
  readonly bytesCopied: number;
  readonly bytesStaged: number;
  /** Places whose bytes had to be written. */
  readonly written: ReadonlySet<number>;
  readonly mirrors: readonly MirrorReport[];
}

/**
 * Puts a version's files together by chunks: checks what is in place, copies what is on this machine, fetches the rest, all at the
 * same time. When it returns, every file is whole, its sha256 checked, its data flushed. Throws `remote`, `integrity`, `machine`,
 * `interrupted`; what is done so far is in the journal.
 */
export async function transferChunks(transfer: ChunkTransfer, context: RunContext): Promise<ChunkResult> {
  const { index, directory, http, request, frame } = transfer;
  const pieces = inArchiveOrder(piecesOf(index), frame?.pieces);
  const local = pieces.filter((piece) => isLocal(piece, transfer));
  for (const piece of local) piece.state = 'local';
  await checkDiskSpace(dirname(directory), bytesToWrite(index, pieces, transfer.staged));
  const store = new FileStore(directory, [...index.files, ...(frame ? [frame.file] : [])]);
  const mirrors = mirrorsOf(request, index, http);
  try {
    await store.prepare();
    const trails = new FileTrails(store, async (file) => {
      await store.sync(file);
      await store.release(file);
    });
    await trails.finishEmpty();
    const written = new Set<number>();
    const board = new Board(pieces);
    const landing = new Landing(store, trails, transfer.journal, frame && ((piece, chunk) => frame.note(piece, chunk)));
    const progress = progressOf(request.model, pieces, context);
    const onPiece = (piece: Piece): void => {
      note(piece, written, new Set());
      progress.add(piece);
    };
    const work = { ...context, http, mirrors, landing, onPiece };
    const conductor = new Conductor({ ...work, board });
    let bytesCopied = 0;
    let bytesStaged = 0;
    const stop = new AbortController();
    const locals = landLocalPieces({
      pieces: local,
      staged: transfer.staged,
      copies: transfer.copies,
      store,
      landing,
      signal: stop.signal,
      onDone(piece, from, inPlace) {
        bytesStaged += inPlace.size * piece.length;
        if (from === 'copy') bytesCopied += piece.length * piece.places.length;
        note(piece, written, inPlace);
        board.finish(piece);
        conductor.wake();
      },
      onMissing(piece) {
        piece.state = 'open';
        progress.expect(piece);
        conductor.wake();
      },
    }).catch((error: unknown) => {
      if (!stop.signal.aborted) conductor.fail(error);
    });
    try {
      await conductor.run();
      const trailer = frame?.wrongTrailer();
      if (trailer) await new Conductor({ ...work, board: new Board([trailer]) }).run();
    } finally {
      stop.abort();
      await locals;
      progress.end();
    }
    await flushDirectories(store);
    return { bytesCopied, bytesStaged, written, mirrors: mirrors.map((mirror) => mirror.report()) };
  } finally {
    await store.close();
  }
}

function isLocal(piece: Piece, { staged, copies }: ChunkTransfer): boolean {
  return copies.has(piece.places[0].chunk) || piece.places.some((place) => staged.has(place.chunk));
}

function note(piece: Piece, written: Set<number>, inPlace: ReadonlySet<number>): void {
  for (const { chunk } of piece.places) if (!inPlace.has(chunk)) written.add(chunk);
}

function bytesToWrite(index: ChunkIndex, pieces: readonly Piece[], staged: ReadonlySet<number>): number {
  let bytes = index.files.reduce((sum, file) => sum + file.size_bytes, 0);
  for (const piece of pieces) for (const { chunk } of piece.places) if (staged.has(chunk)) bytes -= piece.length;
  return bytes;
}

async function flushDirectories(store: FileStore): Promise<void> {
  const directories = new Set([store.directory, ...store.files.map((_, file) => dirname(store.pathOf(file)))]);
  for (const directory of directories) await syncDirectory(directory);
}
