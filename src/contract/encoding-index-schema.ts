import * as z from 'zod/mini';
import { encodingKinds, sha256Field, sizeField } from './fields.ts';

/**
 * The shape of an encoding's index, for the generated JSON Schema. Readers use
 * `parseEncodingIndex`, which checks what no schema can say.
 */
export const encodingIndexSchema = z.strictObject({
  encoding_version: z.literal(1),
  kind: z.enum(encodingKinds),
  archive: z.strictObject({ name: z.string(), sha256: sha256Field }),
  size_bytes: sizeField,
  sha256: sha256Field,
  chunks: z.array(
    z.union([z.tuple([sizeField, sizeField, sizeField]), z.tuple([sizeField, sizeField, sizeField, sha256Field])]),
  ),
});
