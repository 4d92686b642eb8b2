import { createHash } from 'node:crypto';
import type { CompletedPart, ListPartsCommandInput, ListPartsCommandOutput } from '@aws-sdk/client-s3';
import { mapConcurrently } from '../../../core/concurrency.ts';
import { AircherError } from '../../../core/errors.ts';
import type { RunContext } from '../../../core/events.ts';
import { readContentWhole } from '../../file-content.ts';
import { persist } from '../../remote.ts';
import { hasStatus, RequestFailure } from '../../request-failure.ts';
import type { ReleaseFile } from '../../target.ts';
import { type FoundObject, type ObjectHeaders, requireAnswer, unlessChanged } from './objects.ts';
import type { Bucket } from './s3-client.ts';

/** S3 takes 10,000 parts, and R2 wants all but the last of one size. */
const maxParts = 10_000;
const leastPartBytes = 16 * 1024 * 1024;

/** Whether a file is sent in parts. A few of them are held in memory at once. */
export function isSentInParts({ sizeBytes }: ReleaseFile): boolean {
  return sizeBytes > leastPartBytes;
}

export interface Sending {
  readonly key: string;
  readonly headers: ObjectHeaders;
  /** What stands there, and is to be replaced. */
  readonly before: Pick<FoundObject, 'etag'> | undefined;
  readonly onSent: (bytes: number) => void;
}

/** Writes small bytes at once. The server refuses them where they arrive with another digest. */
export async function putBytes(
  bucket: Bucket,
  bytes: Uint8Array,
  { key, headers, before, onSent }: Omit<Sending, 'onSent'> & Partial<Sending>,
  context: RunContext,
): Promise<void> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  const checksum = Buffer.from(headers.Metadata.sha256, 'hex').toString('base64');
  const question = new PutObjectCommand({
    Bucket: bucket.name,
    Key: key,
    Body: bytes,
    ...headers,
    ChecksumAlgorithm: 'SHA256',
    ChecksumSHA256: checksum,
    ...unlessChanged(before),
  });
  const { ETag } = await bucket.ask(`writing ${key}`, { signal: context.signal, onSent }, (s3, options) =>
    s3.send(question, options),
  );
  requireAnswer(ETag, `writing ${key}`);
}

/**
 * Sends a file of a release. One in parts goes on with what an interrupted upload left, and what
 * that has isn't sent again. Throws `integrity` where the file isn't what was packed.
 */
export async function sendObject(
  bucket: Bucket,
  file: ReleaseFile,
  sending: Sending,
  context: RunContext,
): Promise<void> {
  if (!isSentInParts(file)) {
    const bytes = await readContentWhole(file);
    requirePacked(file, createHash('sha256').update(bytes).digest('hex'));
    return putBytes(bucket, bytes, sending, context);
  }
  const uploadId = await openUpload(bucket, sending, context);
  try {
    await complete(bucket, sending, uploadId, await sendParts(bucket, file, sending, uploadId, context), context);
  } catch (error) {
    const isWrong = error instanceof AircherError && error.code === 'integrity';
    // With 412 another object is there by now.
    if (isWrong || hasStatus(error, 412)) await abort(bucket, sending.key, uploadId, context);
    // Somebody ended it: the next attempt begins another.
    if (hasStatus(error, 404) && error.reasons.includes('NoSuchUpload')) {
      throw new RequestFailure(error.message, { status: 404, retryable: true, code: 'conflict', cause: error });
    }
    throw error;
  }
}

function requirePacked(file: ReleaseFile, found: string): void {
  if (found === file.sha256) return;
  throw new AircherError('integrity', `${file.name} is not what was packed`, {
    hint: 'Run `aircher-models pack` again.',
    details: { expected: file.sha256, found },
  });
}

/**
 * The upload that an earlier run or attempt left, the newest where there are several; else a new
 * one.
 */
async function openUpload(bucket: Bucket, { key, headers }: Sending, context: RunContext): Promise<string> {
  const { CreateMultipartUploadCommand, ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3');
  const place = { Bucket: bucket.name, Key: key };
  const [newest, ...others] = await bucket.persistently(`beginning ${key}`, context, async (s3, options) => {
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ ...place, Prefix: key }), options);
    const open = Uploads.filter((upload) => upload.Key === key).sort(
      (a, b) => Number(b.Initiated) - Number(a.Initiated),
    );
    if (open.length > 0) return open.map(({ UploadId }) => UploadId);
    const input = { ...place, ...headers, ChecksumAlgorithm: 'SHA256' } as const;
    return [(await s3.send(new CreateMultipartUploadCommand(input), options)).UploadId];
  });
  for (const upload of others) await abort(bucket, key, upload, context);
  return requireAnswer(newest, `beginning ${key}`);
}

async function abort(bucket: Bucket, key: string, uploadId: string | undefined, context: RunContext): Promise<void> {
  const { AbortMultipartUploadCommand } = await import('@aws-sdk/client-s3');
  const question = new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: key, UploadId: uploadId });
  await bucket
    .persistently(`ending an upload of ${key}`, context, (s3, options) => s3.send(question, options))
    .catch((error: unknown) => {
      if (!hasStatus(error, 404)) throw error;
    });
}

/** Reads the file once, in order, and sends a few parts at once. */
async function sendParts(
  bucket: Bucket,
  file: ReleaseFile,
  { key, onSent }: Sending,
  uploadId: string,
  context: RunContext,
): Promise<readonly CompletedPart[]> {
  const { UploadPartCommand } = await import('@aws-sdk/client-s3');
  const there = await partsOf(bucket, key, uploadId, context);
  const partBytes = Math.max(leastPartBytes, Math.ceil(file.sizeBytes / maxParts));
  const whole = createHash('sha256');
  const sent = new Map<number, number>();
  const tell = (number: number, bytes: number): void => {
    sent.set(number, bytes);
    onSent([...sent.values()].reduce((sum, each) => sum + each, 0));
  };
  let reading: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));
  const readNext = (start: number): Promise<Buffer> => {
    reading = reading.then(async () => {
      context.signal?.throwIfAborted();
      const bytes = await readContentWhole(file, { start, end: Math.min(file.sizeBytes, start + partBytes) });
      whole.update(bytes);
      return bytes;
    });
    return reading;
  };
  const numbers = Array.from({ length: Math.ceil(file.sizeBytes / partBytes) }, (_, index) => index + 1);
  const parts = await mapConcurrently(numbers, bucket.patience.parallel, async (PartNumber): Promise<CompletedPart> => {
    const bytes = await readNext((PartNumber - 1) * partBytes);
    const ChecksumSHA256 = createHash('sha256').update(bytes).digest('base64');
    const found = there.get(PartNumber);
    if (found?.ChecksumSHA256 === ChecksumSHA256) {
      tell(PartNumber, bytes.length);
      return found;
    }
    const question = new UploadPartCommand({
      Bucket: bucket.name,
      Key: key,
      UploadId: uploadId,
      PartNumber,
      Body: bytes,
      ChecksumAlgorithm: 'SHA256',
      ChecksumSHA256,
    });
    const what = `writing part ${PartNumber} of ${key}`;
    const { ETag } = await persist(what, bucket.patience, context, () =>
      bucket.ask(what, { signal: context.signal, onSent: (at) => tell(PartNumber, at) }, (s3, options) =>
        s3.send(question, options),
      ),
    );
    tell(PartNumber, bytes.length);
    return { PartNumber, ETag: requireAnswer(ETag, what), ChecksumSHA256 };
  });
  requirePacked(file, whole.digest('hex'));
  return parts;
}

/** What an upload has, by number. */
async function partsOf(
  bucket: Bucket,
  key: string,
  uploadId: string,
  context: RunContext,
): Promise<ReadonlyMap<number, CompletedPart>> {
  const { ListPartsCommand } = await import('@aws-sdk/client-s3');
  const parts = new Map<number, CompletedPart>();
  for (let after: string | undefined = '0'; after !== undefined; ) {
    const input: ListPartsCommandInput = { Bucket: bucket.name, Key: key, UploadId: uploadId, PartNumberMarker: after };
    // Not the SDK's own paging: some servers name a next page behind the last one.
    const page: ListPartsCommandOutput = await bucket.persistently(
      `looking for parts of ${key}`,
      context,
      (s3, options) => s3.send(new ListPartsCommand(input), options),
    );
    for (const { PartNumber = 0, ETag, ChecksumSHA256 } of page.Parts ?? []) {
      parts.set(PartNumber, { PartNumber, ETag, ChecksumSHA256 });
    }
    after = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  }
  return parts;
}

async function complete(
  bucket: Bucket,
  { key, before }: Sending,
  uploadId: string,
  parts: readonly CompletedPart[],
  context: RunContext,
): Promise<void> {
  const { CompleteMultipartUploadCommand } = await import('@aws-sdk/client-s3');
  const question = new CompleteMultipartUploadCommand({
    Bucket: bucket.name,
    Key: key,
    UploadId: uploadId,
    MultipartUpload: { Parts: [...parts] },
    ...unlessChanged(before),
  });
  const what = `ending ${key}`;
  const { ETag } = await bucket.ask(what, { signal: context.signal }, (s3, options) => s3.send(question, options));
  requireAnswer(ETag, what);
}
