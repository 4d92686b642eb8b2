import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChunkIndex, structure } from '../../contract/chunk-index.ts';
import { filePathFault } from '../../contract/names.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { hasSize, readFully } from '../../core/read-files.ts';
import { type Chunk, isChunk } from './chunk.ts';
import type { ChunkCopy, FileRecord, ReuseSource, TransferRequest } from './types.ts';

/** How many chunks are read at a time. */
const readsAtOnce = 3;
/** At most so many repositories, and snapshots of each, are looked into in a Hugging Face cache. */
const mostEntries = 2000;

/**
 * Where on this machine each chunk may be copied from, by the number of the chunk's first place.
 * Nothing is read here; the bytes are checked when they are copied.
 */
export async function findCopies(
  request: TransferRequest,
  index: ChunkIndex,
  chunks: readonly Chunk[],
): Promise<ReadonlyMap<number, readonly ChunkCopy[]>> {
  const copies = new Map<number, ChunkCopy[]>();
  const sources = request.reuse.map(copiesOf);
  for (const chunk of chunks) {
    const found = sources.flatMap((source) => source(chunk, index) ?? []);
    if (found.length > 0) copies.set(chunk.places[0].chunk, found);
  }
  if (request.huggingFaceCache === undefined || copies.size === chunks.length) return copies;
  const missing = chunks.filter((chunk) => !copies.has(chunk.places[0].chunk));
  const numbers = new Set(missing.map((chunk) => chunk.places[0].file));
  const wanted = index.files.filter((_, number) => numbers.has(number));
  const cached = await findInHuggingFaceCache(request.huggingFaceCache, request.model, wanted);
  for (const { places } of missing) {
    const [{ chunk, file, offset }] = places;
    const path = cached.get(index.files[file]?.path ?? '');
    if (path !== undefined) copies.set(chunk, [{ file: path, offset }]);
  }
  return copies;
}

/**
 * Looks chunks up in one installed version: by their digest where that version's index is known,
 * else in a file that has the same sha256 as the wanted one.
 */
function copiesOf(source: ReuseSource): (chunk: Chunk, index: ChunkIndex) => ChunkCopy | undefined {
  const chunks = chunkCopies(source);
  const safe = source.files.filter(({ path }) => filePathFault(path) === undefined);
  const files = new Map(safe.map((file) => [file.sha256, file]));
  return (chunk, index) => {
    const [{ file, offset }] = chunk.places;
    const same = files.get(index.files[file]?.sha256 ?? '');
    return (
      chunks.get(`${chunk.sha256} ${chunk.length}`) ?? (same && { file: join(source.directory, same.path), offset })
    );
  };
}

/** The chunks of an installed version by sha256 and length, where its index is known. */
export function chunkCopies(source: ReuseSource): ReadonlyMap<string, ChunkCopy> {
  const chunks = new Map<string, ChunkCopy>();
  const there = new Set(source.files.map(({ path }) => path));
  for (const [, , file, offset, length, sha256] of source.index?.chunks ?? []) {
    const path = source.index?.files[file]?.path;
    if (file !== structure && path !== undefined && there.has(path))
      chunks.set(`${sha256} ${length}`, { file: join(source.directory, path), offset });
  }
  return chunks;
}

/**
 * Files of a Hugging Face cache that may be the wanted ones, by the wanted file's path. The layout
 * is huggingface_hub's: `hub/models--<org>--<name>/{blobs,snapshots/<revision>}`. Blobs of LFS
 * files are named by their sha256; other files are found by name and size.
 */
async function findInHuggingFaceCache(
  cache: string,
  model: string,
  files: readonly FileRecord[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const look = async (file: FileRecord, ...candidates: readonly string[]): Promise<void> => {
    for (const path of candidates)
      if (!found.has(file.path) && (await hasSize(path, file.size_bytes))) found.set(file.path, path);
  };
  const repositories = (await list(cache)).filter((name) => name.startsWith('models--'));
  for (const repository of repositories.slice(0, mostEntries)) {
    const directory = join(cache, repository);
    for (const file of files) await look(file, join(directory, 'blobs', file.sha256));
    for (const revision of (await list(join(directory, 'snapshots'))).slice(0, mostEntries)) {
      if (found.size === files.length) return found;
      const snapshot = join(directory, 'snapshots', revision);
      for (const file of files) await look(file, join(snapshot, file.path), join(snapshot, model, file.path));
    }
  }
  return found;
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).then(
    (names) => names.sort(),
    // It is another program's cache. If it can't be read, it is just of no use.
    () => [],
  );
}

export interface LocalWork {
  readonly chunks: readonly Chunk[];
  /** Places that an interrupted run says it has written, and how to read them. */
  readonly staged: ReadonlySet<number>;
  readonly readStaged: (file: number, length: number, offset: number) => Promise<Buffer>;
  readonly copies: ReadonlyMap<number, readonly ChunkCopy[]>;
  readonly signal: AbortSignal | undefined;
  /** Writes a chunk's bytes, which have been checked. `inPlace`: places that hold them already. */
  readonly store: (chunk: Chunk, bytes: Uint8Array, inPlace: ReadonlySet<number>) => Promise<void>;
  /** No place on this machine has the chunk, though some were said to. */
  readonly onMissing: (chunk: Chunk) => void;
}

/**
 * Finds chunks on this machine: checks what an interrupted run has written, and copies from
 * installed versions. Only a chunk's digest decides whether bytes are right.
 */
export async function takeLocalChunks(work: LocalWork): Promise<void> {
  await mapConcurrently(work.chunks, readsAtOnce, async (chunk) => {
    work.signal?.throwIfAborted();
    const inPlace = new Set<number>();
    let right: Uint8Array | undefined;
    for (const { chunk: place, file, offset } of chunk.places) {
      if (!work.staged.has(place)) continue;
      const found = await work.readStaged(file, chunk.length, offset);
      if (!isChunk(chunk, found)) continue;
      inPlace.add(place);
      right = found;
    }
    for (const copy of work.copies.get(chunk.places[0].chunk) ?? []) right ??= await readCopy(chunk, copy);
    if (right) await work.store(chunk, right, inPlace);
    else work.onMissing(chunk);
  });
}

/** A copy's bytes. Undefined where it can't be read or isn't the chunk. */
export async function readCopy(
  chunk: Pick<Chunk, 'sha256' | 'length'>,
  { file, offset }: ChunkCopy,
): Promise<Uint8Array | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  const bytes = await readFully(handle, chunk.length, offset).catch(() => Buffer.alloc(0));
  await handle.close();
  return isChunk(chunk, bytes) ? bytes : undefined;
}
