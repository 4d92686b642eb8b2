import type { SourceFile } from '../archive/pack-archive.ts';
import { compareBytes } from '../contract/names.ts';
import { weightFormats } from '../contract/weights-field.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { AircherError } from '../core/errors.ts';
import { readWeights, type WeightsFile, weightFormatOf } from '../weights/read-weights.ts';
import { elementsOf, type PlacedTensor, rangesByFile } from '../weights/weights-file.ts';
import type { TensorFacts } from './facts.ts';
import { isPickle } from './file-kinds.ts';
import type { Findings } from './findings.ts';

const parallelReads = 8;

/**
 * Reads what every weights file says about its tensors. Paths of files that can't be read are added
 * to `broken`.
 */
export async function readModelWeights(
  files: readonly SourceFile[],
  broken: Set<string>,
  findings: Findings,
): Promise<ReadonlyMap<string, WeightsFile>> {
  const weights = files.filter(({ path }) => weightFormatOf(path) !== undefined);
  // If there are only pickles, listing the files has reported it.
  if (weights.length === 0 && !files.some(({ path }) => isPickle(path))) {
    findings.error({
      message: `has no weights: no ${weightFormats.map((format) => `.${format}`).join(', ')} file is released`,
      hint: 'Add model.safetensors, or correct "include" or "exclude" in release.json.',
    });
  }
  const byPath = new Map(files.map((file) => [file.path, file]));
  const read = new Map<string, WeightsFile>();
  await mapConcurrently(weights, parallelReads, async (file) => {
    if (broken.has(file.path)) return;
    try {
      read.set(file.path, (await readWeights(file, byPath))!);
    } catch (error) {
      if (!(error instanceof AircherError) || error.code !== 'invalid') throw error;
      broken.add(file.path);
      const { absolutePath } = file;
      findings.error({
        in: file.path,
        message: error.message.replace(`${absolutePath}: `, '').replace(`${absolutePath}:`, 'header, line '),
        hint: error.hint ?? 'The file is damaged: get it again, or write it again with the library of its format.',
      });
    }
  });
  if (read.size > 0 && broken.size === 0 && [...read.values()].every((file) => tensorsIn(file).length === 0)) {
    findings.error({ message: 'has no weights: its files hold no tensor', hint: 'Save the model again.' });
  }
  reportSharedBytes([...read.values()], findings);
  return new Map([...read].sort(([a], [b]) => compareBytes(a, b)));
}

/** Reports two files that describe the same bytes of a third in different ways. */
function reportSharedBytes(files: readonly WeightsFile[], findings: Findings): void {
  try {
    rangesByFile(
      files.flatMap(({ tensors }) => tensors),
      (fact) => new AircherError('invalid', fact),
    );
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    findings.error({ message: error.message, hint: 'Export one of the files again, with data of its own.' });
  }
}

/** All tensors of a file, including those of an ONNX file whose data are part of the graph. */
export function tensorsIn(file: WeightsFile): readonly Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>[] {
  return file.format === 'onnx' ? [...file.tensors, ...file.typed] : file.tensors;
}

/** Number, elements and dtypes of these tensors. */
export function countTensors(tensors: readonly Pick<PlacedTensor, 'dtype' | 'shape'>[]): TensorFacts {
  const dtypes = new Map<string, number>();
  let parameters = 0;
  for (const { dtype, shape } of tensors) {
    const elements = elementsOf(shape) ?? 0;
    dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + elements);
    parameters += elements;
  }
  const counts = [...dtypes].sort(([a], [b]) => compareBytes(a, b));
  return { count: tensors.length, parameters, dtypes: Object.fromEntries(counts) };
}
