import * as z from 'zod/mini';
import { sha256Field, sizeField } from './fields.ts';

/** Formats of weights that are looked into; others are files like any other. */
export const weightFormats = ['safetensors', 'onnx', 'gguf'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/**
 * The renditions of a model's weights, of which one is enough to run it: the file that a loader is
 * given (of a sharded model its index, of a split GGUF the first part), with all files that belong
 * to it: shards, external data, weights of the modules behind the first, which every rendition
 * needs.
 */
export const weightsField = z
  .array(
    z.looseObject({
      path: z.string(),
      format: z.enum(weightFormats, `must be one of ${weightFormats.join(', ')}`),
      /** The one that is installed where none is asked for. */
      default: z.optional(z.literal(true, 'must be true, or be left out')),
      /** Sorted by bytes. */
      files: z.array(z.string()),
      /** Of all of `files`. */
      size_bytes: sizeField,
      tensors: z.optional(sizeField),
      /** Elements of all tensors; `dtypes` splits the count. */
      parameters: z.optional(sizeField),
      dtypes: z.record(z.string(), sizeField),
      space: sha256Field,
    }),
  )
  .check(z.minLength(1, 'must not be empty'));

interface ModelWithWeights {
  readonly files?: readonly { readonly path: string; readonly size_bytes: number }[] | undefined;
  readonly weights?: z.infer<typeof weightsField> | undefined;
  readonly embedding?: { readonly space?: string | undefined } | undefined;
}

/** Where `weights` contradicts itself, the files or the embedding; undefined where it doesn't. */
export function weightsFault({ files, weights, embedding }: ModelWithWeights): string | undefined {
  if (weights === undefined) return files === undefined ? undefined : 'must stand where "files" does';
  if (files === undefined) return 'must not stand without "files"';
  const sizes = new Map(files.map((file) => [file.path, file.size_bytes]));
  const paths = new Set(weights.map(({ path }) => path));
  if (paths.size < weights.length) return 'names a path twice';
  for (const { path, files: own, size_bytes } of weights) {
    const named = JSON.stringify(path);
    if (!own.includes(path)) return `has ${named}, which is not among its own files`;
    if (new Set(own).size < own.length) return `names a file of ${named} twice`;
    if (own.some((file) => !sizes.has(file))) return `has a file of ${named} that the model does not have`;
    const bytes = own.reduce((sum, file) => sum + (sizes.get(file) ?? 0), 0);
    if (bytes !== size_bytes) return `says ${size_bytes} bytes of ${named}, whose files have ${bytes}`;
  }
  const [chosen, second] = weights.filter((one) => one.default);
  if (chosen === undefined || second !== undefined) return 'must have one "default"';
  return chosen.space === embedding?.space ? undefined : 'has another space for its default than "embedding"';
}
