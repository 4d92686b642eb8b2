import { limits } from '../contract/limits.ts';
import type { SafetensorsHeader } from '../weights/safetensors-header.ts';

/** A tensor of so many bytes or more is cut by itself; smaller neighbours are merged. */
export const ownChunkBytes = 64 * 1024;

/**
 * Lengths of a file's chunks, in order. A file without `header` is cut every 1 MiB. A safetensors file is cut at its header's end
 * and between tensors, so that a chunk depends on its tensors alone: each tensor of 64 KiB or more is cut every 1 MiB from
 * its start, runs of smaller ones are merged up to 1 MiB and never cross a bigger one.
 */
export function* cutFile(sizeBytes: number, header?: SafetensorsHeader): Generator<number> {
  if (header === undefined) {
    yield* cutEvenly(sizeBytes);
    return;
  }
  yield* cutEvenly(header.headerBytes);
  let merged = 0;
  for (const { begin, end } of header.tensors) {
    const bytes = end - begin;
    const own = bytes >= ownChunkBytes;
    if (merged > 0 && (own || merged + bytes > limits.chunkBytes)) {
      yield merged;
      merged = 0;
    }
    if (own) yield* cutEvenly(bytes);
    else merged += bytes;
  }
  if (merged > 0) yield merged;
}

/** Pieces of 1 MiB, and a shorter last one. */
export function* cutEvenly(bytes: number): Generator<number> {
  for (let left = bytes; left > 0; left -= limits.chunkBytes) yield Math.min(left, limits.chunkBytes);
}
