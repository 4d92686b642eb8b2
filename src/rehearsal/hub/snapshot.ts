import {
  decodeCommit,
  decodeTree,
  encodeTree,
  type ObjectId,
  type ObjectStore,
  type TreeEntry,
} from './git-objects.ts';
import { decodePointer, type LfsPointer } from './lfs-pointer.ts';

/**
 * One file of a revision. `size` is the content's, `blobSize` that of the git blob (the pointer's,
 * for large files).
 */
export interface FileEntry {
  readonly path: string;
  readonly oid: ObjectId;
  readonly size: number;
  readonly blobSize: number;
  readonly lfs?: LfsPointer;
}

/** All files of a revision by path, and the folders with their tree ids. */
export interface Snapshot {
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly folders: ReadonlyMap<string, ObjectId>;
}

/** Reads commits' trees; what is immutable in git is read once. */
export interface SnapshotReader {
  ofCommit(commit: ObjectId): Promise<Snapshot>;
  describeBlob(path: string, oid: ObjectId): Promise<FileEntry>;
}

/** Snapshots kept in memory. */
const keptSnapshots = 32;

export function createSnapshotReader(objects: ObjectStore): SnapshotReader {
  const snapshots = new Map<ObjectId, Promise<Snapshot>>();
  const blobs = new Map<ObjectId, Omit<FileEntry, 'path'>>();

  const describeBlob = async (path: string, oid: ObjectId): Promise<FileEntry> => {
    let known = blobs.get(oid);
    if (known === undefined) {
      const { body } = await objects.read(oid);
      const lfs = decodePointer(body);
      known = { oid, size: lfs?.size ?? body.length, blobSize: body.length, ...(lfs && { lfs }) };
      blobs.set(oid, known);
    }
    return { path, ...known };
  };

  const readTree = async (
    oid: ObjectId,
    prefix: string,
    into: { files: Map<string, FileEntry>; folders: Map<string, ObjectId> },
  ): Promise<void> => {
    for (const entry of decodeTree((await objects.read(oid)).body)) {
      const path = prefix + entry.name;
      if (entry.mode === '40000') {
        into.folders.set(path, entry.oid);
        await readTree(entry.oid, `${path}/`, into);
      } else {
        into.files.set(path, await describeBlob(path, entry.oid));
      }
    }
  };

  const load = async (commit: ObjectId): Promise<Snapshot> => {
    const { tree } = decodeCommit((await objects.read(commit)).body);
    const into = { files: new Map<string, FileEntry>(), folders: new Map<string, ObjectId>() };
    await readTree(tree, '', into);
    return into;
  };

  return {
    describeBlob,
    ofCommit: (commit) => {
      let snapshot = snapshots.get(commit);
      if (snapshot === undefined) {
        snapshot = load(commit);
        snapshots.set(commit, snapshot);
        snapshot.catch(() => snapshots.delete(commit));
        const [oldest] = snapshots.keys();
        if (snapshots.size > keptSnapshots && oldest !== undefined) snapshots.delete(oldest);
      }
      return snapshot;
    },
  };
}

/** Writes the trees of `files` (path → blob) and answers the top one's id. */
export async function writeTrees(
  objects: ObjectStore,
  files: ReadonlyMap<string, { readonly oid: ObjectId }>,
): Promise<ObjectId> {
  interface Folder {
    readonly blobs: Map<string, ObjectId>;
    readonly folders: Map<string, Folder>;
  }
  const newFolder = (): Folder => ({ blobs: new Map(), folders: new Map() });
  const top = newFolder();
  for (const [path, { oid }] of files) {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    let folder = top;
    for (const part of parts) {
      const next = folder.folders.get(part) ?? newFolder();
      folder.folders.set(part, next);
      folder = next;
    }
    folder.blobs.set(name, oid);
  }
  const write = async (folder: Folder): Promise<ObjectId> => {
    const entries: TreeEntry[] = [...folder.blobs].map(([name, oid]) => ({ mode: '100644', name, oid }));
    for (const [name, child] of folder.folders) entries.push({ mode: '40000', name, oid: await write(child) });
    return objects.write('tree', encodeTree(entries));
  };
  return write(top);
}
