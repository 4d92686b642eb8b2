import { type PackedTensor, tensorDigest } from '../archive/tensor-digests.ts';
import { canonicalJson } from '../contract/canonical-json.ts';
import { compareBytes } from '../contract/names.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { LoadedWeights } from './module-files.ts';

/**
 * Buffers that old versions of transformers saved with the weights, and new ones leave out. They
 * don't count if they hold what every version fills in by itself: the whole numbers from 0.
 */
const droppedBuffers = /(?:^|\.)embeddings\.position_ids$/;

/** No model has more positions. A longer buffer counts. */
const mostPositions = 1 << 20;

/**
 * Two digests of the tensors that the modules load. `weights`: module, name, dtype, shape and data
 * of each. `layout`: the same without the data. Order, shards and file names don't count. Null
 * where there are no tensors.
 */
export function weightsFingerprints(
  loaded: readonly LoadedWeights[],
  packed: ReadonlyMap<string, readonly PackedTensor[]>,
): { readonly weights: Sha256 | null; readonly layout: Sha256 | null } {
  if (loaded.length === 0) return { weights: null, layout: null };
  const tensors = loaded.flatMap(({ path, module }) => {
    const found = packed.get(path);
    // Facts and packed files come from one list. If they ever don't, stop: a fingerprint without
    // this file would call different models equal.
    if (found === undefined) throw new Error(`${path} was inspected but not packed`);
    return found.filter((tensor) => !isArange(tensor)).map((tensor) => ({ module, ...tensor }));
  });
  return {
    weights: digestOf(
      tensors.map(({ module, name, dtype, shape, sha256: data }) => canonicalJson([module, name, dtype, shape, data])),
    ),
    layout: layoutDigest(tensors),
  };
}

type LaidOut = Pick<PackedTensor, 'name' | 'dtype' | 'shape'> & { readonly module: string };

/**
 * `layout` from the files' headers alone. Undefined where it depends on the content of a buffer.
 */
export function layoutByHeaders(tensors: readonly LaidOut[]): Sha256 | undefined {
  return tensors.some(({ name }) => droppedBuffers.test(name)) ? undefined : layoutDigest(tensors);
}

function layoutDigest(tensors: readonly LaidOut[]): Sha256 {
  return digestOf(tensors.map(({ module, name, dtype, shape }) => canonicalJson([module, name, dtype, shape])));
}

function digestOf(lines: readonly string[]): Sha256 {
  return sha256(canonicalJson([...lines].sort(compareBytes)));
}

/** Whether it is a buffer of shape `[n]` or `[1, n]` that holds 0, 1, … n - 1. */
function isArange({ name, dtype, shape, sha256: digest }: PackedTensor): boolean {
  const count = shape.at(-1) ?? 0;
  const flat = shape.length === 1 || (shape.length === 2 && shape[0] === 1);
  if (!droppedBuffers.test(name) || dtype !== 'I64' || !flat || count > mostPositions) return false;
  const numbers = BigInt64Array.from({ length: count }, (_, at) => BigInt(at));
  return digest === tensorDigest(new Uint8Array(numbers.buffer));
}
