import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRecord } from './types.ts';

/** Repositories and snapshots that are looked into at most. */
const maxEntries = 2000;

/**
 * Files of a Hugging Face cache (`hub/models--<org>--<name>/{blobs,snapshots/<revision>}`, the layout of huggingface_hub) that may be
 * the ones wanted: blobs of LFS files are named by their sha256; others are found by name and size. By the wanted file's path. Nothing is
 * hashed here: whoever copies checks.
 */
export async function findInHuggingFaceCache(
  cache: string,
  model: string,
  files: readonly FileRecord[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const repositories = (await list(cache)).filter((name) => name.startsWith('models--'));
  for (const repository of repositories.slice(0, maxEntries)) {
    const directory = join(cache, repository);
    for (const file of files) {
      if (found.has(file.path)) continue;
      const blob = join(directory, 'blobs', file.sha256);
      if (await hasSize(blob, file.size_bytes)) found.set(file.path, blob);
    }
    if (files.every((file) => found.has(file.path))) return found;
    for (const revision of (await list(join(directory, 'snapshots'))).slice(0, maxEntries)) {
      const snapshot = join(directory, 'snapshots', revision);
      for (const file of files) {
        if (found.has(file.path)) continue;
        const parts = file.path.split('/');
        for (const candidate of [join(snapshot, ...parts), join(snapshot, model, ...parts)]) {
          if (await hasSize(candidate, file.size_bytes)) {
            found.set(file.path, candidate);
            break;
          }
        }
      }
    }
  }
  return found;
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).then(
    (names) => names.sort(),
    // Another program's cache: whatever is wrong with it, it is of no use then.
    () => [],
  );
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() && found.size === sizeBytes,
    () => false,
  );
}
