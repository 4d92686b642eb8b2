import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory } from '../../core/files.ts';
import { startHash } from '../../core/hashing.ts';
import type { Http } from '../../http/http-client.ts';
import { readBody } from '../../http/read-body.ts';
import { checkAnswer } from './answer.ts';
import { checkDiskSpace } from './disk-space.ts';
import { MirrorFaultError, toFault } from './faults.ts';
import { archiveUrls, Mirror } from './mirror.ts';
import { mirrorsFailed } from './mirrors-failed.ts';
import { stagingOf } from './staging.ts';
import type { FileRecord, MirrorReport, TransferRequest } from './types.ts';
import { unpackArchive } from './unpack-archive.ts';

/** Failures of one mirror in a row without progress between them. */
const maxStrikes = 4;
/** Failures of one mirror in all. */
const maxFailures = 40;
/** What counts as progress: a host that sends a few bytes and stalls, again and again, is no good. */
const progressBytes = 64 * 1024;
const maxWrong = 2;
const writeBytes = 1 << 20;

interface Source {
  readonly mirror: Mirror;
  readonly url: string;
  failures: number;
  wrong: number;
}

/** The archive so far: an append-only file, and the hash of what is in it. */
interface Partial {
  readonly handle: FileHandle;
  hash: Hash;
  size: number;
  /** Who sent it; undefined stands for an earlier run. */
  senders: Set<Source | undefined>;
}

/**
 * The whole archive by one resumable GET, one mirror after the other where one fails, checked against its sha256, then unpacked. The way
 * of releases without an index, whose parts can't be checked alone.
 */
export async function transferArchive(
  request: TransferRequest,
  http: Http,
  context: RunContext,
): Promise<{
  readonly files: readonly FileRecord[];
  readonly mirrors: readonly MirrorReport[];
  readonly bytesResumed: number;
}> {
  const { entry } = request;
  const staging = stagingOf(request.staging);
  await makeDirectory(request.staging);
  const sources = archiveUrls(request, http).map(
    ({ kind, url }): Source => ({ mirror: new Mirror(kind, url, () => undefined), url, failures: 0, wrong: 0 }),
  );
  const partial = await openPartial(staging.archive, entry.size_bytes, context);
  const bytesResumed = partial.size;
  try {
    const content = entry.files?.reduce((sum, file) => sum + file.size_bytes, 0) ?? entry.size_bytes;
    await checkDiskSpace(request.staging, entry.size_bytes - partial.size + content);
    await fetchArchive(request, sources, partial, http, context);
    await partial.handle.datasync();
  } finally {
    await partial.handle.close();
  }
  const files = await unpackArchive(
    { archive: staging.archive, model: request.model, entry, directory: staging.files },
    context,
  );
  return { files, bytesResumed, mirrors: sources.map(({ mirror }) => mirror.report()) };
}

async function openPartial(path: string, sizeBytes: number, context: RunContext): Promise<Partial> {
  const handle = await open(path, 'a+');
  const hash = startHash();
  let { size } = await handle.stat();
  if (size > sizeBytes) {
    await handle.truncate(0);
    size = 0;
  }
  if (size > 0) {
    const read = createReadStream(path, { highWaterMark: writeBytes, end: size - 1 });
    for await (const piece of read as AsyncIterable<Buffer>) {
      context.signal?.throwIfAborted();
      hash.update(piece);
    }
  }
  return { handle, hash, size, senders: new Set(size > 0 ? [undefined] : []) };
}

async function fetchArchive(
  request: TransferRequest,
  sources: readonly Source[],
  partial: Partial,
  http: Http,
  context: RunContext,
): Promise<void> {
  const { entry } = request;
  for (;;) {
    context.signal?.throwIfAborted();
    if (partial.size === entry.size_bytes) {
      const found = partial.hash.copy().digest('hex');
      if (found === entry.sha256) return;
      await discard(partial, context);
      continue;
    }
    const source = choose(sources);
    if (source === undefined) throw mirrorsFailed(sources.map(({ mirror }) => mirror));
    const wait = source.mirror.restUntil - performance.now();
    if (wait > 0) await delay(wait, undefined, context.signal ? { signal: context.signal } : {});
    const before = partial.size;
    try {
      await fetchFrom(source, request, partial, http, context);
    } catch (error) {
      await judge(source, error, { http, context, progressed: partial.size - before >= progressBytes, sources });
    }
  }
}

/** The mirror that can be asked soonest; those that never sent wrong bytes first. */
function choose(sources: readonly Source[]): Source | undefined {
  const now = performance.now();
  const rank = ({ mirror, wrong }: Source): number => wrong * 1e9 + Math.max(0, mirror.restUntil - now);
  return sources.filter(({ mirror }) => !mirror.gone).sort((a, b) => rank(a) - rank(b))[0];
}

/** The whole is there, and wrong: who alone sent it is to blame; of several, nobody can say which, and it begins again. */
async function discard(partial: Partial, context: RunContext): Promise<void> {
  const [sender, ...others] = partial.senders;
  await partial.handle.truncate(0);
  partial.hash = startHash();
  partial.size = 0;
  partial.senders = new Set();
  if (sender === undefined || others.length > 0) return;
  const { mirror } = sender;
  const message = `${mirror.host}: sends an archive with another sha256 than the manifest says`;
  sender.wrong++;
  mirror.note('wrong-bytes', message);
  if (sender.wrong >= maxWrong) mirror.gone = { kind: 'wrong-bytes', message };
  if (sender.wrong === 1) context.onEvent?.({ type: 'mirror-set-aside', mirror: mirror.name, reason: message });
}

async function fetchFrom(
  source: Source,
  request: TransferRequest,
  partial: Partial,
  http: Http,
  context: RunContext,
): Promise<void> {
  const size = request.entry.size_bytes;
  const range = partial.size === 0 ? undefined : ([partial.size, size] as const);
  const signal = context.signal ?? new AbortController().signal;
  const { response, direct } = await source.mirror.open(http, source.url, range, signal);
  let position = checkAnswer(response, { range, size, direct: direct !== undefined, takesWhole: true }).start;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
    if (bytes.length === 0) return;
    partial.hash.update(bytes);
    // Appended, wherever the position is.
    for (let at = 0; at < bytes.length; ) at += (await partial.handle.write(bytes, at)).bytesWritten;
    partial.size += bytes.length;
    partial.senders.add(source);
    context.onEvent?.({ type: 'progress', task: 'download', subject: request.model, done: partial.size, total: size });
  };
  try {
    await readBody(response, {
      stallTimeoutMs: http.settings.stallTimeoutMs,
      pace: http.pace,
      onData(data) {
        source.mirror.bytes += data.length;
        // A server without ranges sends again what is there already.
        const known = Math.max(0, Math.min(partial.size + waitingBytes - position, data.length));
        position += data.length;
        if (position > size)
          throw new MirrorFaultError('wrong-length', `${source.mirror.host}: sends more than ${size} bytes`, 'never');
        if (known < data.length) {
          waiting.push(known === 0 ? data : data.subarray(known));
          waitingBytes += data.length - known;
        }
        return waitingBytes >= writeBytes ? flush() : undefined;
      },
    });
  } finally {
    await flush();
  }
  if (partial.size < size)
    throw new MirrorFaultError('truncated', `${source.mirror.host}: the answer ends too early`, 'retry');
}

interface Judging {
  readonly http: Http;
  readonly context: RunContext;
  readonly progressed: boolean;
  readonly sources: readonly Source[];
}

async function judge(source: Source, error: unknown, { http, context, progressed, sources }: Judging): Promise<void> {
  context.signal?.throwIfAborted();
  const fault = toFault(error);
  const { mirror } = source;
  source.failures++;
  if (progressed) {
    mirror.strikes = 0;
    mirror.patience = 0;
  }
  if (fault.remedy === 'resolve') {
    mirror.forgetAll();
    mirror.patience++;
    if (mirror.patience === 1) return;
  }
  if (fault.kind === 'missing' || fault.kind === 'denied') {
    if (await mirror.findByApi(http, source.url, context.signal ?? new AbortController().signal)) return;
  }
  mirror.note(fault.kind, fault.message);
  mirror.strikes++;
  const { retryDelayMs, maxRetryAfterMs } = http.settings;
  const waitMs =
    fault.waitMs ?? Math.min(10_000, retryDelayMs * 2 ** (mirror.strikes - 1)) * (0.75 + Math.random() / 2);
  const final = fault.remedy === 'never' || mirror.strikes >= maxStrikes || source.failures >= maxFailures;
  if (final || waitMs > maxRetryAfterMs) mirror.gone = { kind: fault.kind, message: fault.message };
  mirror.restUntil = performance.now() + waitMs;
  if (mirror.gone || sources.some((other) => other !== source && !other.mirror.gone)) {
    if (!mirror.announced) context.onEvent?.({ type: 'mirror-set-aside', mirror: mirror.name, reason: fault.message });
    mirror.announced = true;
  } else {
    context.onEvent?.({ type: 'retry', what: mirror.name, reason: fault.message, delayMs: Math.round(waitMs) });
  }
}
