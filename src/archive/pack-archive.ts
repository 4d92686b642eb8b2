import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { archiveName } from '../contract/artifacts.ts';
import {
  type ArchiveFormat,
  type ArchiveIdentity,
  type ChunkIndex,
  type ChunkTuple,
  formatChunkIndex,
  type IndexedFile,
  indexVersion,
} from '../contract/chunk-index.ts';
import { filePathFault, modelNameFault, pathClashes } from '../contract/names.ts';
import { type Problem, throwProblems } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import { writeAtomically, writeFileAtomically } from '../core/write-files.ts';
import { ChunkEncodings, type FinishedEncoding, type WantedEncoding } from './chunk-encodings.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { checkFormat } from './encode.ts';
import { type EncodingOptions, type MadeEncoding, makeEncodings } from './make-encodings.ts';
import { type ModelTensors, readTensors } from './model-tensors.ts';
import { BufferPool, type ReadSource, readSourceChunks, type SourceFile } from './source-chunks.ts';
import { type ArchiveEntry, encodeEntryHeader, endOfArchive, listEntries, padding } from './tar-entries.ts';
import { type PackedTensor, type TensorDigests, tensorDigest } from './tensor-digests.ts';

export type { SourceFile } from './source-chunks.ts';

/** npm's constant, 1985-10-26T08:15:00Z: the mtime where SOURCE_DATE_EPOCH says none. */
export const defaultMtimeSeconds = 499162500;

/** More chunks at once bring nothing, since hashing takes one core, and cost memory. */
const maxParallel = 16;

export interface PackOptions extends RunContext {
  /** Name of the model, which is the archive's top directory. */
  readonly model: string;
  readonly files: readonly SourceFile[];
  readonly format: ArchiveFormat;
  /** Final path of the archive; its index goes to `${output}.index.json`. */
  readonly output: string;
  readonly mtimeSeconds: number;
  /** What else is made of the chunks; default: nothing. */
  readonly encodings?: EncodingOptions;
  /** Chunks compressed at a time. */
  readonly parallel?: number;
}

export interface PackedArchive {
  readonly archive: ArchiveIdentity;
  readonly index: ChunkIndex;
  readonly indexSizeBytes: number;
  readonly indexSha256: Sha256;
  /** In archive order. */
  readonly files: readonly IndexedFile[];
  /** Tensors by the path of the file that describes them. */
  readonly tensors: ReadonlyMap<string, readonly PackedTensor[]>;
  /** Those of the wanted ones that save enough, beside the archive. */
  readonly encodings: readonly MadeEncoding[];
}

/**
 * Packs a model into a seekable archive and its chunk index: one streaming pass over each file,
 * bounded memory, the same bytes from the same input. Both appear whole or not at all, the index
 * last; an older index goes before the archive it doesn't describe appears. Throws AircherError
 * `invalid` for names that can't be packed, broken weights and files that change meanwhile.
 */
export async function packArchive(options: PackOptions): Promise<PackedArchive> {
  const { model, files, format, output } = options;
  checkInput(options);
  checkFormat(format);
  const indexPath = `${output}.index.json`;
  const entries = listEntries(model, files);
  const tensors = await readTensors(files);
  const { encodings: wanted = { planes: false, patches: [] } } = options;
  const packed = await makeEncodings(wanted, dirname(output), model, (encodings) =>
    writeAtomically(output, async (handle) => {
      const { sizeBytes, sha256, ...written } = await writeArchive(handle, entries, tensors, encodings, options);
      await rm(indexPath, { force: true });
      return { ...written, archive: { name: archiveName(model, format), format, size_bytes: sizeBytes, sha256 } };
    }),
  );
  const { archive, files: listed, chunks } = packed;
  const index = { index_version: indexVersion, archive, files: listed, chunks } as const;
  const indexBytes = Buffer.from(formatChunkIndex(index));
  await writeFileAtomically(indexPath, indexBytes);
  options.onEvent?.({ type: 'done', task: 'pack', subject: model });
  return { ...packed, index, indexSizeBytes: indexBytes.length, indexSha256: sha256(indexBytes) };
}

interface Written {
  readonly files: readonly IndexedFile[];
  readonly chunks: readonly ChunkTuple[];
  readonly tensors: ReadonlyMap<string, readonly PackedTensor[]>;
  readonly encodings: readonly FinishedEncoding[];
  readonly sizeBytes: number;
  readonly sha256: Sha256;
}

async function writeArchive(
  handle: FileHandle,
  entries: readonly ArchiveEntry<SourceFile>[],
  { described, layouts }: ModelTensors,
  wanted: readonly WantedEncoding[],
  options: PackOptions,
): Promise<Written> {
  const writer = new ChunkWriter(handle, options.format, options.parallel ?? defaultParallel(wanted.length > 0));
  const encodings = new ChunkEncodings([...described.values()].flat(), wanted);
  const pool = new BufferPool();
  const total = options.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const files: IndexedFile[] = [];
  const digests = new Map<number, TensorDigests>();
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    options.onEvent?.({ type: 'progress', task: 'pack', subject: options.model, done, total });
    options.signal?.throwIfAborted();
  };
  try {
    options.signal?.throwIfAborted();
    writer.start();
    for (const { path, file } of entries) {
      writer.addStructure(encodeEntryHeader(path, file?.sizeBytes ?? 0, options.mtimeSeconds));
      if (file === undefined) continue;
      const { sha256: digest, tensors } = await writeFile(
        writer,
        file,
        files.length,
        layouts,
        wanted.length > 0 ? encodings : undefined,
        pool,
        onBytes,
      );
      if (tensors !== undefined) digests.set(files.length, tensors);
      files.push({ path: file.path, size_bytes: file.sizeBytes, sha256: digest });
      writer.addStructure(padding(file.sizeBytes));
    }
    writer.addStructure(endOfArchive);
    const finished = await writer.finish();
    const digested = packedTensors(described, files, digests, finished.chunks);
    return { files, tensors: digested, encodings: encodings.finish(), ...finished };
  } finally {
    await writer.abandon();
  }
}

/** Large tensors have their digest from the chunks that the index lists. */
function packedTensors(
  described: ModelTensors['described'],
  files: readonly IndexedFile[],
  digests: ReadonlyMap<number, TensorDigests>,
  chunks: readonly ChunkTuple[],
): Map<string, readonly PackedTensor[]> {
  for (const [, , fileNumber, offset, , digest] of chunks) digests.get(fileNumber)?.addChunk(offset, digest);
  const made = new Map(files.map(({ path }, number) => [path, digests.get(number)?.finish()]));
  const none = tensorDigest(new Uint8Array());
  return new Map(
    [...described].map(([path, tensors]) => [
      path,
      tensors.map(({ name, dtype, shape, file, begin, end }) => ({
        ...{ name, dtype, shape },
        sha256: begin === end ? none : made.get(file)!.get(begin)!,
      })),
    ]),
  );
}

/** Hands a file's chunks to the writer; gives its digests. */
async function writeFile(
  writer: ChunkWriter,
  file: SourceFile,
  fileNumber: number,
  layouts: ModelTensors['layouts'],
  encodings: ChunkEncodings | undefined,
  pool: BufferPool,
  onBytes: (count: number) => void,
): Promise<ReadSource> {
  const chunks = readSourceChunks(file, layouts.get(file.path), pool);
  try {
    for (;;) {
      const step = await chunks.next();
      if (step.done) return step.value;
      const { bytes, offset, release } = step.value;
      const encode = encodings && (() => encodings.encode(bytes, file.path, offset));
      await writer.addFileChunk(bytes, fileNumber, offset, { release, encode });
      onBytes(bytes.length);
    }
  } finally {
    // After a failure the reader still holds the file open.
    await chunks.return({ sha256: '', tensors: undefined });
  }
}

/**
 * More than cores, so that the thread pool never runs dry while the main thread hashes and writes.
 * With encodings a chunk is several tasks for it, and takes several times its bytes.
 */
function defaultParallel(isEncoded: boolean): number {
  return Math.min(availableParallelism() + (isEncoded ? 1 : 4), maxParallel);
}

function checkInput(options: PackOptions): void {
  const { model, files, mtimeSeconds } = options;
  const problems: Problem[] = [];
  const error = (message: string, hint: string): void => void problems.push({ level: 'error', message, hint });
  const modelFault = modelNameFault(model);
  if (modelFault !== undefined) error(`${JSON.stringify(model)} ${modelFault}`, 'Rename the model.');
  for (const { path } of files) {
    const fault = filePathFault(path);
    if (fault !== undefined)
      error(`${JSON.stringify(path)} ${fault}`, 'Rename the file, or leave it out by `include`.');
  }
  for (const [one, other] of pathClashes(files.map(({ path }) => path))) {
    error(
      `${JSON.stringify(one)} and ${JSON.stringify(other)} clash`,
      'Rename one of them, or leave it out by `include`.',
    );
  }
  // The largest that a ustar header holds; SOURCE_DATE_EPOCH comes from outside.
  if (!Number.isSafeInteger(mtimeSeconds) || mtimeSeconds < 0 || mtimeSeconds > 0o77777777777) {
    error(`${mtimeSeconds} is no time for files in an archive`, 'Set SOURCE_DATE_EPOCH to whole seconds since 1970.');
  }
  throwProblems('invalid', `${model} can't be packed`, problems);
}
