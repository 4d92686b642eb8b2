import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { fileStamp } from '../../core/read-files.ts';
import { makeDirectory, renamePatiently, syncDirectory } from '../../core/write-files.ts';
import type { HubApi } from '../../targets/huggingface/hub-api.ts';
import { pause, persist } from '../../targets/remote.ts';
import { malformed, RequestFailure } from '../../targets/request-failure.ts';
import type { HubSource } from './hub-source.ts';
import type { ListedFile } from './source-record.ts';

/**
 * A resumed file that turns out wrong begins again once, a fresh one too: then the Hub itself is
 * wrong.
 */
const maxWrong = 2;

/** The file so far, and the hash of what is in it. */
interface Part {
  readonly handle: FileHandle;
  readonly file: ListedFile;
  readonly tell: (deltaBytes: number) => void;
  hash: Hash;
  size: number;
}

/**
 * Downloads one file of a pinned revision to its place in the staging directory, checked against
 * its digest while it streams. What an interrupted run left of it (in `<directory>.part/`) is gone
 * on from. Answers with the stamp of the finished file. `tell` gets the bytes that were added, or,
 * where it begins again, the negative number of those that were lost.
 */
export async function stageFile(
  api: HubApi,
  source: HubSource,
  file: ListedFile,
  tell: (deltaBytes: number) => void,
): Promise<string> {
  const final = join(source.directory, file.path);
  const partial = join(partDirectory(source), file.path);
  await makeDirectory(dirname(partial));
  await makeDirectory(dirname(final));
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT);
  try {
    const part: Part = { handle, file, tell, hash: newHash(file), size: 0 };
    await resume(part, partial, api.context);
    await fill(api, source, part);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await renamePatiently(partial, final);
  await syncDirectory(dirname(final));
  return (await fileStamp(final)) ?? '';
}

/** Where unfinished files wait, under the paths that they will have. */
export function partDirectory(source: HubSource): string {
  return `${source.directory}.part`;
}

/** Whether a file that is there already has the listed bytes. Reads it once. */
export async function isListedFile(path: string, file: ListedFile, context: RunContext): Promise<boolean> {
  const hash = newHash(file);
  await hashInto(hash, path, file.size_bytes, context);
  return hash.digest('hex') === digestOf(file);
}

export async function discardFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

async function resume(part: Part, path: string, context: RunContext): Promise<void> {
  const { size } = await part.handle.stat();
  if (size > part.file.size_bytes) return begin(part);
  await hashInto(part.hash, path, size, context);
  part.size = size;
  part.tell(size);
}

async function hashInto(hash: Hash, path: string, bytes: number, context: RunContext): Promise<void> {
  if (bytes === 0) return;
  for await (const piece of createReadStream(path, {
    highWaterMark: 1 << 20,
    end: bytes - 1,
  }) as AsyncIterable<Buffer>) {
    context.signal?.throwIfAborted();
    hash.update(piece);
  }
}

async function begin(part: Part): Promise<void> {
  await part.handle.truncate(0);
  part.hash = newHash(part.file);
  part.tell(-part.size);
  part.size = 0;
}

async function fill(api: HubApi, source: HubSource, part: Part): Promise<void> {
  const { patience } = api.settings;
  const what = `${source.repository}/${part.file.path}`;
  for (let wrong = 0; ; ) {
    await persist(what, patience, api.context, async () => {
      while (part.size < part.file.size_bytes) {
        const before = part.size;
        try {
          await fetchRest(api, source, part);
        } catch (error) {
          // Only attempts that bring nothing count.
          if (part.size === before || !(error instanceof RequestFailure) || !error.retryable) throw error;
          await pause(Math.max(error.waitMs ?? 0, patience.baseDelayMs), api.context);
        }
      }
    });
    const found = part.hash.copy().digest('hex');
    if (found === digestOf(part.file)) return;
    wrong++;
    if (wrong >= maxWrong) throw wrongBytes(what, part.file, found);
    await begin(part);
  }
}

/** One request for everything that is missing. */
async function fetchRest(api: HubApi, source: HubSource, part: Part): Promise<void> {
  const { path, size_bytes: total } = part.file;
  const from = part.size;
  await api.open(
    source.revision,
    path,
    { from, expectedBytes: total - from, maxBytes: Number.MAX_SAFE_INTEGER },
    async (answer) => {
      const length = answer.headers.get('content-encoding') === null ? answer.headers.get('content-length') : null;
      // A proxy's page with status 200, and other things that can't be the file.
      if (length !== null && answer.start + Number(length) !== total) throw malformed(path);
      let at = answer.start;
      for await (const piece of answer.body) {
        const fresh = piece.subarray(Math.min(piece.length, Math.max(0, part.size - at)));
        at += piece.length;
        if (at > total) throw malformed(path);
        await part.handle.write(fresh, 0, fresh.length, part.size);
        part.hash.update(fresh);
        part.size += fresh.length;
        part.tell(fresh.length);
      }
    },
  );
  if (part.size < total) {
    throw new RequestFailure(`${path}: ended after ${part.size} of ${total} bytes`, { retryable: true });
  }
}

/** The hash that the listing's digest is of: sha256, or git's blob id. [git-hash-object] */
function newHash(file: ListedFile): Hash {
  return file.sha256 === undefined ? createHash('sha1').update(`blob ${file.size_bytes}\0`) : createHash('sha256');
}

function digestOf(file: ListedFile): string | undefined {
  return file.sha256 ?? file.blob_id;
}

function wrongBytes(what: string, file: ListedFile, found: string): AircherError {
  const expected = digestOf(file);
  const kind = file.sha256 === undefined ? 'git blob id' : 'sha256';
  return new AircherError('integrity', `${what}: what arrives has the ${kind} ${found}, the Hub lists ${expected}`, {
    hint: 'A proxy or mirror may change it on the way: check HF_ENDPOINT, and run the same command again.',
    details: { expected, found },
  });
}
