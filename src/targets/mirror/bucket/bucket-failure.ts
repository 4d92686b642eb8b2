import { isObject, objectOf } from '../../../contract/json-values.ts';
import { AircherError, type ErrorCode } from '../../../core/errors.ts';
import { oneLine, shortened } from '../../../core/printable.ts';
import { retryAfterMs } from '../../../http/retry-after.ts';
import { RequestFailure } from '../../request-failure.ts';
import type { BucketAddress } from './s3-client.ts';

interface Remedy {
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly hint: string;
}

const credentialsHint =
  'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws, as for any tool of AWS.';

/** By the error codes of S3 [docs.aws.amazon.com, "Error responses"]. */
const remedies: Readonly<Record<string, Remedy>> = {
  NoSuchBucket: { hint: 'Make the bucket, or correct "mirror.s3" in release.json.' },
  AccessDenied: {
    hint: 'Give these credentials the rights of docs/operations.md, "A bucket", on this bucket and prefix.',
  },
  InvalidAccessKeyId: { hint: `The server doesn't know this access key. ${credentialsHint}` },
  SignatureDoesNotMatch: {
    hint: 'The secret key is not that of the access key, or a proxy changed the request. Set both of them anew.',
  },
  ExpiredToken: { hint: 'The session has ended: sign in again (`aws sso login`, or new keys with AWS_SESSION_TOKEN).' },
  // The SDK has noted how far the clock is off: the next attempt is signed by the server's time.
  RequestTimeTooSkewed: { retryable: true, code: 'machine', hint: "Set this machine's clock." },
  RequestTimeout: { retryable: true, hint: 'The connection may be too slow. Run the same command again.' },
  // What arrived isn't what was sent.
  BadDigest: {
    retryable: true,
    code: 'integrity',
    hint: 'Something changes bytes on the way: try another network or proxy.',
  },
  PreconditionFailed: {
    retryable: true,
    code: 'conflict',
    hint: 'Somebody else writes there too. Run the same command again.',
  },
  NotImplemented: {
    hint: 'The server must know conditional writes (If-None-Match, If-Match) and SHA-256 checksums.',
  },
};

const sameAs: Readonly<Record<string, string>> = {
  AllAccessDisabled: 'AccessDenied',
  AccountProblem: 'AccessDenied',
  InvalidToken: 'InvalidAccessKeyId',
  ExpiredTokenException: 'ExpiredToken',
  TokenRefreshRequired: 'ExpiredToken',
  InvalidDigest: 'BadDigest',
  XAmzContentSHA256Mismatch: 'BadDigest',
  XAmzContentChecksumMismatch: 'BadDigest',
  ConditionalRequestConflict: 'PreconditionFailed',
  OperationAborted: 'PreconditionFailed',
};

/** HEAD is answered without a body, and so without a code. */
const byStatus: Readonly<Record<number, string>> = {
  403: 'AccessDenied',
  409: 'OperationAborted',
  412: 'PreconditionFailed',
};

/**
 * What went wrong with a question to a bucket, in words of our own: what the SDK throws, and whose
 * fault it is. Our own errors stay as they are.
 */
export function bucketFailure(error: unknown, what: string, address: BucketAddress): unknown {
  if (error instanceof RequestFailure || error instanceof AircherError || !(error instanceof Error)) return error;
  const { $metadata, $response } = error as Error & { readonly $metadata?: unknown; readonly $response?: unknown };
  const status = objectOf($metadata).httpStatusCode;
  if (typeof status !== 'number') return notAsked(error, what);
  const headers = new Headers(isObject($response) ? (objectOf($response.headers) as Record<string, string>) : {});
  const home = headers.get('x-amz-bucket-region') ?? objectOf(error).Region;
  const told = error.name in remedies || error.name in sameAs ? error.name : (byStatus[status] ?? error.name);
  const isElsewhere = typeof home === 'string' && home !== address.region && [301, 400, 403].includes(status);
  const remedy: Remedy | undefined =
    isElsewhere && told !== 'InvalidAccessKeyId'
      ? { hint: `The bucket is in ${home}: write "region": "${home}" in "mirror.s3" of release.json.` }
      : remedies[sameAs[told] ?? told];
  // The words of the server, where they say more than its code.
  const words = oneLine(error.message).trim();
  const fact = [status, told, words === error.name || words === 'UnknownError' ? '' : words].filter(Boolean).join(' ');
  return new RequestFailure(`${what}: ${shortened(fact)}`, {
    status,
    retryable: remedy?.retryable ?? (status === 429 || (status >= 500 && status !== 501)),
    limited: status === 429,
    waitMs: retryAfterMs(headers),
    reasons: [error.name],
    hint: remedy?.hint,
    ...(remedy?.code && { code: remedy.code }),
    cause: error,
  });
}

/** What failed before the bucket was asked. */
function notAsked(error: Error, what: string): unknown {
  if (error.name === 'CredentialsProviderError' || error.name === 'TokenProviderError') {
    return new RequestFailure(`no credentials: ${oneLine(error.message)}`, {
      retryable: false,
      code: 'conflict',
      hint: `${credentialsHint} Without any, \`plan --offline\` goes by manifests/published/.`,
      cause: error,
    });
  }
  // AWS's own services give credentials of a role or a session.
  const isService = 'Code' in error || '$fault' in error;
  if (!isService) return error;
  return new RequestFailure(`${what}: ${error.name} ${oneLine(error.message)}`, {
    retryable: false,
    code: 'conflict',
    hint: credentialsHint,
    cause: error,
  });
}
