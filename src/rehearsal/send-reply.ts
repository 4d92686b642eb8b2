import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import { type ActiveFault, findFault } from './faults.ts';
import { createPacer, type Limits, type Pacer, wait } from './pacing.ts';
import { bodyLength, type Reply, type ReplyBody } from './reply.ts';
import type { LogEntry } from './request-log.ts';

/** Read and sent at once. */
const pieceBytes = 1 << 20;

/** One exchange with everything that shapes how its bytes move. */
export interface Scene {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly faults: readonly ActiveFault[];
  readonly signal: AbortSignal;
  readonly entry: LogEntry;
  readonly pacer: Pacer | undefined;
  readonly limits: Limits;
}

/**
 * Sends the reply as the faults and limits would have it. Returns when the last byte has left, or
 * the client has.
 */
export async function sendReply(scene: Scene, reply: Reply): Promise<void> {
  const { request, faults, signal, entry } = scene;
  const reset = findFault(faults, 'reset', 'response');
  const stall = findFault(faults, 'stall', 'response');
  const cutAt = findFault(faults, 'truncate')?.atByte ?? (reset ? (reset.atByte ?? 0) : Number.POSITIVE_INFINITY);
  const stallAt = stall ? (stall.atByte ?? 0) : Number.POSITIVE_INFINITY;
  await wait(scene.limits.latencyMs ?? 0, signal);
  if (stallAt === 0) await wait(stall?.ms, signal);
  if (signal.aborted) return;
  if (reset && cutAt === 0) return cutConnection(scene, reset.how);

  writeHead(scene, reply);
  if (request.method !== 'HEAD' && reply.body !== undefined) {
    const slow = findFault(faults, 'slow', 'response');
    const slowPacer = slow && createPacer(slow.bytesPerSecond);
    const rate = Math.min(
      slow?.bytesPerSecond ?? Infinity,
      scene.limits.sharedBytesPerSecond ?? scene.limits.bytesPerSecond ?? Infinity,
    );
    for await (const piece of splitPieces(bodyPieces(scene, reply.body), [stallAt, cutAt], rate)) {
      if (entry.bytesOut === stallAt && stallAt > 0) await wait(stall?.ms, signal);
      if (entry.bytesOut >= cutAt) break;
      await scene.pacer?.(piece.length, signal);
      await slowPacer?.(piece.length, signal);
      await write(scene, piece);
      if (signal.aborted) return;
    }
    const surplus = -(findFault(faults, 'wrong-length')?.by ?? 0);
    if (surplus > 0) await write(scene, Buffer.alloc(surplus));
  }
  if (reset && entry.bytesOut >= cutAt) {
    // What the kernel has not handed over yet is dropped when a reset arrives, so the client gets a
    // moment to read.
    await wait(30, signal);
    cutConnection(scene, reset.how);
    return;
  }
  await new Promise<void>((resolve) => {
    scene.response.end(() => resolve());
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Ends the connection without (the rest of) an answer: by a reset, where the socket can do one. */
export function cutConnection(scene: Scene, how: 'rst' | 'fin' = 'rst'): void {
  const { socket } = scene.request;
  if (how === 'rst' && !('encrypted' in socket)) socket.resetAndDestroy();
  else socket.destroy();
}

function writeHead({ response, faults, entry }: Scene, reply: Reply): void {
  const headers: Record<string, string | readonly string[] | undefined> = { ...reply.headers };
  const hasBody = reply.status !== 204 && reply.status !== 304;
  if (hasBody) headers['content-length'] ??= String(bodyLength(reply.body));
  let { status } = reply;
  if (findFault(faults, 'slice-as-200') && status === 206) {
    status = 200;
    headers['content-range'] = undefined;
  }
  const wrongRange = findFault(faults, 'wrong-content-range');
  const range = /^bytes (\d+)-(\d+)\/(.*)$/.exec(String(headers['content-range']));
  if (wrongRange && range) {
    const by = wrongRange.by ?? 1;
    headers['content-range'] = `bytes ${Number(range[1]) + by}-${Number(range[2]) + by}/${range[3]}`;
  }
  const wrongLength = findFault(faults, 'wrong-length');
  if (wrongLength && hasBody) {
    headers['content-length'] = String(Math.max(0, Number(headers['content-length']) + wrongLength.by));
    headers.connection = 'close';
  }
  const isGzipped = findFault(faults, 'gzip') !== undefined;
  if (isGzipped) headers['content-encoding'] = 'gzip';
  if (isGzipped || findFault(faults, 'truncate')) headers['content-length'] = undefined;
  entry.status = status;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(status);
}

/**
 * The body's bytes as they should arrive: one of them flipped, or all of them compressed, where a
 * fault says so.
 */
async function* bodyPieces({ faults }: Scene, body: ReplyBody): AsyncGenerator<Buffer, void, undefined> {
  const flip = findFault(faults, 'flip', 'response');
  const plain = typeof body === 'object' && 'file' in body ? filePieces(body) : [Buffer.from(body)];
  // `pipeline` ends the source when the client leaves, and fails the reader when the source fails.
  const source = findFault(faults, 'gzip') ? pipeline(copies(plain), createGzip(), () => {}) : plain;
  let offset = 0;
  for await (const piece of source as AsyncIterable<Buffer>) {
    const at = (flip?.atByte ?? -1) - offset;
    offset += piece.length;
    if (at < 0 || at >= piece.length) {
      yield piece;
      continue;
    }
    const spoiled = Buffer.from(piece);
    spoiled[at] = (spoiled[at] ?? 0) ^ 0xff;
    yield spoiled;
  }
}

/** A reader that keeps pieces needs its own: `filePieces` fills one buffer again and again. */
async function* copies(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

/** Each piece is read into the memory of the one before, which must have left by then. */
async function* filePieces({ file, start, end }: { file: string; start: number; end: number }): AsyncGenerator<Buffer> {
  if (end <= start) return;
  const handle = await open(file);
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - start));
    for (let at = start; at < end; ) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/**
 * Cuts pieces at the marks (offsets in the body), and into small ones where the rate is limited.
 */
async function* splitPieces(
  pieces: AsyncIterable<Buffer>,
  marks: readonly number[],
  bytesPerSecond: number,
): AsyncGenerator<Buffer> {
  const longest = Math.max(256, Math.floor(bytesPerSecond / 100));
  let offset = 0;
  for await (let piece of pieces) {
    while (piece.length > 0) {
      const toMark = marks.map((mark) => mark - offset).filter((distance) => distance > 0);
      const length = Math.min(piece.length, longest, ...toMark);
      yield piece.subarray(0, length);
      piece = piece.subarray(length);
      offset += length;
    }
  }
}

async function write({ response, signal, entry }: Scene, piece: Buffer): Promise<void> {
  if (signal.aborted) return;
  entry.bytesOut += piece.length;
  // When it has left, or the connection is gone: of what comes after that, Node tells nothing.
  await new Promise<void>((resolve) => {
    const left = (): void => {
      signal.removeEventListener('abort', left);
      resolve();
    };
    signal.addEventListener('abort', left, { once: true });
    response.write(piece, left);
  });
}
