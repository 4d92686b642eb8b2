import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ArchiveFormat, IndexedFile } from '../contract/chunk-index.ts';
import { totalSize } from '../contract/fields.ts';
import type { ManifestModel } from '../contract/manifest.ts';
import { type AircherError, integrityError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { startHash } from '../core/hashing.ts';
import { makeDirectory, removeTree, syncDirectory, writeFully } from '../core/write-files.ts';
import { decompress } from './decompress.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

/**
 * tar's own bytes for one entry: headers, pax records, padding, and a directory or two on the way.
 */
const bytesPerEntry = 16 * 1024;
/**
 * Where nothing declares the files: how much larger than the archive they may be. Weights shrink by
 * a tenth.
 */
const undeclaredRatio = 20;
const undeclaredBytes = 64 * 1024 * 1024;

/**
 * Unpacks a whole archive, whose sha256 the caller has checked, into `directory`, which is emptied
 * first. Where the entry declares files, exactly these must be in it, with their sizes and digests;
 * else what the archive holds. All files are flushed. Throws `integrity`.
 */
export async function unpackArchive(
  options: {
    readonly archive: string;
    readonly model: string;
    readonly entry: ManifestModel;
    readonly directory: string;
  },
  context: RunContext = {},
): Promise<IndexedFile[]> {
  const { entry, directory } = options;
  await removeTree(directory);
  await makeDirectory(directory);
  const declared = entry.files && new Map(entry.files.map((file) => [file.path, file]));
  const found: IndexedFile[] = [];
  const directories = new Set([directory]);
  const source = createReadStream(options.archive, { highWaterMark: 1 << 20 });
  try {
    const tar = decompress(formatOf(entry), source, { maxBytes: largestTar(entry) });
    for await (const item of readTar(tar, { topDirectory: options.model })) {
      context.signal?.throwIfAborted();
      if (item.type === 'directory') continue;
      const expected = declared?.get(item.path);
      if (declared && expected === undefined)
        throw contradiction(item.path, 'is in the archive, but not in the manifest');
      if (expected && expected.size_bytes !== item.sizeBytes) {
        throw contradiction(item.path, `has ${item.sizeBytes} bytes instead of ${expected.size_bytes}`);
      }
      const path = join(directory, item.path);
      await makeDirectory(dirname(path));
      directories.add(dirname(path));
      const sha256 = await writeEntry(item, path);
      if (expected && expected.sha256 !== sha256)
        throw contradiction(item.path, `has the sha256 ${sha256} instead of ${expected.sha256}`);
      found.push({ path: item.path, size_bytes: item.sizeBytes, sha256 });
    }
  } finally {
    source.destroy();
  }
  const present = new Set(found.map((file) => file.path));
  const missing = entry.files?.find((file) => !present.has(file.path));
  if (missing) throw contradiction(missing.path, 'is not in the archive');
  for (const path of directories) await syncDirectory(path);
  return found;
}

async function writeEntry(item: TarEntry, path: string): Promise<string> {
  const hash = startHash();
  const handle = await open(path, 'wx');
  try {
    let position = 0;
    for await (const piece of item.body) {
      hash.update(piece);
      await writeFully(handle, piece, position);
      position += piece.length;
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

function largestTar(entry: ManifestModel): number {
  if (entry.files === undefined) return entry.size_bytes * undeclaredRatio + undeclaredBytes;
  const content = totalSize(entry.files);
  return content + (entry.files.length + 8) * bytesPerEntry;
}

/** As declared, else by the ending of a URL. */
function formatOf(entry: ManifestModel): ArchiveFormat {
  if (entry.format !== undefined) return entry.format;
  const urls = Object.values(entry.download_urls).filter((url) => typeof url === 'string');
  const ends = (ending: string): boolean => urls.some((url) => new URL(url).pathname.endsWith(ending));
  if (ends('.tar.zst')) return 'tar.zst';
  return ends('.tar') ? 'tar' : 'tar.gz';
}

function contradiction(path: string, fact: string): AircherError {
  return integrityError(
    `${JSON.stringify(path)} ${fact}`,
    'Archive and manifest contradict each other. Tell the maintainer of this release.',
  );
}
