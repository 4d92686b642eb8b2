import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import { compareBytes } from '../contract/names.ts';

/** Bytes of a tar block. */
const blockBytes = 512;

/** What an archive ends with: two blocks of zeros. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockBytes);

/** Longest name that stands in a header as it is, in bytes. */
const plainNameBytes = 99;

/**
 * One entry of an archive; `path` is the full one, with the top directory, and ends in `/` for a
 * directory.
 */
export interface ArchiveEntry<File> {
  readonly path: string;
  /** Undefined for a directory. */
  readonly file: File | undefined;
}

/**
 * The top directory, every directory on the way to a file, and the files, sorted by full path in
 * byte order.
 */
export function listEntries<File extends { readonly path: string }>(
  topDirectory: string,
  files: readonly File[],
): ArchiveEntry<File>[] {
  const entries = new Map<string, File | undefined>([[`${topDirectory}/`, undefined]]);
  for (const file of files) {
    const path = `${topDirectory}/${file.path}`;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      entries.set(path.slice(0, slash + 1), undefined);
    }
    entries.set(path, file);
  }
  return [...entries].map(([path, file]) => ({ path, file })).sort((a, b) => compareBytes(a.path, b.path));
}

/**
 * Header blocks of an entry, the same bytes on every machine: mode 0644 or 0755, owner and group 0
 * without names. A name that plain ustar can't hold (long, not ASCII) and a size from 8 GiB have a
 * pax header before them.
 */
export function encodeEntryHeader(path: string, sizeBytes: number, mtimeSeconds: number): Buffer {
  const directory = path.endsWith('/');
  const header = new Header({
    path,
    type: directory ? 'Directory' : 'File',
    mode: directory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: sizeBytes,
    mtime: new Date(mtimeSeconds * 1000),
    linkpath: '',
    uname: '',
    gname: '',
  });
  const needsPax = header.encode();
  const block = header.block as Buffer;
  // The package splits long names over two fields, and the split loses a directory's final slash.
  const slashLost = directory && Buffer.byteLength(path) > plainNameBytes;
  if (!needsPax && !slashLost) return block;
  return Buffer.concat([new Pax({ path, size: sizeBytes }).encode(), block]);
}

/** The zeros that fill a body's last block. */
export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}
