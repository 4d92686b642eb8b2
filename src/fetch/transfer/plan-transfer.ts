import type { ChunkIndex } from '../../contract/chunk-index.ts';
import { totalSize } from '../../contract/fields.ts';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory } from '../../core/write-files.ts';
import type { Http } from '../../http/http-client.ts';
import { type Chunk, chunksOf } from './chunk.ts';
import { addForms, loadEncodings } from './encoding.ts';
import { loadIndex } from './fetch-index.ts';
import { findCopies } from './local-chunks.ts';
import { chunkMirrors, type Location, mirrorsAt } from './mirror.ts';
import { areNeighbours } from './range-queue.ts';
import { pathsIn, readJournal } from './transfer-directory.ts';
import type { TransferPlan, TransferRequest } from './types.ts';

/**
 * Plans a transfer: loads and checks the index, and those of encodings that may help (nothing else
 * is fetched here), and finds what is on this machine already. Throws `invalid`, `integrity`,
 * `remote`.
 */
export async function planTransfer(
  request: TransferRequest,
  http: Http,
  context: RunContext = {},
): Promise<TransferPlan> {
  await makeDirectory(request.staging);
  const index = await loadIndex(request, http, context);
  if (index === undefined) return planArchive(request, http);
  const chunks = chunksOf(index.value, request.paths);
  const staged = (await readJournal(pathsIn(request.staging), request.entry.index?.sha256 ?? '')) ?? new Set();
  const copies = await findCopies(request, index.value, chunks);
  const bytesMissing = chunks.reduce((sum, { places, archiveLength }) => {
    const isHere = copies.has(places[0].chunk) || places.some(({ chunk }) => staged.has(chunk));
    return isHere ? sum : sum + archiveLength;
  }, 0);
  const encodings = await loadEncodings(request, index.value, bytesMissing, http, context);
  addForms(chunks, index.value, encodings, request, http);
  const summary = summarize(request, http, index.value, chunks, copies, staged);
  return { request, index, encodings, copies, summary };
}

function planArchive(request: TransferRequest, http: Http): TransferPlan {
  const { model, entry } = request;
  return {
    request,
    index: undefined,
    encodings: [],
    copies: new Map(),
    summary: {
      name: model,
      version: entry.version,
      way: 'archive',
      total_bytes: entry.files && totalSize(entry.files),
      bytes_to_fetch: entry.size_bytes,
      bytes_to_copy: 0,
      bytes_staged: 0,
      requests: 1,
      encodings: [],
      changed_files: entry.files?.map((file) => file.path) ?? [],
      mirrors: mirrorsAt(entry.download_urls, request, http).map(({ name }) => name),
    },
  };
}

function summarize(
  request: TransferRequest,
  http: Http,
  index: ChunkIndex,
  chunks: readonly Chunk[],
  copies: TransferPlan['copies'],
  staged: ReadonlySet<number>,
): TransferPlan['summary'] {
  const mirrors = chunkMirrors(request, index, http);
  const [primary] = mirrors;
  let bytesToFetch = 0;
  let bytesToCopy = 0;
  let bytesStaged = 0;
  let requests = 0;
  const last = new Map<string, Location>();
  const encoded = new Map<string, number>();
  const changed = new Set<number>();
  for (const chunk of chunks) {
    const [{ chunk: number }] = chunk.places;
    const stagedPlaces = chunk.places.filter((place) => staged.has(place.chunk)).length;
    bytesStaged += stagedPlaces * chunk.length;
    if (copies.has(number)) {
      bytesToCopy += (chunk.places.length - stagedPlaces) * chunk.length;
      continue;
    }
    for (const { file } of chunk.places) changed.add(file);
    const location = primary?.locate(chunk);
    if (stagedPlaces > 0 || location === undefined) continue;
    const { url, length, form } = location;
    bytesToFetch += length;
    if (form) encoded.set(form.encoding.name, (encoded.get(form.encoding.name) ?? 0) + length);
    const before = last.get(url);
    if (before === undefined || !areNeighbours(before, location)) requests++;
    last.set(url, location);
  }
  const wanted = index.files.filter((file) => request.paths?.has(file.path) ?? true);
  return {
    name: request.model,
    version: request.entry.version,
    way: chunks.length === 0 ? 'nothing' : 'chunks',
    total_bytes: totalSize(wanted),
    bytes_to_fetch: bytesToFetch,
    bytes_to_copy: bytesToCopy,
    bytes_staged: bytesStaged,
    requests,
    encodings: [...encoded].map(([name, bytes]) => ({ name, bytes_to_fetch: bytes })),
    changed_files: index.files.filter((_, number) => changed.has(number)).map(({ path }) => path),
    mirrors: mirrors.map((mirror) => mirror.name),
  };
}
