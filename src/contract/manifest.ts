import * as z from 'zod/mini';
import { invalidError, type Problem, problemsError } from '../core/errors.ts';
import { documentJson } from './canonical-json.ts';
import {
  archiveFormatField,
  downloadUrlsField,
  fileFields,
  fileListOf,
  modelNameField,
  publicKeyField,
  qualityScoreField,
  sha256Field,
  sizeField,
  tagField,
  timeField,
  versionField,
} from './fields.ts';
import { isObject, objectOf } from './json-values.ts';
import { limits } from './limits.ts';
import { clashKey } from './names.ts';
import { jsonPath, problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';
import { weightsFault, weightsField } from './weights-field.ts';

/**
 * The schema of `manifest.json` (docs/formats.md). Readers ignore fields they don't know. Required
 * are only the fields of the format's first draft, so that its manifests are still read; and
 * `weights` where `files` are listed.
 */

const remoteDocument = z.looseObject({ size_bytes: sizeField, sha256: sha256Field, download_urls: downloadUrlsField });

/** Readers leave kinds alone that they don't know. */
const encodingField = z.looseObject({
  kind: z.string(),
  /** A file's name on the hosts. */
  name: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,219}$/, 'must be the name of a file')),
  /** The version from which a patch leads to this one. */
  from: z.optional(versionField),
  size_bytes: sizeField,
  sha256: sha256Field,
  download_urls: downloadUrlsField,
  index: remoteDocument,
});

const manifestFile = z.looseObject({ ...fileFields, download_urls: z.optional(downloadUrlsField) });

const countField = z.int().check(z.gte(0, 'must not be negative'));

const embeddingSchema = z.looseObject({
  kind: z.optional(z.string()),
  dimensions: z.optional(z.nullable(countField)),
  max_tokens: z.optional(z.nullable(countField)),
  pooling: z.optional(z.nullable(z.string())),
  normalized: z.optional(z.nullable(z.boolean())),
  similarity: z.optional(z.nullable(z.string())),
  prompts: z.optional(z.record(z.string(), z.string())),
  default_prompt_name: z.optional(z.nullable(z.string())),
  space: z.optional(sha256Field),
});

const fingerprint = z.optional(z.nullable(sha256Field));

export const fingerprintsSchema = z.looseObject({
  weights: fingerprint,
  layout: fingerprint,
  tokenizer: fingerprint,
  pooling: fingerprint,
  architecture: fingerprint,
});

const spaceEvidenceSchema = z.looseObject({
  /** The version in which the space began; `sha256` is of its reference vectors. */
  origin: z.looseObject({ version: versionField, release: tagField, sha256: sha256Field }),
  /** The largest over all texts and all weights that were embedded. */
  max_cosine_distance: z.number().check(z.gte(0, 'must not be negative'), z.lte(2, 'must be at most 2')),
  texts: countField,
});

const publishedVersionSchema = z.looseObject({
  version: versionField,
  release: tagField,
  space: z.optional(sha256Field),
  manifest: remoteDocument,
});

const modelFields = z.looseObject({
  version: versionField,
  size_bytes: sizeField,
  sha256: sha256Field,
  download_urls: downloadUrlsField.check(
    z.refine((urls) => Boolean(urls.github ?? urls.huggingface ?? urls.mirror), 'must have at least one URL'),
  ),
  primary: z.optional(z.string()),
  license: z.optional(z.string()),
  commercial_use: z.optional(z.boolean()),
  allow_code: z.optional(z.boolean()),
  quality_score: z.optional(qualityScoreField),
  changes: z.optional(z.string()),
  format: z.optional(archiveFormatField),
  release: z.optional(tagField),
  index: z.optional(remoteDocument),
  encodings: z.optional(z.array(encodingField)),
  /** Reference vectors (`reference-vectors.ts`). */
  reference: z.optional(remoteDocument),
  files: z.optional(fileListOf(manifestFile)),
  weights: z.optional(weightsField),
  tensors: z.optional(
    z.looseObject({ count: sizeField, parameters: sizeField, dtypes: z.record(z.string(), sizeField) }),
  ),
  embedding: z.optional(embeddingSchema),
  fingerprints: z.optional(fingerprintsSchema),
  /** Why `space` is an older version's although fingerprints differ: measured on its vectors. */
  space_evidence: z.optional(spaceEvidenceSchema),
  source: z.optional(z.looseObject({ huggingface: z.string(), revision: z.string() })),
  published_versions: z.optional(z.array(publishedVersionSchema)),
});

export const manifestModelSchema = modelFields.check(
  z.refine((model) => weightsFault(model) === undefined, {
    error: ({ input }) => weightsFault(input as z.infer<typeof modelFields>) ?? 'is not valid',
    path: ['weights'],
  }),
);

const yankedSchema = z.looseObject({ model: modelNameField, version: versionField, reason: z.string() });

const modelsSchema = z.record(modelNameField, manifestModelSchema);
const onlyModels = z.looseObject({ models: modelsSchema });

export const manifestSchema = z.looseObject({
  manifest_version: z.string().check(z.regex(/^\d+\.\d+\.\d+$/, 'must be a version such as "1.0.0"')),
  namespace: z.optional(z.string()),
  release: z.optional(tagField),
  generated_at: z.optional(timeField),
  models: modelsSchema,
  yanked: z.optional(z.array(yankedSchema)),
  signing: z.optional(z.looseObject({ public_keys: z.array(publicKeyField) })),
  expires_at: z.optional(timeField),
});

export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
export type ManifestModel = Readonly<z.infer<typeof manifestModelSchema>>;
export type ManifestWeights = Readonly<NonNullable<ManifestModel['weights']>[number]>;
export type ManifestEncoding = Readonly<z.infer<typeof encodingField>>;
export type ManifestFile = Readonly<z.infer<typeof manifestFile>>;
export type Embedding = Readonly<z.infer<typeof embeddingSchema>>;
export type Fingerprints = Readonly<z.infer<typeof fingerprintsSchema>>;
export type SpaceEvidence = Readonly<z.infer<typeof spaceEvidenceSchema>>;
export type PublishedVersion = Readonly<z.infer<typeof publishedVersionSchema>>;

export const manifestVersion = '1.0.0';

/** The canonical bytes of a manifest, as text. */
export function formatManifest(manifest: Manifest): string {
  return documentJson(manifestSchema, manifest);
}

/** Problems of models after which the rest is not looked at. */
const maxProblems = 200;

/**
 * Reads a manifest from anywhere. Throws `invalid` with every problem (of a hostile one: the first
 * hundreds) and its JSON path. `file` names the source in messages.
 */
export function parseManifest(bytes: Uint8Array, file: string): Manifest {
  const json = parseStrictJson(bytes, {
    file,
    maxBytes: limits.manifestBytes,
    maxValues: limits.manifestValues,
    maxMembers: limits.manifestMembers,
  });
  const { manifest_version: version, models } = objectOf(json);
  const major = typeof version === 'string' ? /^\d{1,9}(?=\.)/.exec(version)?.[0] : undefined;
  if (Number(major) > 1) {
    throw invalidError(
      `${file}: manifest_version ${major}.x is newer than this client understands (1.x)`,
      'Update the client.',
    );
  }
  const problems: Problem[] = [];
  const top = z.safeParse(manifestSchema, isObject(models) ? { ...objectOf(json), models: {} } : json, {
    reportInput: true,
  });
  if (!top.success) problems.push(...problemsOf(top.error.issues, file));
  const parsed = parseModels(objectOf(models), file, problems);
  if (top.success && problems.length === 0) return { ...top.data, models: parsed };
  throw problemsError('invalid', `${file}: not a valid manifest`, problems);
}

/**
 * One by one, for the schema of the whole would first gather the faults of every model that a
 * hostile manifest can hold.
 */
function parseModels(models: Readonly<Record<string, unknown>>, file: string, problems: Problem[]): Manifest['models'] {
  const parsed: Manifest['models'] = {};
  const names = new Map<string, string>();
  for (const [name, model] of Object.entries(models)) {
    if (problems.length >= maxProblems) break;
    const result = z.safeParse(onlyModels, { models: { [name]: model } }, { reportInput: true });
    if (result.success) Object.assign(parsed, result.data.models);
    else problems.push(...problemsOf(result.error.issues, file).slice(0, maxProblems));
    const key = clashKey(name);
    const other = names.get(key);
    names.set(key, name);
    if (other === undefined) continue;
    const message = `differs from ${JSON.stringify(other)} in case alone`;
    problems.push({ level: 'error', file, path: jsonPath(['models', name]), message });
  }
  return parsed;
}
