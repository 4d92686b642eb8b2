import { type FileHandle, open } from 'node:fs/promises';
import { readFileIfThere } from '../../core/files.ts';
import type { Sha256 } from '../../core/hashing.ts';

const recordBytes = 4;

function header(indexSha256: Sha256): string {
  return `aircher progress 1 ${indexSha256}\n`;
}

/** Chunks that an interrupted run says it wrote; undefined where the journal is of another index, or none is there. A hint only. */
export async function readJournal(path: string, indexSha256: Sha256): Promise<Set<number> | undefined> {
  const bytes = await readFileIfThere(path);
  const head = Buffer.from(header(indexSha256));
  if (bytes === undefined || !bytes.subarray(0, head.length).equals(head)) return undefined;
  const chunks = new Set<number>();
  for (let at = head.length; at + recordBytes <= bytes.length; at += recordBytes) chunks.add(bytes.readUInt32LE(at));
  return chunks;
}

/**
 * Which chunks are written, for the next run: a line that names the index, then one 32-bit number a chunk. It is written anew at
 * the start, so that what a kill cut off doesn't shift what follows.
 */
export class Journal {
  readonly #handle: FileHandle;
  #waiting: number[] = [];
  #writing: Promise<void> | undefined;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async start(path: string, indexSha256: Sha256, chunks: Iterable<number>): Promise<Journal> {
    const handle = await open(path, 'w');
    const journal = new Journal(handle);
    await handle.write(Buffer.concat([Buffer.from(header(indexSha256)), records([...chunks])]));
    return journal;
  }

  /** Returns at once; records are written together as fast as the disk takes them. */
  add(chunk: number): void {
    this.#waiting.push(chunk);
    this.#writing ??= this.#flush().finally(() => {
      this.#writing = undefined;
    });
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = records(this.#waiting);
      this.#waiting = [];
      // A journal that can't be written costs another fetch after a kill, nothing else.
      await this.#handle.write(batch).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
  }
}

function records(chunks: readonly number[]): Buffer {
  const bytes = Buffer.alloc(chunks.length * recordBytes);
  for (const [at, chunk] of chunks.entries()) bytes.writeUInt32LE(chunk, at * recordBytes);
  return bytes;
}
