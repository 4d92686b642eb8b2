import { limits } from '../contract/limits.ts';
import type { DataRange } from '../weights/weights-file.ts';

/** A tensor of so many bytes or more is cut by itself; smaller neighbours are merged. */
export const ownChunkBytes = 64 * 1024;

/** Where a file holds tensors. */
export interface TensorLayout {
  /** In the file's order, without overlap. */
  readonly ranges: readonly DataRange[];
  /**
   * Whether a tensor's description stands before its data (in an ONNX graph), so that what lies
   * between two is no padding.
   */
  readonly describedInPlace: boolean;
}

/**
 * Lengths of a file's chunks, in order. A file without tensors is cut every 1 MiB. Others are cut
 * where tensors begin and end, so that a chunk depends on its tensors alone: what stands before the
 * first is cut off; each tensor of 64 KiB or more is cut every 1 MiB from its start; runs of
 * smaller ones are merged up to 1 MiB and never cross a bigger one. Padding is cut by itself;
 * descriptions are merged like small tensors.
 */
export function* cutFile(sizeBytes: number, layout?: TensorLayout): Generator<number> {
  const [first] = layout?.ranges ?? [];
  yield* cutEvenly(first?.begin ?? sizeBytes);
  if (layout === undefined || first === undefined) return;
  let merged = 0;
  for (const [bytes, isTensor] of stretches(sizeBytes, layout.ranges)) {
    if (bytes === 0) continue;
    const own = bytes >= ownChunkBytes || !(isTensor || layout.describedInPlace);
    if (merged > 0 && (own || merged + bytes > limits.chunkBytes)) {
      yield merged;
      merged = 0;
    }
    if (own) yield* cutEvenly(bytes);
    else merged += bytes;
  }
  if (merged > 0) yield merged;
}

/** Lengths of the tensors and of what lies between and behind them. */
function* stretches(
  sizeBytes: number,
  ranges: readonly DataRange[],
): Generator<readonly [bytes: number, isTensor: boolean]> {
  for (const [number, { begin, end }] of ranges.entries()) {
    yield [end - begin, true];
    yield [(ranges[number + 1]?.begin ?? sizeBytes) - end, false];
  }
}

/** Pieces of 1 MiB, and a shorter last one. */
export function* cutEvenly(bytes: number): Generator<number> {
  for (let left = bytes; left > 0; left -= limits.chunkBytes) yield Math.min(left, limits.chunkBytes);
}
