import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { decodeChunk } from '../archive/decode.ts';
import { type ChunkIndex, parseChunkIndex } from '../contract/chunk-index.ts';
import { AircherError, type Problem, systemErrorCode } from '../core/errors.ts';
import { sha256 } from '../core/hashing.ts';
import { readFully } from '../core/read-files.ts';
import type { ReleaseFile } from './target.ts';

/** Bytes of a file from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const pieceBytes = 256 * 1024;

/**
 * The bytes of a release's file, in order, in bounded memory: read from disk, or decoded from the
 * archive's chunks. Opens the file afresh at each call, and closes it at the end or when the reader
 * stops. Throws `integrity` where the file on disk is not the one the release was made of: another
 * size, or a chunk with another digest.
 */
export async function* readContent(file: ReleaseFile, range?: ByteRange): AsyncGenerator<Uint8Array> {
  const { start, end } = range ?? { start: 0, end: file.sizeBytes };
  if (start < 0 || end > file.sizeBytes || start > end) {
    throw new RangeError(`${file.name}: bytes ${start} to ${end} of ${file.sizeBytes}`);
  }
  yield* file.content.kind === 'file'
    ? readPlain(file, file.content.path, { start, end })
    : readArchived(file, file.content, { start, end });
}

/** All bytes, or those of the range, as one buffer. For small files. */
export async function readContentWhole(file: ReleaseFile, range?: ByteRange): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readContent(file, range)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/**
 * git's name of the content: sha1 of `blob <size>\0` and the bytes. It is what the Hub reports of
 * ordinary files.
 */
export async function gitBlobId(file: ReleaseFile): Promise<string> {
  const hash = createHash('sha1').update(`blob ${file.sizeBytes}\0`);
  for await (const piece of readContent(file)) hash.update(piece);
  return hash.digest('hex');
}

export function gitBlobIdOf(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/**
 * Files that can't be sent because they are missing here or have another size than planned. Reads
 * no content.
 */
export async function contentProblems(files: readonly ReleaseFile[]): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const checked = new Set<string>();
  const check = async (path: string, sizeBytes: number | undefined): Promise<void> => {
    if (checked.has(path)) return;
    checked.add(path);
    const found = await sizeOf(path);
    if (found === sizeBytes || (found !== undefined && sizeBytes === undefined)) return;
    problems.push({
      level: 'error',
      file: path,
      message: found === undefined ? 'is missing' : `has ${found} bytes instead of ${sizeBytes}`,
      hint: 'Pack again, then publish.',
    });
  };
  for (const { content, sizeBytes } of files) {
    if (content.kind === 'file') await check(content.path, sizeBytes);
    else {
      await check(content.archive, undefined);
      await check(content.index, undefined);
    }
  }
  return problems;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

async function* readPlain(file: ReleaseFile, path: string, range: ByteRange): AsyncGenerator<Uint8Array> {
  const handle = await openSource(path);
  try {
    const { size } = await handle.stat();
    if (size !== file.sizeBytes) throw changed(path, `has ${size} bytes instead of ${file.sizeBytes}`);
    for (let at = range.start; at < range.end; ) {
      const piece = await readFully(handle, Math.min(pieceBytes, range.end - at), at);
      if (piece.length === 0) throw changed(path, `ends at byte ${at}`);
      at += piece.length;
      yield piece;
    }
  } finally {
    await handle.close();
  }
}

async function* readArchived(
  file: ReleaseFile,
  content: { readonly archive: string; readonly index: string; readonly path: string },
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const index = parseChunkIndex(await readSource(content.index), { file: content.index });
  const number = fileNumber(index, content.path, content.index);
  const { size_bytes: sizeBytes } = index.files[number]!;
  if (sizeBytes !== file.sizeBytes) {
    throw changed(content.index, `says that ${content.path} has ${sizeBytes} bytes instead of ${file.sizeBytes}`);
  }
  const handle = await openSource(content.archive);
  try {
    for (const [archiveOffset, archiveLength, chunkFile, fileOffset, length, digest] of index.chunks) {
      if (chunkFile !== number || fileOffset + length <= range.start || fileOffset >= range.end) continue;
      const slice = await readFully(handle, archiveLength, archiveOffset);
      const chunk = await decodeChunk(index.archive.format, slice, length);
      if (sha256(chunk) !== digest) throw changed(content.archive, `is damaged at byte ${archiveOffset}`);
      yield chunk.subarray(Math.max(0, range.start - fileOffset), Math.min(length, range.end - fileOffset));
    }
  } finally {
    await handle.close();
  }
}

function fileNumber(index: ChunkIndex, path: string, indexPath: string): number {
  const number = index.files.findIndex((entry) => entry.path === path);
  if (number === -1) throw changed(indexPath, `has no file ${path}`);
  return number;
}

async function openSource(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY).catch((error: unknown) => {
    throw missing(path, error);
  });
}

async function readSource(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw missing(path, error);
  });
}

function missing(path: string, error: unknown): unknown {
  return systemErrorCode(error) === 'ENOENT' ? changed(path, 'is missing', error) : error;
}

function changed(path: string, fact: string, cause?: unknown): AircherError {
  return new AircherError('integrity', `${path}: ${fact}`, {
    hint: 'It was changed after it was packed. Pack again, then publish.',
    ...(cause === undefined ? {} : { cause }),
  });
}
