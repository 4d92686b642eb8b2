import { answerFailure } from './answer-failure.ts';
import { type Answer, describeRequest, exchange, type Network } from './exchange.ts';
import { readContentWhole } from './file-content.ts';
import { RequestFailure } from './request-failure.ts';
import type { ReleaseFile } from './target.ts';

/**
 * Public addresses as an anonymous client sees them. Each answers undefined where all is well, else
 * what is wrong.
 */

export interface Asking {
  readonly network: Network;
  readonly signal: AbortSignal | undefined;
}

const maxRedirects = 5;

/**
 * Whether an address answers, by HEAD: a redirect to another origin leads to where the host stores
 * the bytes.
 */
export async function headFault(url: string, asking: Asking): Promise<string | undefined> {
  return faultOf(async () => {
    let at = new URL(url);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const answer = await exchange(at.href, { ...asking, method: 'HEAD', redirect: 'manual' }, async (head) => head);
      if (answer.status === 200) return undefined;
      const location = answer.headers.get('location');
      if (answer.status < 300 || answer.status >= 400 || location === null) return statusFault('HEAD', at.href, answer);
      const next = new URL(location, at);
      if (next.origin !== at.origin) return undefined;
      at = next;
    }
    return `more than ${maxRedirects} redirects`;
  });
}

/** Bytes of each file that are asked for and compared. */
const sampleBytes = 1024;

/**
 * Whether an address has a file's bytes, as far as one ranged GET of its beginning can tell; its
 * length is compared too.
 */
export async function rangeFault(url: string, file: ReleaseFile, asking: Asking): Promise<string | undefined> {
  const length = Math.min(file.sizeBytes, sampleBytes);
  const headers = { 'accept-encoding': 'identity', ...(length > 0 && { range: `bytes=0-${length - 1}` }) };
  return faultOf(() =>
    exchange(url, { ...asking, headers }, async (answer) => {
      if (answer.status !== 200 && answer.status !== 206) return statusFault('GET', url, answer);
      const found = await firstBytes(answer, length);
      // A signature that was made another time is as good, and has other bytes.
      if (file.accepts !== undefined) return undefined;
      const total = totalBytes(answer);
      if (total !== undefined && total !== file.sizeBytes) return `has ${total} bytes instead of ${file.sizeBytes}`;
      const wanted = await readContentWhole(file, { start: 0, end: length });
      return found.equals(wanted) ? undefined : 'has other bytes than were published';
    }),
  );
}

async function faultOf(ask: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RequestFailure) return error.message;
    throw error;
  }
}

function statusFault(method: string, url: string, { status, headers }: Answer): string {
  return answerFailure(describeRequest(method, url), status, headers, '').message;
}

async function firstBytes(answer: Answer, length: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body) {
    pieces.push(piece);
    size += piece.length;
    if (size >= length) break;
  }
  return Buffer.concat(pieces).subarray(0, length);
}

/** The length of the whole, where the answer tells it. */
function totalBytes({ status, headers }: Answer): number | undefined {
  if (headers.get('content-encoding') !== null) return undefined;
  const text =
    status === 206 ? /\/(\d{1,16})$/.exec(headers.get('content-range') ?? '')?.[1] : headers.get('content-length');
  return text === undefined || text === null ? undefined : Number(text);
}
