import { open } from 'node:fs/promises';
import { compareBytes } from '../contract/names.ts';
import { type AircherError, invalidError } from '../core/errors.ts';
import { FileWindow } from './file-window.ts';

/** A tensor and where its data are: from `begin` to before `end` in `file`, a path in the model. */
export interface PlacedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

/** A part of a file that holds tensor data. `end` is the first byte after it. */
export interface DataRange {
  readonly begin: number;
  readonly end: number;
}

/** A file of a model: its path there, and where to read it. */
export interface ReadableFile {
  readonly path: string;
  readonly absolutePath: string;
  readonly sizeBytes: number;
}

/** Makes an error that names the file which is read. */
export type Fault = (fact: string, hint?: string) => AircherError;

export function faultIn(file: ReadableFile, format: string): Fault {
  const again = `The file is no valid ${format} file: get it again, or export it again.`;
  return (fact, hint = again) => invalidError(`${file.absolutePath}: ${fact}`, hint);
}

/** Opens a file for `read`, and closes it again. */
export async function readThrough<T>(file: ReadableFile, fault: Fault, read: (window: FileWindow) => T): Promise<T> {
  const handle = await open(file.absolutePath);
  try {
    const { size } = await handle.stat();
    return read(new FileWindow(handle.fd, size, fault));
  } finally {
    await handle.close();
  }
}

/** Number of elements of a tensor of this shape. Undefined where it is too large to be exact. */
export function elementsOf(shape: readonly number[]): number | undefined {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (elements > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return elements;
}

/**
 * The parts of each file that these tensors take, in the file's order. Two tensors may share the
 * same part, which is then listed once. Empty tensors take none. Any other overlap throws an error
 * made by `fault`.
 */
export function rangesByFile(tensors: Iterable<PlacedTensor>, fault: Fault): Map<string, readonly DataRange[]> {
  const byFile = new Map<string, PlacedTensor[]>();
  for (const tensor of tensors) {
    if (tensor.begin === tensor.end) continue;
    const found = byFile.get(tensor.file);
    if (found === undefined) byFile.set(tensor.file, [tensor]);
    else found.push(tensor);
  }
  const ranges = new Map<string, readonly DataRange[]>();
  for (const [file, placed] of byFile) {
    placed.sort((a, b) => a.begin - b.begin || a.end - b.end || compareBytes(a.name, b.name));
    let last: PlacedTensor | undefined;
    const distinct: DataRange[] = [];
    for (const tensor of placed) {
      const { begin, end } = tensor;
      if (last !== undefined && begin < last.end) {
        if (begin === last.begin && end === last.end) continue;
        throw fault(
          `the tensors ${JSON.stringify(last.name)} and ${JSON.stringify(tensor.name)} overlap in ${file}: ${last.begin} to ${last.end}, ${begin} to ${end}`,
        );
      }
      last = tensor;
      distinct.push({ begin, end });
    }
    ranges.set(file, distinct);
  }
  return ranges;
}
