import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory } from '../../core/files.ts';
import type { Http } from '../../http/http-client.ts';
import { adjacent } from './board.ts';
import { nameChangedTensors } from './changed-tensors.ts';
import { loadIndex } from './fetch-index.ts';
import { Frame } from './frame.ts';
import { readJournal } from './journal.ts';
import { archiveUrls, type Location, mirrorsOf } from './mirror.ts';
import { inArchiveOrder, type Piece, piecesOf } from './piece.ts';
import { findCopies } from './reuse.ts';
import { stagingOf } from './staging.ts';
import type { TransferPlan, TransferRequest, TransferSummary } from './types.ts';

/**
 * What a transfer will do: loads and checks the index (the only bytes that are fetched here, but for a safetensors header where
 * changed tensors are asked for), and finds what is on this machine already. Throws `invalid`, `integrity`, `remote`.
 */
export async function planTransfer(
  request: TransferRequest,
  http: Http,
  context: RunContext = {},
): Promise<TransferPlan> {
  await makeDirectory(request.staging);
  const index = await loadIndex(request, http, context);
  if (index === undefined) return planArchive(request, http);
  const pieces = piecesOf(index.value);
  const staged =
    (await readJournal(stagingOf(request.staging).journal, request.entry.index?.sha256 ?? '')) ?? new Set();
  const copies = await findCopies(request, index.value, pieces);
  const frame = pieces.length > 0 && copies.size === 0 ? new Frame(index.value) : undefined;
  const plan: TransferPlan = {
    request,
    index,
    copies,
    frame,
    staged,
    summary: summarize(request, http, index.value, inArchiveOrder(pieces, frame?.pieces), copies, staged),
  };
  if (!request.nameChangedTensors) return plan;
  const changedTensors = await nameChangedTensors(plan, http, context);
  return { ...plan, summary: { ...plan.summary, changedTensors } };
}

function planArchive(request: TransferRequest, http: Http): TransferPlan {
  const { model, entry } = request;
  const total = entry.files?.reduce((sum, file) => sum + file.size_bytes, 0);
  return {
    request,
    index: undefined,
    copies: new Map(),
    frame: undefined,
    staged: new Set(),
    summary: {
      model,
      version: entry.version,
      way: 'archive',
      totalBytes: total,
      bytesToFetch: entry.size_bytes,
      bytesToCopy: 0,
      bytesStaged: 0,
      requests: 1,
      changedTensors: undefined,
      changedFiles: entry.files?.map((file) => file.path) ?? [],
      mirrors: archiveUrls(request, http).map(({ kind }) => kind),
    },
  };
}

function summarize(
  request: TransferRequest,
  http: Http,
  index: ChunkIndex,
  pieces: readonly Piece[],
  copies: TransferPlan['copies'],
  staged: TransferPlan['staged'],
): TransferSummary {
  const mirrors = mirrorsOf(request, index, http);
  const [primary] = mirrors;
  let bytesToFetch = 0;
  let bytesToCopy = 0;
  let bytesStaged = 0;
  let requests = 0;
  let last: Location | undefined;
  const changed = new Set<number>();
  for (const piece of pieces) {
    const [{ chunk }] = piece.places;
    const stagedPlaces = piece.places.filter((place) => staged.has(place.chunk)).length;
    bytesStaged += stagedPlaces * piece.length;
    if (copies.has(chunk)) {
      bytesToCopy += (piece.places.length - stagedPlaces) * piece.length;
      continue;
    }
    for (const { file } of piece.places) changed.add(file);
    const location = primary?.locate(piece);
    if (stagedPlaces > 0 || location === undefined) continue;
    if (last !== undefined && adjacent(last, location)) {
      bytesToFetch += location.offset + location.length - (last.offset + last.length);
    } else {
      bytesToFetch += location.length;
      requests++;
    }
    last = location;
  }
  return {
    model: request.model,
    version: request.entry.version,
    way: bytesToFetch === 0 && bytesToCopy === 0 && bytesStaged === 0 && pieces.length === 0 ? 'nothing' : 'chunks',
    totalBytes: index.files.reduce((sum, file) => sum + file.size_bytes, 0),
    bytesToFetch,
    bytesToCopy,
    bytesStaged,
    requests,
    changedTensors: undefined,
    changedFiles: [...changed].sort((a, b) => a - b).flatMap((file) => index.files[file]?.path ?? []),
    mirrors: mirrors.map((mirror) => mirror.name),
  };
}
