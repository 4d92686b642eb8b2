import { invalidError } from '../core/errors.ts';
import { readWeights } from '../weights/read-weights.ts';
import { type PlacedTensor, type ReadableFile, rangesByFile } from '../weights/weights-file.ts';
import type { TensorLayout } from './cut.ts';

/** All tensors of a model's weights, whoever loads them. */
export interface ModelTensors {
  /** By the path of the file that describes them. */
  readonly described: ReadonlyMap<string, readonly PlacedTensor[]>;
  /** Where they stand in each file that holds any. */
  readonly layouts: ReadonlyMap<string, TensorLayout>;
}

/**
 * Reads what the weights files among these say of their tensors. Throws AircherError `invalid` for
 * broken ones, and for overlaps.
 */
export async function readTensors(files: readonly ReadableFile[]): Promise<ModelTensors> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const described = new Map<string, readonly PlacedTensor[]>();
  for (const file of files) {
    const weights = await readWeights(file, byPath);
    if (weights !== undefined) described.set(file.path, weights.tensors);
  }
  const ranges = rangesByFile([...described.values()].flat(), (fact) =>
    invalidError(fact, 'Two files describe the same bytes in two ways: export one of them again.'),
  );
  // Of the files with tensors, only an ONNX graph has descriptions between them.
  const layouts = [...ranges].map(
    ([path, own]) => [path, { ranges: own, describedInPlace: path.endsWith('.onnx') }] as const,
  );
  return { described, layouts: new Map(layouts) };
}
