import { limits } from '../../../contract/limits.ts';
import { mapConcurrently } from '../../../core/concurrency.ts';
import type { Problem } from '../../../core/errors.ts';
import type { RunContext } from '../../../core/events.ts';
import { sha256 } from '../../../core/hashing.ts';
import { contentProblems } from '../../file-content.ts';
import { problemError } from '../../preflight-problems.ts';
import { createPatience, persist, type RemoteTuning } from '../../remote.ts';
import { hasStatus, RequestFailure } from '../../request-failure.ts';
import type { ReleaseFile, TargetRelease } from '../../target.ts';
import { uploadProgress } from '../../upload-progress.ts';
import type { MirrorStorage } from '../storage.ts';
import {
  type FoundObject,
  findObject,
  type ListedObject,
  listDirectories,
  listObjects,
  objectHeaders,
  readObject,
} from './objects.ts';
import { type BucketAddress, type BucketCredentials, openBucket } from './s3-client.ts';
import { isSentInParts, putBytes, sendObject } from './send-object.ts';

/** Objects that are looked at at once. */
const parallelLooks = 16;

/** A file, and what stands in its place. */
interface Lacking {
  readonly file: ReleaseFile;
  readonly found: FoundObject | undefined;
}

/**
 * An S3-compatible bucket. Every write is conditional on what was seen in its place, and carries
 * the digest of its bytes. Replaced are the documents at the root, and before a release is public
 * what an earlier run of ours left of it; nothing else, ever.
 */
export function bucketStorage(
  address: BucketAddress,
  tuning: RemoteTuning,
  credentials?: BucketCredentials,
): MirrorStorage {
  const patience = createPatience(tuning, {}, address.endpoint);
  const bucket = openBucket(address, patience, credentials);
  const keyOf = (path: string): string => (address.prefix === undefined ? path : `${address.prefix}/${path}`);
  const at = (path: string): string => `s3://${address.bucket}/${keyOf(path)}`;
  const place = at('').replace(/\/$/, '');
  /** By key and ETag: what was looked at once isn't asked for again. */
  const known = new Map<string, FoundObject>();

  const remember = (found: FoundObject | undefined): FoundObject | undefined => {
    if (found !== undefined) known.set(`${found.etag} ${found.key}`, found);
    return found;
  };
  const look = async ({ etag, key }: ListedObject, context: RunContext): Promise<FoundObject | undefined> =>
    known.get(`${etag} ${key}`) ?? remember(await findObject(bucket, key, context));
  const isPublic = async (tag: string, context: RunContext): Promise<boolean> =>
    (await findObject(bucket, keyOf(`${tag}/manifest.json`), context)) !== undefined;

  async function holds(found: FoundObject, file: ReleaseFile, context: RunContext): Promise<boolean> {
    if (found.sha256 === file.sha256 && found.sizeBytes === file.sizeBytes) return true;
    if (file.accepts === undefined || found.sizeBytes > limits.manifestBytes) return false;
    const stored = await readObject(bucket, found.key, limits.manifestBytes, context);
    return stored !== undefined && (await file.accepts(stored.bytes));
  }

  async function lacking(tag: string, files: readonly ReleaseFile[], context: RunContext): Promise<readonly Lacking[]> {
    const listed = new Map((await listObjects(bucket, keyOf(`${tag}/`), context)).map((each) => [each.key, each]));
    const looks = await mapConcurrently(files, parallelLooks, async (file): Promise<readonly Lacking[]> => {
      const entry = listed.get(keyOf(`${tag}/${file.name}`));
      const found = entry && (await look(entry, context));
      return found !== undefined && (await holds(found, file, context)) ? [] : [{ file, found }];
    });
    return looks.flat();
  }

  /** Makes one object right: looks, sends; after a failure from the look again. */
  async function settle(tag: string, { file, found }: Lacking, isFinal: boolean, context: RunContext): Promise<void> {
    const path = `${tag}/${file.name}`;
    const key = keyOf(path);
    const progress = uploadProgress(file, 'mirror', context);
    await persist(`uploading ${file.name}`, patience, context, async (attempt) => {
      const before = attempt === 1 ? found : await findObject(bucket, key, context);
      if (before !== undefined && (await holds(before, file, context))) return;
      if (before !== undefined && (isFinal || !before.isOurs)) throw problemError(inTheWay(at(path), before));
      const headers = objectHeaders(path, file.sha256);
      await sendObject(bucket, file, { key, headers, before, onSent: progress.sent }, context);
      const after = remember(await findObject(bucket, key, context));
      if (after !== undefined && (await holds(after, file, context))) return;
      const fact = `${file.name}: other bytes arrived than were sent`;
      throw new RequestFailure(fact, { retryable: true, code: 'integrity' });
    });
    progress.done();
  }

  async function send(tag: string, files: readonly ReleaseFile[], context: RunContext): Promise<void> {
    const isFinal = await isPublic(tag, context);
    const wanted = await lacking(tag, files, context);
    const names = new Set(wanted.map(({ file }) => file.name));
    for (const file of files) if (!names.has(file.name)) uploadProgress(file, 'mirror', context).done('already there');
    const small = wanted.filter(({ file }) => !isSentInParts(file));
    await mapConcurrently(small, patience.parallel, (each) => settle(tag, each, isFinal, context));
    // One after the other, since each has several parts on their way.
    for (const each of wanted) if (isSentInParts(each.file)) await settle(tag, each, isFinal, context);
  }

  async function problems({ tag, files }: TargetRelease, context: RunContext): Promise<readonly Problem[]> {
    const found: Problem[] = [...(await contentProblems(files))];
    try {
      const others = files.filter(({ name }) => name !== 'manifest.json');
      // A list comes first: what is wrong with a HEAD stands in no answer.
      const wanted = await lacking(tag, others, context);
      const isFinal = await isPublic(tag, context);
      for (const { file, found: other } of wanted) {
        if (other !== undefined && (isFinal || !other.isOurs)) found.push(inTheWay(at(`${tag}/${file.name}`), other));
      }
      await requireWritable(keyOf(`${tag}/manifest.json`), context);
    } catch (error) {
      if (!(error instanceof RequestFailure) || error.retryable) throw error;
      const { message, hint = '', code = 'conflict' } = error;
      found.push({ level: 'error', code, file: place, message, hint });
    }
    return found;
  }

  /**
   * Asks to add a part to an upload that isn't there: who may not write gets 403. Nothing can come
   * of it, and no other answer says anything.
   */
  async function requireWritable(key: string, { signal }: RunContext): Promise<void> {
    const { UploadPartCommand } = await import('@aws-sdk/client-s3');
    const input = { Bucket: bucket.name, Key: key, UploadId: 'none', PartNumber: 1, Body: new Uint8Array(0) };
    await bucket
      .ask('asking for the right to write', { signal }, (s3, options) => s3.send(new UploadPartCommand(input), options))
      .catch((error: unknown) => {
        if (hasStatus(error, 403) || !(error instanceof RequestFailure)) throw error;
      });
  }

  return {
    place,
    at,
    correction: 'Correct "mirror.s3" in release.json.',
    directories: (start, context) => listDirectories(bucket, keyOf(start), context),
    list: async (directory, context) => {
      const prefix = keyOf(`${directory}/`);
      const listed = await listObjects(bucket, prefix, context);
      const found = await mapConcurrently(listed, parallelLooks, (each) => look(each, context));
      return found.flatMap((each) => {
        if (each === undefined) return [];
        const digest = each.sha256 === undefined ? undefined : ({ algorithm: 'sha256', hex: each.sha256 } as const);
        const name = each.key.slice(prefix.length);
        return [{ name, sizeBytes: each.sizeBytes, digest, state: 'whole', downloads: undefined }];
      });
    },
    exists: async (path, context) => (await findObject(bucket, keyOf(path), context)) !== undefined,
    read: (path, maxBytes, context) => readObject(bucket, keyOf(path), maxBytes, context),
    replace: async (path, bytes, before, context) => {
      if (before?.bytes?.equals(bytes)) return;
      const seen = before && { etag: before.version ?? '' };
      await putBytes(
        bucket,
        bytes,
        { key: keyOf(path), headers: objectHeaders(path, sha256(bytes)), before: seen },
        context,
      );
    },
    missing: async (tag, files, context) => (await lacking(tag, files, context)).map(({ file }) => file),
    send,
    problems: (release, _names, context) => problems(release, context),
  };
}

function inTheWay(file: string, found: FoundObject): Problem {
  const problem = { level: 'error', code: 'conflict', file } as const;
  return found.isOurs
    ? {
        ...problem,
        message: 'has other content, and its release is public',
        hint: 'What is published is never changed: raise "release" in release.json. If the object was damaged, remove it, and run the same command again.',
      }
    : {
        ...problem,
        message: 'is an object that aircher-models did not upload',
        hint: 'Nothing is written over it. Find out whose it is, and move it away, or correct "mirror.s3" in release.json.',
      };
}
