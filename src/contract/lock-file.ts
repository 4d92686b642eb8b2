import * as z from 'zod/mini';
import { invalidError, problemsError } from '../core/errors.ts';
import { documentJson } from './canonical-json.ts';
import {
  downloadUrlsField,
  modelNameField,
  namespacePattern,
  publicKeyField,
  sha256Field,
  tagField,
} from './fields.ts';
import { objectOf } from './json-values.ts';
import { licensePolicySchema } from './license-policy.ts';
import { limits } from './limits.ts';
import { manifestModelSchema } from './manifest.ts';
import { problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';

/** The schema of `models.lock` (docs/formats.md). Unknown keys are errors, but inside an entry. */

const lockedModelSchema = z.strictObject({
  /** What was asked for, which `lock --update` stays in; any version where it is left out. */
  range: z.optional(z.string()),
  /** The release whose manifest has the entry. */
  release: tagField,
  manifest_sha256: sha256Field,
  /** `default`, `all`, or paths. */
  weights: z.array(z.string()).check(z.minLength(1, 'must not be empty')),
  /** Of the first of these weights. */
  space: z.optional(sha256Field),
  accepted_licenses: z.optional(z.array(z.string())),
  entry: manifestModelSchema,
});

/** The client of the release that was the newest when the file was written. */
const lockedClientSchema = z.strictObject({
  release: tagField,
  sha256: sha256Field,
  download_urls: downloadUrlsField,
});

export const lockFileSchema = z.strictObject({
  lock_version: z.literal(1, 'must be 1'),
  namespace: z.string().check(z.regex(namespacePattern, 'must be a namespace: 1 to 64 of a-z 0-9 . _ -')),
  sources: z.array(z.string()),
  public_keys: z.array(publicKeyField),
  licenses: z.optional(licensePolicySchema),
  client: z.optional(lockedClientSchema),
  models: z.record(modelNameField, lockedModelSchema),
});

export type LockFile = Readonly<z.infer<typeof lockFileSchema>>;
export type LockedModel = Readonly<z.infer<typeof lockedModelSchema>>;
export type LockedClient = Readonly<z.infer<typeof lockedClientSchema>>;

/** The canonical bytes of a lock file, as text. */
export function formatLockFile(lock: LockFile): string {
  return documentJson(lockFileSchema, lock);
}

/** Throws `invalid` with every problem and its JSON path. `file` names it in messages. */
export function parseLockFile(bytes: Uint8Array, file: string): LockFile {
  const json = parseStrictJson(bytes, {
    file,
    maxBytes: limits.manifestBytes,
    maxValues: limits.manifestValues,
    maxMembers: limits.manifestMembers,
  });
  const { lock_version: version } = objectOf(json);
  if (Number(version) > 1) {
    throw invalidError(`${file}: lock_version ${version} is newer than this client understands (1)`, 'Update it.');
  }
  const result = z.safeParse(lockFileSchema, json, { reportInput: true });
  if (result.success) return result.data;
  const inside = { client: lockedClientSchema, licenses: licensePolicySchema, models: lockedModelSchema };
  const known = ([key]: readonly PropertyKey[]): readonly string[] =>
    Object.keys((inside[key as keyof typeof inside] ?? lockFileSchema)._zod.def.shape);
  throw problemsError('invalid', `${file}: not a valid lock file`, problemsOf(result.error.issues, file, known));
}
