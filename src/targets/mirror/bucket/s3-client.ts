import { Readable } from 'node:stream';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { RunContext } from '../../../core/events.ts';
import type { StreamedBody } from '../../../http/http-client.ts';
import { retryAfterMs } from '../../../http/retry-after.ts';
import { type Answer, exchange, readAnswer } from '../../exchange.ts';
import { type Patience, persist } from '../../remote.ts';
import { malformed, RequestFailure } from '../../request-failure.ts';
import { bucketFailure } from './bucket-failure.ts';

/** `mirror.s3` of release.json. */
export interface BucketAddress {
  readonly bucket: string;
  /** Every key begins with it and a slash. */
  readonly prefix?: string | undefined;
  /** Another server than AWS; buckets are then the first part of its paths. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

export interface BucketCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Asking extends Pick<RunContext, 'signal'> {
  /** Bytes sent so far of this request's body. */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

/** One question by the SDK: `options` must be handed on to its `send`. */
export type Question<T> = (s3: S3Client, options: object) => Promise<T>;

/**
 * A bucket, asked by AWS's SDK over our own requests: deadlines, proxies and certificates are
 * theirs, signatures, XML and credentials the SDK's.
 */
export interface Bucket {
  readonly name: string;
  readonly patience: Patience;
  /** Asks once. Throws RequestFailure. */
  ask<T>(what: string, asking: Asking, question: Question<T>): Promise<T>;
  /** Asks again what may go better. */
  persistently<T>(what: string, context: RunContext, question: Question<T>): Promise<T>;
}

/** Largest answer: a list of 1,000 keys, or a document. */
const maxAnswerBytes = 64 * 1024 * 1024;
const pieceBytes = 256 * 1024;

/**
 * Without `credentials` they are looked for as AWS's tools do: environment, profiles, SSO, roles.
 */
export function openBucket(configured: BucketAddress, patience: Patience, credentials?: BucketCredentials): Bucket {
  const address = { ...configured, region: configured.region ?? 'us-east-1' };
  let client: Promise<S3Client> | undefined;
  const ask: Bucket['ask'] = async (what, asking, question) => {
    asking.signal?.throwIfAborted();
    try {
      client ??= createClient(address, patience, credentials);
      return await question(await client, asking);
    } catch (error) {
      asking.signal?.throwIfAborted();
      throw bucketFailure(error, what, address);
    }
  };
  return {
    name: address.bucket,
    patience,
    ask,
    persistently: (what, context, question) =>
      persist(what, patience, context, () => ask(what, { signal: context.signal }, question)),
  };
}

async function createClient(
  { endpoint, region }: BucketAddress & { readonly region: string },
  patience: Patience,
  credentials: BucketCredentials | undefined,
): Promise<S3Client> {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    // Repeating is ours: a look comes before each second attempt.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: requestHandler(patience),
  } as S3ClientConfig);
  // What is sent was hashed for its checksum: signing needs the same digest.
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as SdkRequest;
      const checksum = headers['x-amz-checksum-sha256'];
      if (checksum !== undefined) headers['x-amz-content-sha256'] = Buffer.from(checksum, 'base64').toString('hex');
      return next(args);
    },
    { step: 'build', name: 'payloadHash' },
  );
  return client;
}

interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** What the SDK asks through, whatever host it asks: those of AWS that give credentials, too. */
function requestHandler(patience: Patience) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request: SdkRequest, { signal, onSent }: Asking = {}) => {
      const url = addressOf(request);
      const body = request.body instanceof Uint8Array ? inPieces(request.body, onSent) : request.body;
      const { method, headers } = request;
      const options = { method, headers, body, network: patience, signal, redirect: 'manual' as const };
      return exchange(url, options, async (answer) => {
        const bytes = await readAnswer(answer, maxAnswerBytes);
        const text = bytes.toString('latin1', 0, 200).trimStart();
        const what = `${method} ${new URL(url).host}`;
        const isPage = /^<(!doctype|html)/i.test(text);
        // A proxy's page isn't the server's word, whatever its status.
        if (answer.status >= 400 && text !== '' && !/^<(\?xml|Error)/.test(text)) throw notTheServer(what, answer);
        if (isPage && request.query?.['x-id'] !== 'GetObject') throw malformed(what);
        return {
          response: {
            statusCode: answer.status,
            reason: undefined,
            headers: Object.fromEntries(answer.headers),
            body: Readable.from([bytes]),
          },
        };
      });
    },
  };
}

function notTheServer(what: string, { status, headers }: Answer): RequestFailure {
  return new RequestFailure(`${what}: ${status}, and no word of S3`, {
    status,
    retryable: status === 429 || status >= 500,
    waitMs: retryAfterMs(headers),
    code: 'remote',
    hint: 'A proxy may have answered in its place, or it is no S3 server: check "endpoint", and the proxy.',
  });
}

function addressOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((each) => `${encodeURIComponent(name)}=${encodeURIComponent(each ?? '')}`),
  );
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`;
}

/** A buffer as a body that tells how far it has got. */
function inPieces(bytes: Uint8Array, onSent: Asking['onSent']): StreamedBody {
  return {
    sizeBytes: bytes.length,
    async *open() {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    },
    ...(onSent && { onSent }),
  };
}
