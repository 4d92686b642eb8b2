import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { serveContent } from '../content.ts';
import { createFaults, type Faults } from '../faults.ts';
import { type Exchange, readBytes, startOrigin } from '../http.ts';
import type { Limits } from '../pacing.ts';
import { Refusal, type Reply } from '../reply.ts';
import { createRequestLog, type RequestLog } from '../request-log.ts';
import { ObjectStore, type StoredBytes, type StoredObject } from './object-store.ts';
import { s3Error, xmlText } from './s3-error.ts';
import { checkSignature, type S3Account } from './signature-check.ts';

export interface S3Options {
  /** Objects lie below `<directory>/<bucket>`. */
  readonly directory: string;
  readonly bucket: string;
  /** By access key. */
  readonly accounts: Readonly<Record<string, S3Account>>;
  readonly region?: string;
  readonly faults?: Faults;
  readonly log?: RequestLog;
  readonly limits?: Limits;
  /** Entries of one page of a list; S3's are 1,000. */
  readonly pageSize?: number;
  /** Milliseconds by which the server's clock is ahead. */
  readonly clockAheadMs?: number;
}

export interface S3 {
  /** Base of the API, without a final slash. */
  readonly url: string;
  readonly faults: Faults;
  readonly log: RequestLog;
  /** Uploads that were neither completed nor aborted, by key. */
  readonly openUploads: () => readonly string[];
  close(): Promise<void>;
}

interface Upload {
  readonly id: string;
  readonly key: string;
  readonly begun: Date;
  readonly headers: StoredObject['headers'];
  readonly hasChecksums: boolean;
  readonly parts: Map<number, StoredBytes>;
}

/** All parts but the last have at least so many bytes. */
const minPartBytes = 5 * 1024 * 1024;
const maxPutBytes = 5 * 1024 ** 3;

/**
 * One bucket, as strict as S3: signed payloads, checksums, conditional writes, parts by their
 * rules. Whoever may write may list, read, write and use uploads, and nothing else: nobody deletes
 * objects.
 */
export async function startS3(options: S3Options): Promise<S3> {
  const { bucket, accounts, region = 'us-east-1', pageSize = 1000 } = options;
  const faults = options.faults ?? createFaults();
  const log = options.log ?? createRequestLog();
  const store = new ObjectStore(options.directory);
  const uploads = new Map<string, Upload>();
  /** Writes are decided one after the other. */
  let deciding: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const done = deciding.then(work, work);
    deciding = done.catch(() => {});
    return done;
  };

  const handler = async (exchange: Exchange): Promise<Reply> => {
    const now = Date.now() + (options.clockAheadMs ?? 0);
    const marked = (reply: Reply): Reply => ({
      ...reply,
      headers: { ...reply.headers, date: new Date(now).toUTCString(), 'x-amz-request-id': randomUUID() },
    });
    try {
      const [, name = '', ...rest] = exchange.url.pathname.split('/').map(decodeURIComponent);
      const { rights = 'write' } = checkSignature(exchange, accounts, region, now);
      if (name !== bucket) throw s3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
      const isRead = exchange.method === 'GET' || exchange.method === 'HEAD';
      if (rights === 'none' || (rights === 'read' && !isRead)) throw s3Error(403, 'AccessDenied', 'Access Denied');
      return marked(await answer(exchange, rest.join('/')));
    } catch (error) {
      throw error instanceof Refusal ? new Refusal(marked(error.reply)) : error;
    }
  };

  const answer = async (exchange: Exchange, key: string): Promise<Reply> => {
    const { method, url } = exchange;
    const asks = (parameter: string): boolean => url.searchParams.has(parameter);
    if (method === 'GET' && key === '') return asks('uploads') ? listUploads(url) : list(url);
    if (method === 'GET' && asks('uploadId')) return listParts(uploadOf(url, key));
    if (method === 'GET' || method === 'HEAD') return read(exchange, key);
    if (method === 'PUT' && asks('uploadId')) return putPart(exchange, key);
    if (method === 'PUT') return put(exchange, key);
    if (method === 'POST' && asks('uploads')) return begin(exchange, key);
    if (method === 'POST' && asks('uploadId')) return complete(exchange, uploadOf(url, key));
    if (method === 'DELETE' && asks('uploadId')) return abort(uploadOf(url, key));
    throw s3Error(403, 'AccessDenied', 'Access Denied');
  };

  const list = async (url: URL): Promise<Reply> => {
    const { prefix = '', delimiter = '', 'continuation-token': token = '' } = Object.fromEntries(url.searchParams);
    if (url.searchParams.get('list-type') !== '2') throw s3Error(501, 'NotImplemented', 'ListObjectsV2 only');
    const folded = (await store.keys(bucket))
      .filter((key) => key.startsWith(prefix))
      .map((key) => {
        const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
        return end === -1 ? key : key.slice(0, end + 1);
      });
    const entries = [...new Set(folded)].filter((entry) => entry > token);
    const page = entries.slice(0, pageSize);
    const more = entries.length > page.length;
    const items = await Promise.all(
      page.map(async (entry) => {
        if (delimiter !== '' && entry.endsWith(delimiter)) {
          return `<CommonPrefixes><Prefix>${xmlText(entry)}</Prefix></CommonPrefixes>`;
        }
        const found = await store.find(bucket, entry);
        return `<Contents><Key>${xmlText(entry)}</Key><ETag>${xmlText(found?.etag ?? '')}</ETag><Size>${found?.sizeBytes}</Size></Contents>`;
      }),
    );
    const next = more ? `<NextContinuationToken>${xmlText(page.at(-1) ?? '')}</NextContinuationToken>` : '';
    return xml('ListBucketResult', `${items.join('')}<IsTruncated>${more}</IsTruncated>${next}`);
  };

  const read = async (exchange: Exchange, key: string): Promise<Reply> => {
    const found = await store.find(bucket, key);
    if (found === undefined) throw s3Error(404, 'NoSuchKey', 'The specified key does not exist.');
    const { etag, headers, checksum } = found;
    const wanted = exchange.headers['x-amz-checksum-mode'] === 'ENABLED' && exchange.headers.range === undefined;
    const told = wanted && checksum !== undefined ? { 'x-amz-checksum-sha256': checksum } : {};
    const body = { file: found.path, start: 0, end: found.sizeBytes };
    return serveContent(exchange, { body, etag, headers: { ...headers, ...told }, manyRanges: 'whole' });
  };

  const put = async (exchange: Exchange, key: string): Promise<Reply> => {
    const received = await receive(exchange, maxPutBytes);
    return oneByOne(async () => {
      await requireCondition(exchange, key);
      const checksum = exchange.headers['x-amz-checksum-sha256']?.toString();
      const { path, sizeBytes } = received;
      const etag = `"${received.md5}"`;
      await store.put(bucket, key, { path, sizeBytes, etag, headers: headersOf(exchange), checksum });
      return { status: 200, headers: { etag, 'x-amz-checksum-sha256': checksum } };
    });
  };

  /** A body that arrived as it was sent. */
  const receive = async (exchange: Exchange, maxBytes: number): Promise<StoredBytes> => {
    const { headers } = exchange;
    const length = headers['content-length'];
    if (length === undefined) throw s3Error(411, 'MissingContentLength', 'You must provide the Content-Length header.');
    if (Number(length) > maxBytes) throw s3Error(400, 'EntityTooLarge', 'Your proposed upload is too large');
    const received = await store.receive(exchange.body());
    const checksum = headers['x-amz-checksum-sha256'];
    const fault =
      received.sizeBytes !== Number(length)
        ? s3Error(400, 'IncompleteBody', 'You did not provide the number of bytes specified by Content-Length')
        : headers['x-amz-content-sha256'] !== Buffer.from(received.sha256, 'base64').toString('hex')
          ? s3Error(
              400,
              'XAmzContentSHA256Mismatch',
              'The provided x-amz-content-sha256 header does not match what was computed.',
            )
          : checksum !== undefined && checksum !== received.sha256
            ? s3Error(400, 'BadDigest', 'The SHA256 you specified did not match the calculated checksum.')
            : undefined;
    if (fault === undefined) return received;
    await store.discard(received);
    throw fault;
  };

  const requireCondition = async (exchange: Exchange, key: string): Promise<void> => {
    const { 'if-none-match': none, 'if-match': match } = exchange.headers;
    if (none !== undefined && none !== '*') throw s3Error(501, 'NotImplemented', 'If-None-Match takes * only');
    const found = await store.find(bucket, key);
    if (match !== undefined && found === undefined)
      throw s3Error(404, 'NoSuchKey', 'The specified key does not exist.');
    if ((none !== undefined && found !== undefined) || (match !== undefined && match !== found?.etag)) {
      throw s3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
    }
  };

  const uploadOf = (url: URL, key: string): Upload => {
    const upload = uploads.get(url.searchParams.get('uploadId') ?? '');
    if (upload !== undefined && upload.key === key) return upload;
    throw s3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
  };

  const begin = async (exchange: Exchange, key: string): Promise<Reply> => {
    const hasChecksums = exchange.headers['x-amz-checksum-algorithm'] === 'SHA256';
    const id = randomUUID();
    uploads.set(id, { id, key, begun: new Date(), headers: headersOf(exchange), hasChecksums, parts: new Map() });
    return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`);
  };

  const putPart = async (exchange: Exchange, key: string): Promise<Reply> => {
    const { parts, hasChecksums } = uploadOf(exchange.url, key);
    const number = Number(exchange.url.searchParams.get('partNumber'));
    if (!(number >= 1 && number <= 10_000)) throw s3Error(400, 'InvalidArgument', 'Part number must be 1 to 10000');
    if (hasChecksums && exchange.headers['x-amz-checksum-sha256'] === undefined) {
      throw s3Error(400, 'InvalidRequest', 'Checksum Type mismatch occurred, expected checksum Type: sha256');
    }
    const received = await receive(exchange, maxPutBytes);
    uploadOf(exchange.url, key);
    parts.set(number, received);
    return { status: 200, headers: { etag: `"${received.md5}"`, 'x-amz-checksum-sha256': received.sha256 } };
  };

  const listUploads = (url: URL): Reply => {
    const prefix = url.searchParams.get('prefix') ?? '';
    const open = [...uploads.values()].filter(({ key }) => key.startsWith(prefix));
    const items = open.map(
      ({ id, key, begun }) =>
        `<Upload><Key>${xmlText(key)}</Key><UploadId>${id}</UploadId><Initiated>${begun.toISOString()}</Initiated></Upload>`,
    );
    return xml('ListMultipartUploadsResult', `${items.join('')}<IsTruncated>false</IsTruncated>`);
  };

  const listParts = ({ parts }: Upload): Reply => {
    const items = [...parts].map(
      ([number, { md5, sha256, sizeBytes }]) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>"${md5}"</ETag><Size>${sizeBytes}</Size><ChecksumSHA256>${sha256}</ChecksumSHA256></Part>`,
    );
    // As some servers have it: a next page is named though there is none.
    const next = `<NextPartNumberMarker>${parts.size}</NextPartNumberMarker>`;
    return xml('ListPartsResult', `${items.join('')}${next}<IsTruncated>false</IsTruncated>`);
  };

  const complete = async (exchange: Exchange, upload: Upload): Promise<Reply> => {
    const text = (await readBytes(exchange)).toString();
    const named = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll('&quot;', '"'),
      checksum: /<ChecksumSHA256>(.*?)</.exec(part)?.[1],
    }));
    if (named.length === 0) throw s3Error(400, 'MalformedXML', 'The XML you provided was not well-formed');
    const parts = named.map(({ number, etag, checksum }, index) => {
      if (number <= (named[index - 1]?.number ?? 0)) {
        throw s3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
      }
      const part = upload.parts.get(number);
      const isSame =
        part !== undefined && etag === `"${part.md5}"` && checksum === (upload.hasChecksums ? part.sha256 : undefined);
      if (!isSame) throw s3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
      if (index < named.length - 1 && part.sizeBytes < minPartBytes) {
        throw s3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
      }
      return part;
    });
    return oneByOne(async () => {
      if (!uploads.has(upload.id)) throw s3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
      await requireCondition(exchange, upload.key);
      const { path, sizeBytes } = await store.receive(contentOf(parts));
      const etag = `"${digestOf(
        'md5',
        parts.map(({ md5 }) => Buffer.from(md5, 'hex')),
      ).toString('hex')}-${parts.length}"`;
      const digests = parts.map(({ sha256 }) => Buffer.from(sha256, 'base64'));
      const checksum = `${digestOf('sha256', digests).toString('base64')}-${parts.length}`;
      const { headers, hasChecksums } = upload;
      await store.put(bucket, upload.key, {
        path,
        sizeBytes,
        etag,
        headers,
        checksum: hasChecksums ? checksum : undefined,
      });
      await abort(upload);
      return xml('CompleteMultipartUploadResult', `<Key>${xmlText(upload.key)}</Key><ETag>${xmlText(etag)}</ETag>`);
    });
  };

  const abort = async (upload: Upload): Promise<Reply> => {
    uploads.delete(upload.id);
    for (const part of upload.parts.values()) await store.discard(part);
    return { status: 204 };
  };

  const origin = await startOrigin({
    name: 's3',
    faults,
    log,
    handler,
    ...(options.limits && { limits: options.limits }),
  });
  return {
    url: origin.url,
    faults,
    log,
    openUploads: () => [...uploads.values()].map(({ key }) => key),
    close: origin.close,
  };
}

function xml(name: string, inner: string): Reply {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<${name}>${inner}</${name}>`;
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function headersOf({ headers }: Exchange): Readonly<Record<string, string>> {
  const kept = Object.entries(headers).filter(([name]) => /^(content-type|cache-control|x-amz-meta-.*)$/.test(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

function digestOf(algorithm: 'md5' | 'sha256', pieces: readonly Buffer[]): Buffer {
  return createHash(algorithm).update(Buffer.concat(pieces)).digest();
}

async function* contentOf(parts: readonly StoredBytes[]): AsyncGenerator<Buffer> {
  for (const { path } of parts) yield* createReadStream(path) as AsyncIterable<Buffer>;
}
