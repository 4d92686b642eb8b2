import { unpackArchive } from '../../archive/unpack-archive.ts';
import type { ChunkIndex } from '../../contract/chunk-index.ts';
import { totalSize } from '../../contract/fields.ts';
import { checkDiskSpace } from '../../core/disk-space.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { type Chunk, chunksOf, leastBytes } from './chunk.ts';
import { addForms } from './encoding.ts';
import { fetchArchive } from './fetch-archive.ts';
import { RangeFetcher } from './fetch-ranges.ts';
import { FileStore } from './file-store.ts';
import { takeLocalChunks } from './local-chunks.ts';
import { chunkMirrors, connectionsTo } from './mirror.ts';
import { RangeQueue } from './range-queue.ts';
import { pathsIn, readJournal, startJournal } from './transfer-directory.ts';
import type { FileRecord, TransferPlan, TransferReport } from './types.ts';

/**
 * Does what the plan says. Afterwards `<staging>/files` holds the wanted files, checked and flushed
 * (by chunks where there is an index, else as a whole). To continue after a kill or a failure, plan
 * and run again with the same staging directory. Throws `remote`, `integrity`, `machine`,
 * `interrupted`.
 */
export async function runTransfer(plan: TransferPlan, http: Http, context: RunContext = {}): Promise<TransferReport> {
  const { index } = plan;
  const result = index
    ? await transferChunks(plan, index.value, http, context)
    : await unpackWhole(plan, http, context);
  const bytesFetched = result.mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0);
  return { bytesCopied: 0, ...result, bytesFetched, indexBytes: index?.bytes };
}

type Result = Pick<TransferReport, 'mirrors' | 'bytesResumed' | 'files'> & { readonly bytesCopied?: number };

async function unpackWhole({ request }: TransferPlan, http: Http, context: RunContext): Promise<Result> {
  const { model, entry } = request;
  const { archive, files: directory } = pathsIn(request.staging);
  const unpacked = entry.files ? totalSize(entry.files) : entry.size_bytes;
  const fetched = await fetchArchive(request, http, context, unpacked);
  return { ...fetched, files: await unpackArchive({ archive, model, entry, directory }, context) };
}

/**
 * Checks what is in place, copies what is on this machine and fetches the rest, all at the same
 * time.
 */
async function transferChunks(
  { request, copies, encodings }: TransferPlan,
  index: ChunkIndex,
  http: Http,
  context: RunContext,
): Promise<Result> {
  const staging = pathsIn(request.staging);
  const indexSha256 = request.entry.index?.sha256 ?? '';
  const left = await readJournal(staging, indexSha256);
  const staged = left ?? new Set<number>();
  const chunks = chunksOf(index, request.paths);
  addForms(chunks, index, encodings, request, http);
  const local = chunks.filter(
    ({ places }) => copies.has(places[0].chunk) || places.some(({ chunk }) => staged.has(chunk)),
  );
  for (const chunk of local) chunk.state = 'local';
  const files = new Map([...index.files.entries()].filter(([, file]) => request.paths?.has(file.path) ?? true));
  await checkDiskSpace(request.staging, bytesToWrite(files.values(), chunks, staged));
  const journal = await startJournal(staging, indexSha256, left);
  const stop = new AbortController();
  let bytesCopied = 0;
  let bytesResumed = 0;
  try {
    const store = new FileStore(staging.files, files, (place) => journal.add(place));
    await store.prepare();
    const mirrors = chunkMirrors(request, index, http);
    const queue = new RangeQueue(chunks, connectionsTo(mirrors, http));
    const progress = progressOf(request.model, chunks, context);
    const fetcher = new RangeFetcher({
      ...context,
      http,
      mirrors,
      queue,
      store: (chunk, bytes) => store.write(chunk, bytes),
      onChunk: progress.add,
    });
    const copied = takeLocalChunks({
      chunks: local,
      staged,
      readStaged: (file, length, offset) => store.read(file, length, offset),
      copies,
      signal: stop.signal,
      async store(chunk, bytes, inPlace) {
        await store.write(chunk, bytes, inPlace);
        bytesResumed += inPlace.size * chunk.length;
        bytesCopied += (chunk.places.length - inPlace.size) * chunk.length;
        queue.finish(chunk);
        if (queue.finished) fetcher.look();
      },
      onMissing(chunk) {
        chunk.state = 'missing';
        progress.expect(chunk);
        fetcher.look();
      },
    }).catch((error: unknown) => {
      if (!stop.signal.aborted) fetcher.fail(error);
    });
    try {
      await fetcher.run();
    } finally {
      stop.abort();
      await copied;
    }
    return { bytesCopied, bytesResumed, files: [...files.values()], mirrors: mirrors.map((mirror) => mirror.report()) };
  } finally {
    await journal.close();
  }
}

function bytesToWrite(files: Iterable<FileRecord>, chunks: readonly Chunk[], staged: ReadonlySet<number>): number {
  let bytes = 0;
  for (const file of files) bytes += file.size_bytes;
  for (const { places, length } of chunks) for (const { chunk } of places) if (staged.has(chunk)) bytes -= length;
  return bytes;
}

/**
 * Reports how many of the bytes to fetch have come. Only checked chunks count, so the number never
 * goes back.
 */
function progressOf(model: string, chunks: readonly Chunk[], { onEvent }: RunContext) {
  // As planned, whatever way they come in the end.
  const planned = new Map(chunks.map((chunk) => [chunk, leastBytes(chunk)]));
  const bytesOf = (chunk: Chunk): number => planned.get(chunk) ?? 0;
  let total = chunks.reduce((sum, chunk) => sum + (chunk.state === 'missing' ? bytesOf(chunk) : 0), 0);
  let done = 0;
  const tell = (): void => onEvent?.({ type: 'progress', task: 'download', subject: model, done, total });
  if (total > 0) tell();
  return {
    /** A chunk came from a mirror. */
    add(chunk: Chunk): void {
      done += bytesOf(chunk);
      tell();
    },
    /** A chunk that was thought to be on this machine has to be fetched. */
    expect(chunk: Chunk): void {
      total += bytesOf(chunk);
    },
  };
}
