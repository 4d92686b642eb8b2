import { limits } from '../contract/limits.ts';
import type { DataRange } from '../weights/weights-file.ts';

/** Bytes that stand apart, a tensor or what lies between two, are cut by themselves from so many on; smaller neighbours are merged. */
export const ownChunkBytes = 64 * 1024;

/**
 * Lengths of a file's chunks, in order. A file without `ranges` is cut every 1 MiB. One that holds tensors (`ranges`, in its
 * order) is cut where they begin and end, so that a chunk depends on its tensors alone: what stands before the first is cut off;
 * of the rest, each tensor of 64 KiB or more is cut every 1 MiB from its start, and so is what lies between two (padding, in ONNX
 * the tensors' descriptions); runs of smaller ones are merged up to 1 MiB and never cross a bigger one.
 */
export function* cutFile(sizeBytes: number, ranges?: readonly DataRange[]): Generator<number> {
  const [first] = ranges ?? [];
  yield* cutEvenly(first?.begin ?? sizeBytes);
  if (first === undefined) return;
  let merged = 0;
  for (const bytes of stretches(sizeBytes, ranges ?? [])) {
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

/** Lengths of the ranges and of what lies between and behind them. */
function* stretches(sizeBytes: number, ranges: readonly DataRange[]): Generator<number> {
  for (const [number, { begin, end }] of ranges.entries()) {
    yield end - begin;
    yield (ranges[number + 1]?.begin ?? sizeBytes) - end;
  }
}

/** Pieces of 1 MiB, and a shorter last one. */
export function* cutEvenly(bytes: number): Generator<number> {
  for (let left = bytes; left > 0; left -= limits.chunkBytes) yield Math.min(left, limits.chunkBytes);
}
