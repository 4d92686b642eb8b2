import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Exchange } from '../http.ts';
import { s3Error } from './s3-error.ts';

export interface S3Account {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expired?: boolean;
  /** Default: `write`. */
  readonly rights?: 'write' | 'read' | 'none';
}

/** A clock may be off by so much. */
const maxSkewMs = 15 * 60_000;

/**
 * Checks who asks, by Signature Version 4, and answers with the account. Only signed payloads
 * count, so that no byte goes unchecked. [docs.aws.amazon.com, "Signature calculations for the
 * Authorization header"]
 */
export function checkSignature(
  exchange: Exchange,
  accounts: Readonly<Record<string, S3Account>>,
  region: string,
  now: number,
): S3Account {
  const { headers, method, url } = exchange;
  if (headers.authorization === undefined) throw s3Error(403, 'AccessDenied', 'Access Denied');
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
  const [, key = '', day = '', scope = '', names = '', signature = ''] = pattern.exec(headers.authorization) ?? [];
  if (signature === '') {
    throw s3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header that you provided is not valid.');
  }
  if (scope !== region) {
    const message = `The authorization header is malformed; the region '${scope}' is wrong; expecting '${region}'`;
    throw s3Error(400, 'AuthorizationHeaderMalformed', message, { Region: region });
  }
  const account = accounts[key];
  if (account === undefined) {
    throw s3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  const stamp = String(headers['x-amz-date'] ?? '');
  const time = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(time - now) <= maxSkewMs)) {
    throw s3Error(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  const signed = names.split(';');
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  if (needed.some((name) => !signed.includes(name))) {
    throw s3Error(403, 'AccessDenied', 'There were headers present in the request which were not signed');
  }
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const canonical = [
    method,
    url.pathname
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    query.join('&'),
    ...signed.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    names,
    String(headers['x-amz-content-sha256'] ?? ''),
  ].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', stamp, `${day}/${scope}/s3/aws4_request`, digest].join('\n');
  const hmac = (secret: string | Buffer, text: string): Buffer => createHmac('sha256', secret).update(text).digest();
  const signing = [scope, 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${account.secretAccessKey}`, day));
  if (!timingSafeEqual(hmac(signing, toSign), Buffer.from(signature, 'hex'))) {
    const message = 'The request signature we calculated does not match the signature you provided.';
    throw s3Error(403, 'SignatureDoesNotMatch', message);
  }
  if (account.expired) throw s3Error(400, 'ExpiredToken', 'The provided token has expired.');
  if (headers['x-amz-security-token'] !== account.sessionToken) {
    throw s3Error(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  return account;
}
