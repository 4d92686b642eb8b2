import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Sha256 } from '../../core/hashing.ts';
import { exists, readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { HubError } from './hub-error.ts';
import type { LfsPointer } from './lfs-pointer.ts';

/** Large file storage of one repository: the Hub shares nothing between repositories. */
export interface LfsStore {
  pathOf(oid: Sha256): string;
  /** Size in bytes of a stored object; undefined where it isn't there. */
  sizeOf(oid: Sha256): Promise<number | undefined>;
  /**
   * Stores `body`; HubError 400 where it isn't `pointer.size` bytes with that sha256, and nothing
   * is kept then.
   */
  put(pointer: LfsPointer, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** Begins an upload in parts; the answer is its id. */
  begin(pointer: LfsPointer, partBytes: number): Promise<string>;
  /** Stores one part, from 1, and answers its ETag (without quotes). */
  putPart(uploadId: string, part: number, body: AsyncIterable<Uint8Array>): Promise<string>;
  /**
   * Puts the parts together: HubError 400 where one is missing, has another ETag, or the whole
   * isn't what was announced.
   */
  complete(uploadId: string, parts: readonly { readonly partNumber: number; readonly etag: string }[]): Promise<void>;
}

interface Upload extends LfsPointer {
  readonly partBytes: number;
}

export function createLfsStore(directory: string): LfsStore {
  const pathOf = (oid: Sha256): string => join(directory, 'objects', oid.slice(0, 2), oid.slice(2, 4), oid);
  const uploadDirectory = (id: string): string => join(directory, 'uploads', id);

  const readUpload = async (id: string): Promise<Upload> => {
    const text = /^[0-9a-f]{32}$/.test(id)
      ? await readFileIfThere(join(uploadDirectory(id), 'upload.json'))
      : undefined;
    if (text === undefined) throw new HubError(404, 'NoSuchUpload: the multipart upload was completed or never begun');
    return JSON.parse(text.toString()) as Upload;
  };

  const put = async (pointer: LfsPointer, body: AsyncIterable<Uint8Array>): Promise<void> => {
    const path = pathOf(pointer.oid);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
    try {
      const written = await writeHashing(temporary, body, 'sha256');
      if (written.size !== pointer.size) {
        throw new HubError(400, `IncompleteBody: ${pointer.size} bytes were announced, ${written.size} arrived`);
      }
      if (written.digest !== pointer.oid) throw new HubError(400, "BadDigest: the content's sha256 is another");
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  };

  return {
    pathOf,
    sizeOf: async (oid) => ((await exists(pathOf(oid))) ? (await stat(pathOf(oid))).size : undefined),
    put,
    begin: async (pointer, partBytes) => {
      const id = randomBytes(16).toString('hex');
      const upload: Upload = { ...pointer, partBytes };
      await writeFileAtomically(join(uploadDirectory(id), 'upload.json'), JSON.stringify(upload));
      return id;
    },
    putPart: async (id, part, body) => {
      await readUpload(id);
      const temporary = join(uploadDirectory(id), `.part-${part}-${randomBytes(6).toString('hex')}`);
      try {
        const { digest } = await writeHashing(temporary, body, 'md5');
        for (const older of await partFiles(uploadDirectory(id), part)) await rm(older, { force: true });
        await rename(temporary, join(uploadDirectory(id), `${part}.${digest}`));
        return digest;
      } finally {
        await rm(temporary, { force: true });
      }
    },
    complete: async (id, parts) => {
      const upload = await readUpload(id);
      const count = Math.ceil(upload.size / upload.partBytes);
      const files = Array.from({ length: count }, (_, index) => {
        const etag = parts.find((part) => part.partNumber === index + 1)?.etag.replaceAll('"', '');
        return etag === undefined ? undefined : join(uploadDirectory(id), `${index + 1}.${etag}`);
      });
      for (const file of files) {
        if (file === undefined || !(await exists(file))) {
          throw new HubError(400, 'InvalidPart: one or more of the parts could not be found, or had another ETag');
        }
      }
      await put(upload, concatenate(files as string[]));
      await rm(uploadDirectory(id), { recursive: true, force: true });
    },
  };
}

async function partFiles(directory: string, part: number): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith(`${part}.`)).map((name) => join(directory, name));
}

async function* concatenate(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
}

async function writeHashing(
  path: string,
  body: AsyncIterable<Uint8Array>,
  algorithm: 'sha256' | 'md5',
): Promise<{ readonly size: number; readonly digest: string }> {
  const hash = createHash(algorithm);
  const handle = await open(path, 'wx');
  let size = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const writeHeld = async (): Promise<void> => {
    if (heldBytes > 0) await handle.writeFile(Buffer.concat(held, heldBytes));
    held = [];
    heldBytes = 0;
  };
  try {
    for await (const piece of body) {
      hash.update(piece);
      size += piece.length;
      // Network pieces are small; the disk is asked less often.
      held.push(piece);
      heldBytes += piece.length;
      if (heldBytes >= 1 << 20) await writeHeld();
    }
    await writeHeld();
  } finally {
    await handle.close();
  }
  return { size, digest: hash.digest('hex') };
}
