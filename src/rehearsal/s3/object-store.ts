import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a server keeps of bytes: where they are, and their digests. */
export interface StoredBytes {
  readonly path: string;
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha256: string;
}

export interface StoredObject extends Omit<StoredBytes, 'md5' | 'sha256'> {
  /** With its quotes. */
  readonly etag: string;
  /** `content-type`, `cache-control`, `x-amz-meta-…`. */
  readonly headers: Readonly<Record<string, string>>;
  /** As x-amz-checksum-sha256 tells it, where the writer sent one. */
  readonly checksum: string | undefined;
}

/**
 * Objects as files below `<directory>/<bucket>`, so that a web server can show them, and so that
 * what others put there is an object too: one that says nothing of itself.
 */
export class ObjectStore {
  private readonly known = new Map<string, StoredObject>();
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Bytes as they arrive, under no name yet. */
  async receive(bytes: AsyncIterable<Buffer>): Promise<StoredBytes> {
    const path = join(this.directory, '.received', randomUUID());
    await mkdir(dirname(path), { recursive: true });
    const [md5, sha256] = [createHash('md5'), createHash('sha256')];
    let sizeBytes = 0;
    const counted = async function* () {
      for await (const piece of bytes) {
        md5.update(piece);
        sha256.update(piece);
        sizeBytes += piece.length;
        yield piece;
      }
    };
    await pipeline(Readable.from(counted()), createWriteStream(path));
    return { path, sizeBytes, md5: md5.digest('hex'), sha256: sha256.digest('base64') };
  }

  /** Puts received bytes under a name. */
  async put(bucket: string, key: string, object: StoredObject): Promise<void> {
    const path = this.pathOf(bucket, key);
    await mkdir(dirname(path), { recursive: true });
    await rename(object.path, path);
    this.known.set(path, { ...object, path });
  }

  async find(bucket: string, key: string): Promise<StoredObject | undefined> {
    const path = this.pathOf(bucket, key);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return undefined;
    const known = this.known.get(path);
    if (known?.sizeBytes === found.size) return known;
    const etag = `"${createHash('md5')
      .update(await readFile(path))
      .digest('hex')}"`;
    return { path, sizeBytes: found.size, etag, headers: {}, checksum: undefined };
  }

  /** All keys, sorted. */
  async keys(bucket: string): Promise<readonly string[]> {
    const root = join(this.directory, bucket);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
  }

  async discard(bytes: Pick<StoredBytes, 'path'>): Promise<void> {
    await rm(bytes.path, { force: true });
  }

  private pathOf(bucket: string, key: string): string {
    return join(this.directory, bucket, key);
  }
}
