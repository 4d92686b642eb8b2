import { createHash, type Hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostKind } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import type { RunContext } from '../../core/events.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { MirrorFaultError, statusFault, toFault } from '../../fetch/transfer/mirror-faults.ts';
import { assetHeaders, findPrivateAsset } from '../../http/github-asset.ts';
import type { Http, HttpResponse } from '../../http/http-client.ts';
import { leave, readBody } from '../../http/read-body.ts';
import { hostOf } from '../../http/remote-error.ts';
import type { VerifyState } from './expected-files.ts';

/** Failures in a row without a byte between them. */
const maxFailures = 5;
const maxDelayMs = 15_000;

/** One resource to hash. */
export interface RemoteFile {
  readonly kind: HostKind;
  readonly name: string;
  readonly url: string;
  /** Undefined where nothing tells it. */
  readonly sizeBytes: number | undefined;
  readonly sha256: Sha256;
}

export interface HashedRemote {
  readonly state: Extract<VerifyState, 'ok' | 'missing' | 'different' | 'unreachable'>;
  /** What is wrong, where something is. */
  readonly detail?: string;
  readonly bytes: number;
}

/** One attempt at the whole, over as many requests as it takes. */
interface Reading {
  readonly file: RemoteFile;
  readonly hash: Hash;
  address: { readonly url: string; readonly headers?: Readonly<Record<string, string>> };
  askedApi: boolean;
  size: number;
}

/**
 * Downloads a file as a client does (its HTTP, redirects, tokens, host overrides; the API for
 * private repositories), hashes it, keeps nothing. What breaks off is gone on from by a range.
 * Wrong bytes are fetched a second time before they count.
 */
export async function hashRemote(file: RemoteFile, http: Http, context: RunContext): Promise<HashedRemote> {
  const url = http.place(file.url, file.kind);
  let bytes = 0;
  for (let wrong = 1; ; wrong++) {
    const reading: Reading = { file, hash: createHash('sha256'), address: { url }, askedApi: false, size: 0 };
    const fault = await readWhole(reading, http, context);
    bytes += reading.size;
    if (fault?.kind === 'missing') return { state: 'missing', detail: fault.message, bytes };
    const isOther = fault?.kind === 'wrong-length' || fault?.kind === 'web-page';
    if (fault !== undefined && !isOther) return { state: 'unreachable', detail: fault.message, bytes };
    const found = reading.hash.digest('hex');
    if (fault === undefined && found === file.sha256) return { state: 'ok', bytes };
    const detail =
      fault?.message ?? `${hostOf(url)}: sends ${reading.size} bytes of the sha256 ${found}, not ${file.sha256}`;
    if (wrong >= 2) return { state: 'different', detail, bytes };
  }
}

/** Answers with the fault that ended it, or undefined where it came to its end. */
async function readWhole(reading: Reading, http: Http, context: RunContext): Promise<MirrorFaultError | undefined> {
  for (let failures = 0; ; ) {
    context.signal?.throwIfAborted();
    const before = reading.size;
    try {
      await readOn(reading, http, context);
      return undefined;
    } catch (error) {
      context.signal?.throwIfAborted();
      const fault = toFault(error);
      if (fault.kind === 'missing' && (await findByApi(reading, http, context))) continue;
      failures = reading.size > before ? 1 : failures + 1;
      if (fault.remedy === 'never' || fault.remedy === 'refused' || failures >= maxFailures) return fault;
      if ((fault.waitMs ?? 0) > http.settings.maxRetryAfterMs) return fault;
      const backoff = Math.min(maxDelayMs, http.settings.retryDelayMs * 2 ** (failures - 1));
      await delay(fault.waitMs ?? backoff, undefined, { signal: context.signal });
    }
  }
}

/** A private repository's public URLs answer 404: the API has the asset's address. */
async function findByApi(reading: Reading, http: Http, context: RunContext): Promise<boolean> {
  if (reading.askedApi) return false;
  reading.askedApi = true;
  const url = await findPrivateAsset(http, reading.address.url, context);
  if (url === undefined) return false;
  reading.address = { url, headers: assetHeaders };
  return true;
}

/** One request for everything that is missing. */
async function readOn(reading: Reading, http: Http, context: RunContext): Promise<void> {
  const { file, address } = reading;
  const { sizeBytes } = file;
  const response = await http.request(address.url, {
    headers: { ...address.headers, ...(reading.size > 0 && { range: `bytes=${reading.size}-` }) },
    signal: context.signal,
  });
  let position = startOf(response, reading);
  const host = hostOf(response.url);
  await readBody(response, {
    stallTimeoutMs: http.settings.stallTimeoutMs,
    pace: http.pace,
    onData(piece) {
      // A server without ranges sends again what was read already.
      const known = Math.max(0, Math.min(reading.size - position, piece.length));
      position += piece.length;
      if (position > (sizeBytes ?? limits.manifestBytes))
        throw new MirrorFaultError('wrong-length', `${host}: sends more than ${sizeBytes} bytes`, 'never');
      reading.hash.update(piece.subarray(known));
      reading.size += piece.length - known;
      context.onEvent?.({
        type: 'progress',
        task: 'verify',
        subject: file.name,
        via: file.kind,
        done: reading.size,
        total: sizeBytes,
      });
      return undefined;
    },
  });
  if (sizeBytes !== undefined && reading.size < sizeBytes)
    throw new MirrorFaultError('truncated', `${host}: ends after ${reading.size} of ${sizeBytes} bytes`, 'retry');
}

/** Where in the file the body begins. Throws the fault of any other answer. */
function startOf(response: HttpResponse, { file, size }: Reading): number {
  const { status, headers } = response;
  const host = hostOf(response.url);
  const fault = (error: MirrorFaultError): MirrorFaultError => {
    leave(response.body);
    return error;
  };
  if (status === 206 && size > 0) {
    if (/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] === String(size)) return size;
    throw fault(new MirrorFaultError('wrong-range', `${host}: sends another range than asked for`, 'retry'));
  }
  if (status !== 200) {
    const found = statusFault(response);
    // A signed URL that has expired; the next request gets a fresh one.
    const isExpired = response.hops.length > 1 && (status === 400 || found.kind === 'denied');
    throw fault(isExpired ? new MirrorFaultError('expired', found.message, 'retry') : found);
  }
  const length = headers['content-length'];
  if (length === undefined || file.sizeBytes === undefined || Number(length) === file.sizeBytes) return 0;
  const page = /^text\/html\b/i.test(headers['content-type'] ?? '');
  throw fault(
    page
      ? new MirrorFaultError('web-page', `${host}: answers with a web page`, 'never')
      : new MirrorFaultError('wrong-length', `${host}: sends ${length} bytes, not ${file.sizeBytes}`, 'never'),
  );
}
