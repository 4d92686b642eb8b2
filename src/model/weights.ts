import type { SourceFile } from '../archive/pack-archive.ts';
import { compareBytes } from '../contract/names.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { AircherError } from '../core/errors.ts';
import { readHeader } from '../weights/read-safetensors.ts';
import type { SafetensorsHeader } from '../weights/safetensors-header.ts';
import type { TensorFacts } from './facts.ts';
import { isPickle, isSafetensors } from './file-kinds.ts';
import type { Findings } from './findings.ts';

const parallelReads = 8;

/** Reads and checks the header of every safetensors file. Paths of broken ones are added to `broken`. */
export async function readHeaders(
  files: readonly SourceFile[],
  broken: Set<string>,
  findings: Findings,
): Promise<Map<string, SafetensorsHeader>> {
  const weights = files.filter(({ path }) => isSafetensors(path));
  // Where only pickles are there, listing the files has said so already.
  if (weights.length === 0 && !files.some(({ path }) => isPickle(path))) {
    findings.error({
      message: 'has no weights: no .safetensors file is released',
      hint: 'Add model.safetensors, or correct "include" or "exclude" in release.json.',
    });
  }
  const headers = new Map<string, SafetensorsHeader>();
  await mapConcurrently(weights, parallelReads, async ({ path, absolutePath }) => {
    if (broken.has(path)) return;
    try {
      headers.set(path, await readHeader(absolutePath));
    } catch (error) {
      if (!(error instanceof AircherError) || error.code !== 'invalid') throw error;
      broken.add(path);
      findings.error({
        in: path,
        message: error.message.replace(`${absolutePath}: `, '').replace(`${absolutePath}:`, 'header, line '),
        hint:
          error.hint ??
          'The file is no valid safetensors file: get it again, or write it again with the safetensors library.',
      });
    }
  });
  if (headers.size > 0 && broken.size === 0 && [...headers.values()].every(({ tensors }) => tensors.length === 0)) {
    findings.error({ message: 'has no weights: its safetensors files hold no tensor', hint: 'Save the model again.' });
  }
  return new Map([...headers].sort(([a], [b]) => compareBytes(a, b)));
}

/** Counts over the given headers. */
export function countTensors(headers: readonly SafetensorsHeader[]): TensorFacts {
  const dtypes = new Map<string, number>();
  let count = 0;
  let parameters = 0;
  for (const { tensors } of headers) {
    for (const { dtype, shape } of tensors) {
      const elements = shape.reduce((product, size) => product * size, 1);
      dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + elements);
      parameters += elements;
      count++;
    }
  }
  return { count, parameters, dtypes: Object.fromEntries([...dtypes].sort(([a], [b]) => compareBytes(a, b))) };
}
