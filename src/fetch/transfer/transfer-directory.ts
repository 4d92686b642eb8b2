import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, removeTree } from '../../core/write-files.ts';

/** Paths in the directory of an unfinished transfer. */
export interface TransferPaths {
  /** The files of the version, as they will be installed. */
  readonly files: string;
  /** A document that the manifest names by this sha256: the index, and those of encodings. */
  readonly document: (sha256: Sha256) => string;
  /**
   * Tells which chunks have been written. A line that names the index, then a 32-bit number for
   * each chunk, in this machine's byte order.
   */
  readonly journal: string;
  /** The archive, where there is no index. */
  readonly archive: string;
}

export function pathsIn(directory: string): TransferPaths {
  return {
    files: join(directory, 'files'),
    document: (sha256) => join(directory, `${sha256}.json`),
    journal: join(directory, 'progress'),
    archive: join(directory, 'archive'),
  };
}

/**
 * The chunks that an interrupted run says it has written. They must be checked. Undefined where
 * there is no journal, or one of another index.
 */
export async function readJournal({ journal }: TransferPaths, indexSha256: Sha256): Promise<Set<number> | undefined> {
  const bytes = await readFileIfThere(journal);
  const head = Buffer.from(header(indexSha256));
  if (bytes === undefined || !bytes.subarray(0, head.length).equals(head)) return undefined;
  const numbers = bytes.subarray(head.length, bytes.length - ((bytes.length - head.length) % 4));
  return new Set(new Uint32Array(Uint8Array.from(numbers).buffer));
}

/** Notes which chunks have been written, for the next run. */
export interface Journal {
  /** Returns at once. */
  add(chunk: number): void;
  close(): Promise<void>;
}

/**
 * Starts a journal with the chunks that are there. It is written anew, since a kill may have cut
 * off its last number, and all later ones would be misread. Where no chunks are there, files of
 * another release are removed.
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
      // If the journal can't be written, a run after a kill fetches more. Nothing else is lost.
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
