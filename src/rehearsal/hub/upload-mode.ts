import { ignoreMatcher, lfsMatcher } from './git-attributes.ts';
import { HubError } from './hub-error.ts';
import type { Repository } from './repositories.ts';
import type { Snapshot } from './snapshot.ts';

/** Ordinary files end at 10 MiB; what is bigger goes into large file storage. */
export const largestRegularFile = 10 * 1024 * 1024;

/** Files that one `preupload` request may ask about (huggingface_hub, `_upload_pipeline.py`). */
const mostPreuploadFiles = 256;

/** Binary content belongs into large file storage whatever its size; told as git tells it. */
export function isBinary(sample: Uint8Array): boolean {
  return sample.subarray(0, 8000).includes(0);
}

/**
 * Answers a `preupload` request: how each file is to be sent (`lfs` or `regular`), whether
 * `.gitignore` leaves it out, and what the branch holds under its path now (`oid`: sha256 of a
 * large file, git blob id of an ordinary one).
 */
export async function decideUploads(
  repository: Repository,
  snapshot: Snapshot,
  request: unknown,
): Promise<Record<string, unknown>[]> {
  const { files, gitAttributes, gitIgnore } = (request ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(files)) throw new HubError(400, '"files" is required');
  if (files.length > mostPreuploadFiles) throw new HubError(413, 'Payload Too Large: too many files');
  const textOf = async (given: unknown, path: string): Promise<string> => {
    const entry = snapshot.files.get(path);
    if (typeof given === 'string') return given;
    return entry === undefined ? '' : (await repository.objects.read(entry.oid)).body.toString('utf8');
  };
  const isTracked = lfsMatcher(await textOf(gitAttributes, '.gitattributes'));
  const isIgnored = ignoreMatcher(await textOf(gitIgnore, '.gitignore'));
  return files.map((file: unknown) => {
    const { path, size, sample } = (file ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof path !== 'string' || typeof size !== 'number' || typeof sample !== 'string') {
      throw new HubError(400, 'each of "files" needs "path", "size" and "sample"');
    }
    const isLarge = isTracked(path) || size > largestRegularFile || isBinary(Buffer.from(sample, 'base64'));
    const entry = snapshot.files.get(path);
    return {
      path,
      uploadMode: isLarge ? 'lfs' : 'regular',
      shouldIgnore: isIgnored(path),
      oid: entry === undefined ? null : (entry.lfs?.oid ?? entry.oid),
    };
  });
}
