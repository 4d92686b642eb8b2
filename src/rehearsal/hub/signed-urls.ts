import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { findFault } from '../faults.ts';
import type { Exchange } from '../http.ts';
import { Refusal, textReply } from '../reply.ts';

/** Signs URLs that grant one method on one path for a while, and checks them. */
export interface UrlSigner {
  /** `exchange` is the one that hands the URL out (a fault may make it a stale one). */
  sign(
    exchange: Exchange,
    method: 'GET' | 'PUT' | 'POST',
    url: string,
    params?: Readonly<Record<string, string>>,
  ): string;
  /** Credentials for one purpose, as a header's value. */
  credentials(purpose: string): string;
  /**
   * Refuses (400, 403) what carries an Authorization header, has expired, or wasn't signed for
   * this.
   */
  check(exchange: Exchange): void;
  readonly seconds: number;
}

/**
 * The secret lies in the state directory, so that URLs stay good when the stand-in is started
 * again.
 */
export async function openUrlSigner(stateDirectory: string, seconds: number): Promise<UrlSigner> {
  const path = join(stateDirectory, 'signing-secret');
  let secret = await readFileIfThere(path);
  if (secret === undefined) {
    secret = Buffer.from(randomBytes(32).toString('hex'));
    await writeFileAtomically(path, secret, { mode: 0o600 });
  }
  const key = secret;
  const signatureOf = (method: string, url: URL): Buffer => {
    const params = [...url.searchParams].filter(([name]) => name !== 'Signature').sort();
    return createHmac('sha256', key)
      .update(JSON.stringify([method === 'HEAD' ? 'GET' : method, url.pathname, params]))
      .digest();
  };
  return {
    seconds,
    sign: (exchange, method, text, params = {}) => {
      const url = new URL(text);
      const stale = findFault(exchange.faults, 'expired-url') !== undefined;
      for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
      url.searchParams.set('Expires', String(Math.floor(Date.now() / 1000) + (stale ? -1 : seconds)));
      url.searchParams.set('Signature', signatureOf(method, url).toString('base64url'));
      return url.href;
    },
    credentials: (purpose) => `RemoteAuth ${createHmac('sha256', key).update(purpose).digest('hex')}`,
    check: (exchange) => {
      const { url, method, headers } = exchange;
      // S3 and CloudFront take one way of authentication only.
      if (headers.authorization !== undefined) {
        throw storageRefusal(
          400,
          'InvalidArgument',
          'Only one auth mechanism allowed: the signature or the Authorization header',
        );
      }
      const given = Buffer.from(url.searchParams.get('Signature') ?? '', 'base64url');
      const wanted = signatureOf(method, url);
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
        throw storageRefusal(403, 'SignatureDoesNotMatch', 'The signature is not that of this request');
      }
      const isOver = Number(url.searchParams.get('Expires')) * 1000 <= Date.now();
      if (isOver || findFault(exchange.faults, 'expired-url')) {
        throw storageRefusal(403, 'AccessDenied', 'Request has expired');
      }
    },
  };
}

/** An error as object storage words it. */
export function storageRefusal(status: number, code: string, message: string): Refusal {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Refusal(textReply(status, body, { 'content-type': 'application/xml' }));
}
