import { type WeightFormat, weightFormats } from '../contract/weights-field.ts';
import { type GgufFile, readGguf } from './read-gguf.ts';
import { type OnnxFile, readOnnx } from './read-onnx.ts';
import { readHeader } from './read-safetensors.ts';
import type { SafetensorsHeader } from './safetensors-header.ts';
import type { PlacedTensor, ReadableFile } from './weights-file.ts';

/** A safetensors file, in the same form as ONNX and GGUF files. */
export interface SafetensorsFile {
  readonly format: 'safetensors';
  readonly header: SafetensorsHeader;
  readonly tensors: readonly PlacedTensor[];
}

export type WeightsFile = SafetensorsFile | OnnxFile | GgufFile;

/**
 * The format of a weights file, by its name. Undefined for other files, and for indexes of shards
 * and external data, which belong to a weights file.
 */
export function weightFormatOf(path: string): WeightFormat | undefined {
  return weightFormats.find((format) => path.endsWith(`.${format}`));
}

/**
 * Reads what a weights file says about its tensors, not the weights. `files`: the model's files;
 * external data must be one of them. Throws AircherError `invalid` with the path.
 */
export async function readWeights(
  file: ReadableFile,
  files: ReadonlyMap<string, ReadableFile>,
): Promise<WeightsFile | undefined> {
  switch (weightFormatOf(file.path)) {
    case 'safetensors': {
      const header = await readHeader(file.absolutePath);
      const placed = header.tensors.map(({ name, dtype, shape, begin, end }) => ({
        ...{ name, dtype, shape, file: file.path },
        ...{ begin: header.headerBytes + begin, end: header.headerBytes + end },
      }));
      return { format: 'safetensors', header, tensors: placed };
    }
    case 'onnx':
      return await readOnnx(file, files);
    case 'gguf':
      return await readGguf(file);
    default:
      return undefined;
  }
}
