import type { FileHandle } from 'node:fs/promises';

interface Open {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/** Open files by a key, at most `limit` of them while that many aren't in use at once; the one used longest ago is closed first. */
export class OpenFiles<Key> {
  readonly #limit: number;
  /** The one used last is last. */
  readonly #files = new Map<Key, Open>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  async use<T>(key: Key, open: () => Promise<FileHandle>, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const file = this.#files.get(key) ?? { handle: open(), users: 0 };
    this.#files.delete(key);
    this.#files.set(key, file);
    file.users++;
    try {
      const handle = await file.handle;
      await this.#makeRoom();
      return await work(handle);
    } finally {
      file.users--;
    }
  }

  async release(key: Key): Promise<void> {
    const file = this.#files.get(key);
    this.#files.delete(key);
    await (await file?.handle.catch(() => undefined))?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.keys()].map((key) => this.release(key)));
  }

  async #makeRoom(): Promise<void> {
    if (this.#files.size <= this.#limit) return;
    for (const [key, { users }] of this.#files) if (users === 0) return this.release(key);
  }
}
