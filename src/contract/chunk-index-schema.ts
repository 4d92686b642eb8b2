import * as z from 'zod/mini';
import { archiveFormatField, sha256Field, sizeField } from './fields.ts';

/**
 * The shape of a chunk index, for the generated JSON Schema. Readers use `parseChunkIndex`, which
 * checks what no schema can say: that chunks cover files and archive exactly.
 */
export const chunkIndexSchema = z.strictObject({
  index_version: z.literal(1),
  archive: z.strictObject({ name: z.string(), format: archiveFormatField, size_bytes: sizeField, sha256: sha256Field }),
  files: z.array(z.strictObject({ path: z.string(), size_bytes: sizeField, sha256: sha256Field })),
  chunks: z.array(z.tuple([sizeField, sizeField, z.int().check(z.gte(-1)), sizeField, sizeField, sha256Field])),
});
