import { parseStrictJson } from '../../contract/strict-json.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { type Chunk, chunksOf } from '../transfer/chunk.ts';
import { RangeFetcher } from '../transfer/fetch-ranges.ts';
import { takeLocalChunks } from '../transfer/local-chunks.ts';
import { chunkMirrors, connectionsTo } from '../transfer/mirror.ts';
import { RangeQueue } from '../transfer/range-queue.ts';
import type { TransferPlan } from '../transfer/types.ts';

/** A safetensors file begins with its header's length, in so many bytes. */
const lengthBytes = 8;
/** Largest header that is fetched for the sake of names. */
const maxHeaderBytes = 16 * 1024 * 1024;

/**
 * `<path>: <tensor>` of each tensor of which any chunk is in no installed version. Fetches the
 * headers of safetensors files that aren't on this machine. Throws as a transfer does; a file whose
 * header can't be read adds no names.
 */
export async function changedTensors(plan: TransferPlan, http: Http, context: RunContext): Promise<string[]> {
  const index = plan.index!.value;
  const chunks = chunksOf(index, plan.request.paths);
  const names: string[] = [];
  for (const [file, { path, size_bytes: size }] of index.files.entries()) {
    if (!path.endsWith('.safetensors')) continue;
    const here = chunks
      .flatMap((chunk) => chunk.places.filter((place) => place.file === file).map(({ offset }) => ({ chunk, offset })))
      .sort((a, b) => a.offset - b.offset);
    const changed = here.filter(({ chunk }) => !plan.copies.has(chunk.places[0].chunk));
    if (changed.length === 0) continue;
    const first = here[0] && (await load(plan, [here[0].chunk], http, context))[0];
    if (first === undefined || first.length < lengthBytes) continue;
    const headerBytes = lengthBytes + Number(first.readBigUInt64LE());
    if (headerBytes > Math.min(size, maxHeaderBytes)) continue;
    const rest = here.slice(1).filter(({ offset }) => offset < headerBytes);
    const bytes = Buffer.concat([
      first,
      ...(await load(
        plan,
        rest.map(({ chunk }) => chunk),
        http,
        context,
      )),
    ]);
    for (const [tensor, begin, end] of tensorsOf(bytes.subarray(lengthBytes, headerBytes), path)) {
      const overlaps = ({ chunk, offset }: (typeof changed)[number]): boolean =>
        offset < headerBytes + end && offset + chunk.length > headerBytes + begin;
      if (changed.some(overlaps)) names.push(`${path}: ${tensor}`);
    }
  }
  return names;
}

/**
 * Name, begin and end (behind the header) of each tensor, as far as the header can be read; the
 * release's gate has checked it.
 */
function tensorsOf(json: Uint8Array, file: string): readonly (readonly [name: string, begin: number, end: number])[] {
  try {
    return Object.entries(parseStrictJson(json, { file, maxBytes: maxHeaderBytes }) ?? {})
      .flatMap(([name, value]) => {
        const offsets = (value as { readonly data_offsets?: unknown } | null)?.data_offsets;
        return Array.isArray(offsets) ? [[name, Number(offsets[0]), Number(offsets[1])] as const] : [];
      })
      .sort((a, b) => a[1] - b[1]);
  } catch (error) {
    if (error instanceof AircherError) return [];
    throw error;
  }
}

/** The chunks' bytes: from this machine where it has them, else from the mirrors. */
async function load(plan: TransferPlan, wanted: readonly Chunk[], http: Http, context: RunContext): Promise<Buffer[]> {
  const bytes = new Map<Chunk, Uint8Array>();
  // For this load alone.
  const chunks = wanted.map((chunk): Chunk => ({ ...chunk, state: 'missing', wrong: new Map() }));
  const store = async (chunk: Chunk, right: Uint8Array): Promise<void> => {
    bytes.set(chunk, right);
  };
  await takeLocalChunks({
    chunks,
    staged: new Set(),
    readStaged: async () => Buffer.alloc(0),
    copies: plan.copies,
    signal: context.signal,
    store,
    onMissing() {},
  });
  const missing = chunks.filter((chunk) => !bytes.has(chunk));
  const mirrors = chunkMirrors(plan.request, plan.index!.value, http);
  const queue = new RangeQueue(missing, connectionsTo(mirrors, http));
  await new RangeFetcher({ ...context, http, mirrors, queue, store, onChunk() {} }).run();
  return chunks.map((chunk) => Buffer.from(bytes.get(chunk)!));
}
