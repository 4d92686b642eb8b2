import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ManifestModel } from '../../contract/manifest.ts';
import { checkDiskSpace } from '../../core/disk-space.ts';
import type { RunContext } from '../../core/events.ts';
import { startHash } from '../../core/hashing.ts';
import { makeDirectory, writeFully } from '../../core/write-files.ts';
import type { Http } from '../../http/http-client.ts';
import { readBody } from '../../http/read-body.ts';
import type { MirrorReport } from '../api.ts';
import { type Mirror, mirrorsAt } from './mirror.ts';
import { endsTooEarly, MirrorFaultError } from './mirror-faults.ts';
import { judgeFailure, judgeWrongBytes, type MirrorsAtWork, mirrorsFailed } from './set-mirror-aside.ts';
import { pathsIn } from './transfer-directory.ts';
import type { TransferRequest } from './types.ts';

/** After so many wrong archives a mirror is given up. */
const mostWrong = 2;
/** How much is read, hashed and written at a time. */
const pieceBytes = 1 << 20;

/**
 * The part of the archive that is here: a file that is only appended to, and the hash of its
 * content.
 */
interface PartialArchive {
  readonly handle: FileHandle;
  hash: Hash;
  size: number;
  /** The mirrors that sent it. Undefined stands for an earlier run. */
  readonly senders: Set<Mirror | undefined>;
}

/** An archive, or anything else that is fetched as a whole. */
export interface WholeFile extends Pick<TransferRequest, 'model' | 'staging' | 'mirrorOrder'> {
  readonly entry: Pick<ManifestModel, 'size_bytes' | 'sha256' | 'download_urls' | 'primary'>;
}

/**
 * Fetches the whole archive by one GET that can be resumed, and checks its sha256. Where a mirror
 * fails, the next one goes on. Used for releases without an index, since their parts can't be
 * checked one by one. The archive is in the staging directory afterwards. `bytesAfterwards`: disk
 * space that is needed besides it. Throws `remote`, `integrity`, `machine`, `interrupted`.
 */
export async function fetchArchive(
  request: WholeFile,
  http: Http,
  context: RunContext,
  bytesAfterwards = 0,
): Promise<{ readonly mirrors: readonly MirrorReport[]; readonly bytesResumed: number }> {
  const { entry } = request;
  await makeDirectory(request.staging);
  const mirrors = mirrorsAt(entry.download_urls, request, http);
  const work = { ...context, http, mirrors };
  const archive = await openPartial(pathsIn(request.staging).archive, entry.size_bytes, context);
  const bytesResumed = archive.size;
  try {
    await checkDiskSpace(request.staging, entry.size_bytes - archive.size + bytesAfterwards);
    await complete(archive, request, work);
    await archive.handle.datasync();
  } finally {
    await archive.handle.close();
  }
  return { bytesResumed, mirrors: mirrors.map((mirror) => mirror.report()) };
}

async function openPartial(path: string, sizeBytes: number, context: RunContext): Promise<PartialArchive> {
  const handle = await open(path, 'a+');
  const hash = startHash();
  let { size } = await handle.stat();
  if (size > sizeBytes) {
    await handle.truncate(0);
    size = 0;
  }
  if (size > 0) {
    const read = createReadStream(path, { highWaterMark: pieceBytes, end: size - 1 });
    for await (const piece of read as AsyncIterable<Buffer>) {
      context.signal?.throwIfAborted();
      hash.update(piece);
    }
  }
  return { handle, hash, size, senders: new Set(size > 0 ? [undefined] : []) };
}

async function complete(archive: PartialArchive, request: WholeFile, work: MirrorsAtWork): Promise<void> {
  const { entry } = request;
  /**
   * The archive was wrong once. From then on each mirror sends all of it by itself, so that it is
   * clear who sends wrong bytes.
   */
  let alone = false;
  for (;;) {
    work.signal?.throwIfAborted();
    if (archive.size === entry.size_bytes) {
      if (archive.hash.copy().digest('hex') === entry.sha256) return;
      const [first, ...others] = archive.senders;
      if (first && others.length === 0) {
        judgeWrongBytes(first, 'an archive with another sha256 than the manifest says', mostWrong, work);
      }
      await startAfresh(archive);
      alone = true;
    }
    const [sender] = archive.senders;
    const mirror = alone && sender && !sender.gone ? sender : nextMirror(work.mirrors);
    if (mirror === undefined) throw mirrorsFailed(work.mirrors);
    if (alone && sender !== mirror) await startAfresh(archive);
    const wait = mirror.restUntil - performance.now();
    if (wait > 0) await delay(wait, undefined, { signal: work.signal });
    const startedAt = performance.now();
    const ranged = !mirror.whole;
    try {
      await fetchFrom(mirror, archive, request, work);
    } catch (error) {
      work.signal?.throwIfAborted();
      await judgeFailure({ mirror, url: mirror.url, startedAt, ranged }, error, work);
    }
  }
}

async function startAfresh(archive: PartialArchive): Promise<void> {
  await archive.handle.truncate(0);
  archive.hash = startHash();
  archive.size = 0;
  archive.senders.clear();
}

/** The mirror to ask next: the one that may be asked soonest, those that sent wrong bytes last. */
function nextMirror(mirrors: readonly Mirror[]): Mirror | undefined {
  const now = performance.now();
  const rank = (mirror: Mirror): number => Number(mirror.doubtful) * 1e9 + Math.max(0, mirror.restUntil - now);
  return mirrors.filter((mirror) => !mirror.gone).sort((a, b) => rank(a) - rank(b))[0];
}

async function fetchFrom(
  mirror: Mirror,
  archive: PartialArchive,
  request: WholeFile,
  { http, signal, onEvent }: MirrorsAtWork,
): Promise<void> {
  const size = request.entry.size_bytes;
  const asked = { range: mirror.whole ? undefined : ([archive.size, size] as const), size };
  const { response, span } = await mirror.open(http, mirror.url, asked, signal);
  let [position] = span;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
    if (bytes.length === 0) return;
    archive.hash.update(bytes);
    await writeFully(archive.handle, bytes);
    archive.size += bytes.length;
    archive.senders.add(mirror);
    mirror.credit(bytes.length);
    onEvent?.({ type: 'progress', task: 'download', subject: request.model, done: archive.size, total: size });
  };
  try {
    await readBody(response, {
      stallTimeoutMs: http.settings.stallTimeoutMs,
      pace: http.pace,
      onData(data) {
        mirror.bytes += data.length;
        // A server that knows no ranges also sends what is here already: skip that.
        const known = Math.max(0, Math.min(archive.size + waitingBytes - position, data.length));
        position += data.length;
        if (position > size)
          throw new MirrorFaultError('wrong-length', `${mirror.host}: sends more than ${size} bytes`, 'refused');
        if (known < data.length) {
          waiting.push(data.subarray(known));
          waitingBytes += data.length - known;
        }
        return waitingBytes >= pieceBytes ? flush() : undefined;
      },
    });
  } finally {
    await flush();
  }
  if (archive.size < size) throw endsTooEarly(mirror.host);
}
