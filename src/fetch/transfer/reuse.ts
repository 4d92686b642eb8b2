import { join } from 'node:path';
import { type ChunkIndex, structure } from '../../contract/chunk-index.ts';
import { filePathFault } from '../../contract/names.ts';
import { findInHuggingFaceCache } from './hugging-face-cache.ts';
import type { Piece } from './piece.ts';
import type { ChunkCopy, FileRecord, ReuseSource, TransferRequest } from './types.ts';

/** Where pieces may be copied from on this machine, by the number of the piece's first chunk. Candidates: the bytes are checked when copied. */
export async function findCopies(
  request: TransferRequest,
  index: ChunkIndex,
  pieces: readonly Piece[],
): Promise<ReadonlyMap<number, ChunkCopy>> {
  const copies = new Map<number, ChunkCopy>();
  const sources = request.reuse.map(copiesOf);
  for (const piece of pieces) {
    for (const source of sources) {
      const copy = source(piece, index);
      if (copy === undefined) continue;
      copies.set(piece.places[0].chunk, copy);
      break;
    }
  }
  if (request.huggingFaceCache === undefined || copies.size === pieces.length) return copies;
  const missing = new Set(
    pieces.filter((piece) => !copies.has(piece.places[0].chunk)).map((piece) => piece.places[0].file),
  );
  const wanted = index.files.filter((_, number) => missing.has(number));
  const cached = await findInHuggingFaceCache(request.huggingFaceCache, request.model, wanted);
  for (const piece of pieces) {
    const [{ chunk, file, offset }] = piece.places;
    const path = cached.get(index.files[file]?.path ?? '');
    if (path !== undefined && !copies.has(chunk)) copies.set(chunk, { file: path, offset });
  }
  return copies;
}

/** Looks pieces up in one installed version: by chunk where its index is known, else by whole files of the same sha256. */
function copiesOf(source: ReuseSource): (piece: Piece, index: ChunkIndex) => ChunkCopy | undefined {
  const pathOf = (path: string): string => join(source.directory, ...path.split('/'));
  const chunks = new Map<string, ChunkCopy>();
  for (const [, , file, offset, length, sha256] of source.index?.chunks ?? []) {
    const path = source.index?.files[file]?.path;
    if (file !== structure && path !== undefined) chunks.set(`${sha256} ${length}`, { file: pathOf(path), offset });
  }
  const files = new Map(source.files.filter(isSafe).map((file) => [file.sha256, file]));
  return (piece, index) => {
    const chunk = chunks.get(`${piece.sha256} ${piece.length}`);
    if (chunk !== undefined) return chunk;
    const [{ file, offset }] = piece.places;
    const same = files.get(index.files[file]?.sha256 ?? '');
    return same === undefined ? undefined : { file: pathOf(same.path), offset };
  };
}

function isSafe(file: FileRecord): boolean {
  return filePathFault(file.path) === undefined;
}
