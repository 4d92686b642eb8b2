import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type ChunkIndex, structure } from '../contract/chunk-index.ts';
import type { Sha256 } from '../core/hashing.ts';
import { ContentsReader } from './chunk-contents.ts';
import { readTensors } from './model-tensors.ts';

/** An older version, from whose chunks a patch leads to those of a new one. */
export interface PatchSource {
  readonly version: string;
  /** Has its files, whose bytes are those of the index. */
  readonly directory: string;
  readonly index: ChunkIndex;
}

interface OldChunk {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly sha256: Sha256;
}

/** The chunks of an older version, found by what they hold. */
export class PatchBase {
  readonly #directory: string;
  readonly #chunks = new Map<string, OldChunk[]>();
  readonly #known = new Set<string>();
  /** Open files, by path. */
  readonly #open = new Map<string, number>();

  /**
   * Reads what its weights files say of their tensors. Throws AircherError `invalid` for broken
   * ones.
   */
  static async open({ directory, index }: PatchSource): Promise<PatchBase> {
    const files = index.files.map(({ path, size_bytes: sizeBytes }) => ({
      ...{ path, sizeBytes, absolutePath: join(directory, path) },
    }));
    const { described } = await readTensors(files);
    const tensors = [...described.values()].flat();
    const base = new PatchBase(directory);
    const readers = index.files.map(({ path }) => new ContentsReader(tensors, path));
    for (const [, , file, offset, length, sha256] of index.chunks) {
      if (file === structure) continue;
      base.#known.add(`${sha256} ${length}`);
      const contents = readers[file]!.read(offset, length);
      if (contents === undefined) continue;
      const chunk = { path: index.files[file]!.path, offset, length, sha256 };
      const same = base.#chunks.get(contents.key);
      if (same === undefined) base.#chunks.set(contents.key, [chunk]);
      else same.push(chunk);
    }
    return base;
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether the older version has a chunk of these very bytes. */
  has(sha256: Sha256, length: number): boolean {
    return this.#known.has(`${sha256} ${length}`);
  }

  /**
   * The chunk that holds the same parts of the same tensors; of several, the one in the same file.
   */
  find(key: string, path: string): OldChunk | undefined {
    const found = this.#chunks.get(key);
    return found?.find((chunk) => chunk.path === path) ?? found?.[0];
  }

  /** Synchronous for the reason that `ChunkWriter` gives. */
  read({ path, offset, length }: OldChunk): Uint8Array {
    const file = this.#open.get(path) ?? openSync(join(this.#directory, path), 'r');
    this.#open.set(path, file);
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const count = readSync(file, bytes, at, length - at, offset + at);
      if (count === 0) throw new Error(`${path} of the older version ended after ${offset + at} bytes`);
      at += count;
    }
    return bytes;
  }

  close(): void {
    for (const file of this.#open.values()) closeSync(file);
  }
}
