import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, removeTree } from '../../core/write-files.ts';

/** What lies in the directory of a transfer under way. */
export interface TransferPaths {
  /** The files of the version, as they will be installed. */
  readonly files: string;
  readonly index: string;
  /**
   * Which chunks are written: a line that names the index, then one 32-bit number a chunk, in this
   * machine's byte order.
   */
  readonly journal: string;
  /** The archive, where there is no index. */
  readonly archive: string;
}

export function pathsIn(directory: string): TransferPaths {
  return {
    files: join(directory, 'files'),
    index: join(directory, 'index.json'),
    journal: join(directory, 'progress'),
    archive: join(directory, 'archive'),
  };
}

/**
 * Chunks that an interrupted run says it wrote; undefined where its journal is of another index, or
 * none is there. A hint only.
 */
export async function readJournal({ journal }: TransferPaths, indexSha256: Sha256): Promise<Set<number> | undefined> {
  const bytes = await readFileIfThere(journal);
  const head = Buffer.from(header(indexSha256));
  if (bytes === undefined || !bytes.subarray(0, head.length).equals(head)) return undefined;
  const numbers = bytes.subarray(head.length, bytes.length - ((bytes.length - head.length) % 4));
  return new Set(new Uint32Array(Uint8Array.from(numbers).buffer));
}

/** Which chunks are written, for the next run. */
export interface Journal {
  /** Returns at once. */
  add(chunk: number): void;
  close(): Promise<void>;
}

/**
 * Begins a journal with the chunks that are there. It is written anew, so that what a kill cut off
 * doesn't shift what follows; where none are there, files of another release are removed.
 */
export async function startJournal(
  { files, journal }: TransferPaths,
  indexSha256: Sha256,
  chunks: ReadonlySet<number> | undefined,
): Promise<Journal> {
  if (chunks === undefined) {
    await rm(journal, { force: true });
    await removeTree(files);
    await makeDirectory(files);
  }
  const handle = await open(journal, 'w');
  let last: Promise<unknown> = handle.write(Buffer.concat([Buffer.from(header(indexSha256)), numbersOf(chunks ?? [])]));
  await last;
  return {
    add(chunk) {
      // A journal that can't be written costs another fetch after a kill, nothing else.
      last = last.then(() => handle.write(numbersOf([chunk]))).catch(() => {});
    },
    async close() {
      await last;
      await handle.close();
    },
  };
}

function header(indexSha256: Sha256): string {
  return `aircher progress 1 ${indexSha256}\n`;
}

function numbersOf(chunks: Iterable<number>): Uint8Array {
  return new Uint8Array(Uint32Array.from(chunks).buffer);
}
