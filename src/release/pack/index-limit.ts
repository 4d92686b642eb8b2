import { limits } from '../../contract/limits.ts';
import type { Problem } from '../../core/errors.ts';
import { formatBytes } from '../../core/format.ts';

/** A whole chunk's line in an index: 84 bytes beside its numbers, which have 17 digits or more. */
const leastChunkLine = 100;

/** Bytes that the index of such files has at least: every MiB of a file is a chunk. */
export function leastIndexBytes(files: readonly { readonly sizeBytes: number }[]): number {
  return files.reduce((sum, file) => sum + Math.floor(file.sizeBytes / limits.chunkBytes) * leastChunkLine, 0);
}

/** That no client would read a model's index for its size; undefined where every client does. */
export function indexProblem(
  place: Pick<Problem, 'file' | 'path'>,
  name: string,
  sizeBytes: number,
): Problem | undefined {
  if (sizeBytes <= limits.indexBytes) return undefined;
  return {
    level: 'error',
    ...place,
    message: `${name} is too large: its chunk index would have ${formatBytes(sizeBytes)} or more, and clients read at most ${formatBytes(limits.indexBytes)}`,
    hint: 'An archive may have about 100 GB. Leave files out with `include`, or make several models of it.',
  };
}
