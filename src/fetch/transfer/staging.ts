import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, readFileIfThere, removeTree } from '../../core/files.ts';
import type { Sha256 } from '../../core/hashing.ts';

/** What lies in the directory of a transfer under way. */
export interface Staging {
  /** The files of the version, as they will be installed. */
  readonly files: string;
  readonly index: string;
  /** Which chunks are written: a line that names the index, then one 32-bit number a chunk. */
  readonly journal: string;
  /** The archive, where there is no index. */
  readonly archive: string;
}

export function stagingOf(directory: string): Staging {
  return {
    files: join(directory, 'files'),
    index: join(directory, 'index.json'),
    journal: join(directory, 'progress'),
    archive: join(directory, 'archive'),
  };
}

/** Chunks that an interrupted run says it wrote; undefined where its journal is of another index, or none is there. A hint only. */
export async function readJournal({ journal }: Staging, indexSha256: Sha256): Promise<Set<number> | undefined> {
  const bytes = await readFileIfThere(journal);
  const head = Buffer.from(header(indexSha256));
  if (bytes === undefined || !bytes.subarray(0, head.length).equals(head)) return undefined;
  const chunks = new Set<number>();
  for (let at = head.length; at + 4 <= bytes.length; at += 4) chunks.add(bytes.readUInt32LE(at));
  return chunks;
}

/** Which chunks are written, for the next run. */
export interface Journal {
  /** Returns at once; records are written together as fast as the disk takes them. */
  add(chunk: number): void;
  close(): Promise<void>;
}

/**
 * Begins a journal with the chunks that are there. It is written anew, so that what a kill cut off doesn't shift what follows; where
 * none are there, files of another release are removed.
 */
export async function startJournal(
  { files, journal }: Staging,
  indexSha256: Sha256,
  chunks: ReadonlySet<number> | undefined,
): Promise<Journal> {
  if (chunks === undefined) {
    await rm(journal, { force: true });
    await removeTree(files);
    await makeDirectory(files);
  }
  const handle = await open(journal, 'w');
  await handle.write(Buffer.concat([Buffer.from(header(indexSha256)), records([...(chunks ?? [])])]));
  return journalOf(handle);
}

function journalOf(handle: FileHandle): Journal {
  let waiting: number[] = [];
  let writing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = records(waiting);
      waiting = [];
      // A journal that can't be written costs another fetch after a kill, nothing else.
      await handle.write(batch).catch(() => {});
    }
    writing = undefined;
  };
  return {
    add(chunk) {
      waiting.push(chunk);
      writing ??= flush();
    },
    async close() {
      await writing;
      await handle.close();
    },
  };
}

function header(indexSha256: Sha256): string {
  return `aircher progress 1 ${indexSha256}\n`;
}

function records(chunks: readonly number[]): Buffer {
  const bytes = Buffer.alloc(chunks.length * 4);
  for (const [at, chunk] of chunks.entries()) bytes.writeUInt32LE(chunk, at * 4);
  return bytes;
}
