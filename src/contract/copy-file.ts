import * as z from 'zod/mini';
import { problemsError } from '../core/errors.ts';
import { modelNameField, versionField } from './fields.ts';
import { limits } from './limits.ts';
import { problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';

/** At the root of a copy of others' releases: it tells clients that everything lies here. */
export const copyFileName = 'copy.json';

/** What a copy has: it may be fewer models and versions than the manifest beside it names. */
export const copyFileSchema = z.looseObject({
  copy_version: z.literal(1),
  /** Versions that are there with all their artifacts, newest first. */
  models: z.record(modelNameField, z.array(versionField)),
});

export type CopyFile = Readonly<z.infer<typeof copyFileSchema>>;

/** Throws `invalid`. */
export function parseCopyFile(bytes: Uint8Array, file: string): CopyFile {
  const json = parseStrictJson(bytes, { file, maxBytes: limits.manifestBytes });
  const result = z.safeParse(copyFileSchema, json, { reportInput: true });
  if (result.success) return result.data;
  throw problemsError('invalid', `${file} is not valid`, problemsOf(result.error.issues, file));
}
