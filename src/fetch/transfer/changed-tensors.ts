import { parseStrictJson } from '../../contract/strict-json.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { Board } from './board.ts';
import { Conductor } from './conductor.ts';
import { Landing } from './landing.ts';
import { landLocalPieces } from './local-pieces.ts';
import { mirrorsOf } from './mirror.ts';
import { type Piece, piecesOf } from './piece.ts';
import type { TransferPlan } from './types.ts';

/** A safetensors file begins with its header's length, in so many bytes. */
const lengthBytes = 8;
/** Largest header that is fetched for the sake of names. */
const maxHeaderBytes = 16 * 1024 * 1024;

/**
 * `<path>: <tensor>` of each tensor of which any chunk is in no installed version. Fetches the headers of safetensors files that
 * aren't on this machine. Throws as a transfer does; a file whose header can't be read adds no names.
 */
export async function nameChangedTensors(plan: TransferPlan, http: Http, context: RunContext): Promise<string[]> {
  const index = plan.index!.value;
  const pieces = piecesOf(index);
  const names: string[] = [];
  for (const [file, { path, size_bytes: size }] of index.files.entries()) {
    if (!path.endsWith('.safetensors')) continue;
    const here = pieces
      .flatMap((piece) => piece.places.filter((place) => place.file === file).map(({ offset }) => ({ piece, offset })))
      .sort((a, b) => a.offset - b.offset);
    const changed = here.filter(({ piece }) => !plan.copies.has(piece.places[0].chunk));
    if (changed.length === 0) continue;
    const first = here[0] && (await load(plan, [here[0].piece], http, context))[0];
    if (first === undefined || first.length < lengthBytes) continue;
    const headerBytes = lengthBytes + Number(first.readBigUInt64LE());
    if (headerBytes > Math.min(size, maxHeaderBytes)) continue;
    const rest = here.slice(1).filter(({ offset }) => offset < headerBytes);
    const bytes = Buffer.concat([
      first,
      ...(await load(
        plan,
        rest.map(({ piece }) => piece),
        http,
        context,
      )),
    ]);
    for (const [tensor, begin, end] of tensorsOf(bytes.subarray(lengthBytes, headerBytes), path)) {
      const overlaps = ({ piece, offset }: (typeof changed)[number]): boolean =>
        offset < headerBytes + end && offset + piece.length > headerBytes + begin;
      if (changed.some(overlaps)) names.push(`${path}: ${tensor}`);
    }
  }
  return names;
}

/** Name, begin and end (behind the header) of each tensor, as far as the header can be read; the release's gate has checked it. */
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

/** The pieces' bytes: from this machine where it has them, else from the mirrors. */
async function load(plan: TransferPlan, wanted: readonly Piece[], http: Http, context: RunContext): Promise<Buffer[]> {
  const bytes = new Map<string, Uint8Array>();
  const pieces = wanted.map((piece) => ({ ...piece, wrong: new Map() }) satisfies Piece);
  const memory = {
    read: async () => Buffer.alloc(0),
    write: async (file: number, chunk: Uint8Array, offset: number) => {
      bytes.set(`${file} ${offset}`, chunk);
    },
  };
  const landing = new Landing(memory, { add: async () => {} }, undefined);
  await landLocalPieces({
    pieces,
    staged: new Set(),
    copies: plan.copies,
    store: memory,
    landing,
    signal: context.signal,
    onDone(piece) {
      piece.state = 'done';
    },
    onMissing() {},
  });
  const missing = pieces.filter((piece) => piece.state !== 'done');
  const mirrors = mirrorsOf(plan.request, plan.index!.value, http);
  if (missing.length > 0) {
    await new Conductor({ ...context, http, mirrors, board: new Board(missing), landing, onPiece() {} }).run();
  }
  return pieces.map(({ places: [{ file, offset }] }) => Buffer.from(bytes.get(`${file} ${offset}`)!));
}
