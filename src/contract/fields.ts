import * as z from 'zod/mini';
import { sha256Pattern } from '../core/hashing.ts';
import { shortened } from '../core/printable.ts';
import { limits } from './limits.ts';
import { filePathFault, modelNameFault, pathClashes } from './names.ts';
import * as semver from './versions.ts';

/** Fields that release.json, manifests and indexes share. */

export const sha256Field = z.string().check(z.regex(sha256Pattern, 'must be a sha256: 64 lower-case hex digits'));

/** A size in bytes: a whole number that JSON holds exactly. */
export const sizeField = z.int('must be a whole number of bytes').check(z.gte(0, 'must not be negative'));

/**
 * semver without build metadata: two versions that differ in build metadata alone compare as equal.
 */
export const versionField = z.string().check(
  z.refine((text) => semver.valid(text) === text && !text.includes('+'), {
    error: 'must be a semantic version such as "1.2.0", without build metadata',
  }),
  // It becomes part of file names, which most file systems hold to 255 bytes.
  z.maxLength(100, 'must have at most 100 characters'),
);

type FaultOf = (text: string) => string | undefined;

/** A text in which `faultOf` finds nothing wrong. */
const textWithout = (faultOf: FaultOf) =>
  z.string().check(
    z.refine((text) => faultOf(text) === undefined, {
      error: (issue) => faultOf(String(issue.input)) ?? 'is not valid',
    }),
  );

/** Names the text before what is wrong with it. */
const quoted =
  (faultOf: FaultOf): FaultOf =>
  (text) => {
    const fault = faultOf(text);
    return fault && `${JSON.stringify(shortened(text))} ${fault}`;
  };

export const modelNameField = textWithout(quoted(modelNameFault));

/** What every list of a model's files says of one. */
/** Bytes of all files together. */
export function totalSize(files: readonly { readonly size_bytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.size_bytes, 0);
}

export const fileFields = { path: textWithout(quoted(filePathFault)), size_bytes: sizeField, sha256: sha256Field };

/** A list of files of one model. */
export const fileListOf = <T extends z.ZodMiniType<{ readonly path: string }>>(file: T): z.ZodMiniArray<T> =>
  z.array(file).check(
    z.maxLength(limits.filesPerModel, `has more than ${limits.filesPerModel} files`),
    z.refine((files) => pathClashes(files.map(({ path }) => path)).length === 0, {
      error: 'has paths that clash on some file systems',
    }),
  );

/** Seconds-exact UTC time. */
export const timeField = z.string().check(
  z.regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'must be a UTC time such as "2026-01-01T00:00:00Z"'),
  z.refine((text) => !Number.isNaN(Date.parse(text)), 'is not a date that exists'),
);

export const qualityScoreField = z
  .number()
  .check(z.gte(0, 'must be from 0 to 100'), z.lte(100, 'must be from 0 to 100'));

/** Longest tag of a release. */
export const maxTagLength = 200;
export const tagPattern = /^[A-Za-z0-9._-]+$/;
export const tagField = z
  .string()
  .check(z.regex(tagPattern, 'must be a tag of A-Z a-z 0-9 . _ -'), z.maxLength(maxTagLength));

/** An http or https URL without credentials. Which of both is allowed where, the reader decides. */
export const urlField = textWithout(webUrlFault).check(z.maxLength(4096));

function webUrlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL';
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be an https URL';
  return username || password ? 'must not contain a user name or password' : undefined;
}

/** Where a thing can be downloaded, by kind of host. Readers ignore kinds they don't know. */
export const downloadUrlsField = z.looseObject({
  github: z.optional(urlField),
  huggingface: z.optional(urlField),
  mirror: z.optional(urlField),
});

export type HostKind = 'github' | 'huggingface' | 'mirror';
export const hostKinds: readonly HostKind[] = ['github', 'huggingface', 'mirror'];
export type DownloadUrls = { readonly [kind in HostKind]?: string | undefined };

/** A public key in minisign's base64 form: 42 bytes that begin with `Ed`. */
export const publicKeyField = z
  .string()
  .check(z.regex(/^RW[A-Za-z0-9+/]{54}$/, 'must be a minisign public key: 56 characters that begin with RW'));

/** What an archive is, which is also the ending of its name. */
export type ArchiveFormat = 'tar.gz' | 'tar.zst' | 'tar';
export const archiveFormats: readonly ArchiveFormat[] = ['tar.gz', 'tar.zst', 'tar'];
export const archiveFormatField = z.enum(archiveFormats, `must be one of ${archiveFormats.join(', ')}`);

/**
 * What an encoding holds: chunks as byte planes, or as their difference from those of an older
 * version.
 */
export type EncodingKind = 'planes' | 'patch';
export const encodingKinds: readonly EncodingKind[] = ['planes', 'patch'];

/** A publisher's namespace, which also names a directory. */
export const namespacePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
