import { integrityError } from '../../core/errors.ts';
import { startHash } from '../../core/hashing.ts';
import type { FileStore } from './file-store.ts';
import { freeLarge } from './free-large.ts';

/** Bytes, over all files, that wait in memory for what comes before them; what doesn't fit is read back later. */
const maxWaitingBytes = 8 * 1024 * 1024;

/**
 * The sha256 of whole files whose chunks land in any order: hashed from memory where a chunk continues what is hashed, or
 * follows soon; read back from the disk, once, where it came too early. Each file that is complete is compared with its digest.
 */
export class FileTrails {
  readonly #store: FileStore;
  readonly #trails: Trail[];
  #waitingBytes = 0;
  readonly #onFile: (file: number) => Promise<void>;

  /** `onFile` is called when a file's digest is right. */
  constructor(store: FileStore, onFile: (file: number) => Promise<void>) {
    this.#store = store;
    this.#onFile = onFile;
    this.#trails = store.files.map((file) => ({
      size: file.size_bytes,
      hash: startHash(),
      position: 0,
      landed: new Map(),
      advancing: false,
    }));
  }

  /**
   * A chunk that is right and written. Resolves when it, and what waited for it, is hashed. `own`: nobody else uses the bytes, so
   * that they are freed as soon as they are hashed.
   */
  async add(file: number, offset: number, bytes: Uint8Array, own: boolean): Promise<void> {
    const trail = this.#trails[file]!;
    const { length } = bytes;
    const keep = offset === trail.position || this.#waitingBytes + length <= maxWaitingBytes;
    if (keep) this.#waitingBytes += length;
    trail.landed.set(offset, { length, bytes: keep ? bytes : undefined, own });
    if (!keep && own) freeLarge(bytes);
    // Whoever fills the gap hashes on; chunks that land meanwhile are taken along.
    if (!trail.advancing && offset === trail.position) await this.#advance(file, trail);
  }

  /** Files without any byte are complete from the start. */
  async finishEmpty(): Promise<void> {
    for (const [file, trail] of this.#trails.entries()) if (trail.size === 0) await this.#complete(file, trail);
  }

  async #advance(file: number, trail: Trail): Promise<void> {
    trail.advancing = true;
    try {
      for (;;) {
        const next = trail.landed.get(trail.position);
        if (next === undefined) return;
        trail.landed.delete(trail.position);
        if (next.bytes) this.#waitingBytes -= next.length;
        const bytes = next.bytes ?? (await this.#store.read(file, next.length, trail.position));
        trail.hash.update(bytes);
        if (next.own || next.bytes === undefined) freeLarge(bytes);
        trail.position += next.length;
        if (trail.position === trail.size) {
          await this.#complete(file, trail);
          return;
        }
      }
    } finally {
      trail.advancing = false;
    }
  }

  async #complete(file: number, trail: Trail): Promise<void> {
    const found = trail.hash.digest('hex');
    const { path, sha256 } = this.#store.files[file]!;
    if (sha256 !== undefined && found !== sha256) {
      throw integrityError(
        `${path}: its sha256 is ${found} though each of its chunks is right`,
        'The release contradicts itself, or this disk gives back other bytes than were written. Tell its maintainer.',
        { details: { expected: sha256, found, path } },
      );
    }
    await this.#onFile(file);
  }
}

interface Trail {
  readonly size: number;
  readonly hash: ReturnType<typeof startHash>;
  /** Everything before it is hashed. */
  position: number;
  readonly landed: Map<
    number,
    { readonly length: number; readonly bytes: Uint8Array | undefined; readonly own: boolean }
  >;
  advancing: boolean;
}
