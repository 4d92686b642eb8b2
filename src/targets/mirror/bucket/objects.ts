import { basename, extname } from 'node:path';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { AircherError } from '../../../core/errors.ts';
import type { RunContext } from '../../../core/events.ts';
import { sha256Pattern } from '../../../core/hashing.ts';
import { hasStatus, malformed } from '../../request-failure.ts';
import type { Bucket } from './s3-client.ts';

/** What is said of an object when it is written. */
export interface ObjectHeaders {
  readonly ContentType: string;
  readonly CacheControl: string;
  /** `sha256`: of the whole, in hex. It also says that the object is one of ours. */
  readonly Metadata: { readonly sha256: string };
}

/** An object as the bucket tells of it. */
export interface FoundObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** By the bucket's own checksum, or what was written beside it. */
  readonly sha256: string | undefined;
  /** Whether it was uploaded by this program. */
  readonly isOurs: boolean;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.html': 'text/html; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.sha256': 'text/plain; charset=utf-8',
  '.minisig': 'text/plain; charset=utf-8',
  '.asc': 'text/plain; charset=utf-8',
  '.gz': 'application/gzip',
  '.zst': 'application/zstd',
};

/** What is below a tag never changes once it is public; what is at the root does. */
export function objectHeaders(path: string, sha256: string): ObjectHeaders {
  return {
    ContentType: contentTypes[extname(path)] ?? 'application/octet-stream',
    CacheControl: path.includes('/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    Metadata: { sha256 },
  };
}

/** What a write asks of its place: that there is nothing, or still what was seen. */
export function unlessChanged(before: Pick<FoundObject, 'etag'> | undefined) {
  return before === undefined ? { IfNoneMatch: '*' } : { IfMatch: before.etag };
}

export interface ListedObject {
  readonly key: string;
  readonly etag: string;
}

/** Every object whose key begins so. */
export async function listObjects(
  bucket: Bucket,
  prefix: string,
  context: RunContext,
): Promise<readonly ListedObject[]> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  return bucket.persistently(`listing ${prefix}`, context, async (s3, options) => {
    const found: ListedObject[] = [];
    const pages = paginateListObjectsV2({ client: s3 }, { Bucket: bucket.name, Prefix: prefix }, options);
    for await (const { Contents = [] } of pages) {
      for (const { Key, ETag = '' } of Contents) if (Key !== undefined) found.push({ key: Key, etag: ETag });
    }
    return found;
  });
}

/** What stands between slashes in keys that begin so: names of directories, were they files. */
export async function listDirectories(bucket: Bucket, prefix: string, context: RunContext): Promise<readonly string[]> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  return bucket.persistently(`listing ${prefix}`, context, async (s3, options) => {
    const found: string[] = [];
    const input = { Bucket: bucket.name, Prefix: prefix, Delimiter: '/' };
    for await (const { CommonPrefixes = [] } of paginateListObjectsV2({ client: s3 }, input, options)) {
      found.push(...CommonPrefixes.map(({ Prefix = '' }) => basename(Prefix)));
    }
    return found;
  });
}

/** Undefined where there is no object of that key. */
export async function findObject(bucket: Bucket, key: string, context: RunContext): Promise<FoundObject | undefined> {
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
  const question = new HeadObjectCommand({ Bucket: bucket.name, Key: key, ChecksumMode: 'ENABLED' });
  const what = `looking at ${key}`;
  return unlessAbsent(
    bucket.persistently(what, context, async (s3, options) => {
      const head = await s3.send(question, options);
      const noted = head.Metadata?.sha256;
      const isOurs = noted !== undefined && sha256Pattern.test(noted);
      return {
        key,
        sizeBytes: head.ContentLength ?? 0,
        etag: requireAnswer(head.ETag, what),
        sha256: wholeChecksum(head) ?? (isOurs ? noted : undefined),
        isOurs,
      };
    }),
  );
}

/** A proxy's answer with status 200 must not pass for one of the bucket. */
export function requireAnswer<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw malformed(what);
}

/**
 * The bucket's own SHA-256 of all bytes, in hex. Of an object in parts it is one of their digests,
 * and says nothing of the whole; such an ETag ends with their number.
 */
function wholeChecksum({ ChecksumSHA256: base64, ETag = '' }: HeadObjectCommandOutput): string | undefined {
  if (base64 === undefined || base64.includes('-') || /-\d+"?$/.test(ETag)) return undefined;
  return Buffer.from(base64, 'base64').toString('hex');
}

/** A document and its ETag; undefined where there is none. Throws `invalid` for a large one. */
export async function readObject(
  bucket: Bucket,
  key: string,
  maxBytes: number,
  context: RunContext,
): Promise<{ readonly bytes: Buffer; readonly version: string } | undefined> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const question = new GetObjectCommand({ Bucket: bucket.name, Key: key });
  const what = `reading ${key}`;
  return unlessAbsent(
    bucket.persistently(what, context, async (s3, options) => {
      const { Body, ETag } = await s3.send(question, options);
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      if (bytes.length > maxBytes) throw new AircherError('invalid', `${key}: more than ${maxBytes} bytes`);
      return { bytes, version: requireAnswer(ETag, what) };
    }),
  );
}

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (hasStatus(error, 404) && !error.reasons.includes('NoSuchBucket')) return undefined;
    throw error;
  }
}
