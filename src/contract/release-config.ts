import parseLicense from 'spdx-expression-parse';
import * as z from 'zod/mini';
import {
  archiveFormatField,
  modelNameField,
  namespacePattern,
  publicKeyField,
  qualityScoreField,
  sha256Field,
  tagField,
  urlField,
  versionField,
} from './fields.ts';
import { toleranceField } from './reference-vectors.ts';

/** The schema of `manifests/release.json` (docs/formats.md). Unknown keys are errors. */

const nonEmpty = z.string().check(z.minLength(1, 'must not be empty'));

const repository = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9._-]+$/, 'must be "owner/name"'));

const commit = z.string().check(z.regex(/^[0-9a-f]{40}$/, 'must be a full commit id: 40 lower-case hex digits'));

const globPattern = nonEmpty.check(
  z.refine(
    (text) => !text.startsWith('/') && !text.split('/').includes('..'),
    'must be relative and stay inside the model',
  ),
);

/** An address that paths are appended to. */
const baseUrlField = urlField.check(
  z.refine((text) => !/[?#]/.test(text), 'must have no query and no fragment: paths are appended to it'),
);

const patternList = z.optional(
  z.array(globPattern).check(z.minLength(1, 'must name at least one pattern, or be left out')),
);

const licenseField = nonEmpty.check(
  z.refine(
    isSpdxExpression,
    'must be an SPDX licence expression such as "Apache-2.0", or "LicenseRef-…" for one not listed',
  ),
);

function isSpdxExpression(text: string): boolean {
  try {
    parseLicense(text);
    return true;
  } catch {
    return false;
  }
}

const commandField = z.array(nonEmpty).check(z.minLength(1, 'must name a program'));

/** How reference vectors are made. */
export const referenceConfig = z.strictObject({
  /** Speaks the embed protocol (`embed-protocol.ts`); runs in the working directory. */
  command: commandField,
  /** A file of texts instead of the built-in ones, relative to the working directory. */
  texts: z.optional(nonEmpty),
  tolerance: z.optional(toleranceField),
  /** Renditions beside the default that get vectors of their own, by path. */
  weights: z.optional(z.record(z.string(), z.strictObject({ tolerance: z.optional(toleranceField) }))),
});

export const directorySource = z.strictObject({
  /** Relative to the working directory. */
  directory: nonEmpty,
  follow_links: z.optional(z.boolean()),
});

export const hubSource = z.strictObject({ huggingface: repository, revision: commit });

export const modelConfigSchema = z.strictObject({
  version: versionField,
  license: licenseField,
  /** Needed where the licence is a LicenseRef that nobody lists. */
  commercial_use: z.optional(z.boolean()),
  quality_score: z.optional(qualityScoreField),
  changes: z.optional(z.string()),
  source: z.union([directorySource, hubSource], 'must be { "directory": … } or { "huggingface": …, "revision": … }'),
  include: patternList,
  exclude: patternList,
  /** The weights that are installed where none are asked for: a path in the model. */
  default_weights: z.optional(nonEmpty),
  allow_code: z.optional(z.boolean()),
  reference: z.optional(referenceConfig),
  /** Keep the last version's space if the vectors of the one in which it began come out equal. */
  keep_space: z.optional(z.boolean()),
});

const mirrorFields = {
  base_url: baseUrlField,
  /** Whether `base_url` is asked for the release before pointers move. */
  probe: z.optional(z.boolean()),
};

export const directoryMirror = z.strictObject({ ...mirrorFields, directory: nonEmpty });

/** Names of buckets [docs.aws.amazon.com, "General purpose bucket naming rules"]. */
const bucketName = z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'));
/** Characters that need no escape in a key or in its address. */
const keyPrefix = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/,
      'must be like "models/acme", of A-Z a-z 0-9 . _ -',
    ),
  );

export const s3Bucket = z
  .strictObject({
    bucket: bucketName,
    prefix: z.optional(keyPrefix),
    endpoint: z.optional(baseUrlField),
    region: z.optional(z.string().check(z.regex(/^[a-z0-9-]+$/, 'must be like "eu-central-1"'))),
  })
  .check(
    z.refine(
      ({ endpoint, region }) => (endpoint ?? region) !== undefined,
      'needs "region" (AWS) or "endpoint" (others)',
    ),
  );

export const bucketMirror = z.strictObject({ ...mirrorFields, s3: s3Bucket });

/** GitHub's API has a name of its own, which begins like this on every installation of theirs. */
function isWebsite(url: string): boolean {
  return !/^https?:\/\/api\.([^/]+\.)?(github|ghe)\.com(\/|$)/i.test(url);
}

export const releaseConfigSchema = z.strictObject({
  $schema: z.optional(z.string()),
  release: versionField,
  namespace: z
    .string()
    .check(z.regex(namespacePattern, 'must be 1 to 64 of a-z 0-9 . _ -, the first a letter or digit')),
  tag_prefix: z.string().check(z.regex(/^[A-Za-z0-9._-]*$/, 'must be of A-Z a-z 0-9 . _ -')),
  github: z.optional(
    z.strictObject({
      repository,
      make_latest: z.optional(z.boolean()),
      server_url: z.optional(
        baseUrlField.check(
          z.refine(isWebsite, 'is the address of an API: give the website’s, and the API’s as api_url'),
        ),
      ),
      api_url: z.optional(baseUrlField),
    }),
  ),
  huggingface: z.optional(
    z.strictObject({ repository, raw_files: z.optional(z.boolean()), endpoint: z.optional(baseUrlField) }),
  ),
  mirror: z.optional(
    z.union(
      [directoryMirror, bucketMirror],
      'must be { "base_url": …, "directory": … } or { "base_url": …, "s3": { "bucket": …, … } }',
    ),
  ),
  routing: z.optional(z.strictObject({ large_model_bytes: z.int().check(z.gte(0, 'must not be negative')) })),
  archive: z.optional(z.strictObject({ format: archiveFormatField })),
  encodings: z.optional(
    z.strictObject({
      planes: z.optional(z.boolean()),
      /** Patches to a new version of a model: from so many of its newest older ones. */
      patches: z.optional(z.int().check(z.gte(0, 'must not be negative'), z.lte(10, 'must be at most 10'))),
    }),
  ),
  signing: z.optional(
    z.strictObject({
      public_keys: z.optional(z.array(publicKeyField)),
      /**
       * Keys that sign no more, and the last release that each has signed: what they signed until
       * then counts.
       */
      former_keys: z.optional(z.array(z.strictObject({ key: publicKeyField, last_release: versionField }))),
      /** The last release before the first signed one, by the digest of its manifest. */
      builds_on: z.optional(z.strictObject({ tag: tagField, sha256: sha256Field })),
      gpg_fingerprint: z.optional(
        z.string().check(z.regex(/^[0-9A-Fa-f]{40}$/, 'must be a full GPG fingerprint: 40 hex digits')),
      ),
      expires_in_days: z.optional(z.int().check(z.gte(1, 'must be at least 1'), z.lte(3650, 'must be at most 3650'))),
    }),
  ),
  check: z.optional(commandField),
  yanked: z.optional(z.array(z.strictObject({ model: modelNameField, version: versionField, reason: nonEmpty }))),
  /** Names are checked by `parseReleaseConfig`, so that a bad one hides no problem of its model. */
  models: z.record(z.string(), modelConfigSchema),
});

export type ReleaseConfig = Readonly<z.infer<typeof releaseConfigSchema>>;
export type ModelConfig = Readonly<z.infer<typeof modelConfigSchema>>;

export type ReferenceConfig = Readonly<z.infer<typeof referenceConfig>>;

export const defaultTolerance = 1e-4;
export const defaultLargeModelBytes = 104_857_600;
export const defaultHubEndpoint = 'https://huggingface.co';
