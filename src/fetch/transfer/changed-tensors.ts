import { decodeChunk } from '../../archive/decode.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { lengthBytes, parseHeader } from '../../safetensors/header.ts';
import type { Http } from '../http/types.ts';
import { Board } from './board.ts';
import { Conductor, type Sink } from './conductor.ts';
import { landLocalPieces } from './local-pieces.ts';
import { mirrorsOf } from './mirror.ts';
import { type Piece, piecesOf } from './piece.ts';
import type { TransferPlan } from './types.ts';

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
    const header = readableHeader(bytes.subarray(lengthBytes, headerBytes), size, path);
    for (const tensor of header?.tensors ?? []) {
      const begin = headerBytes + tensor.begin;
      const end = headerBytes + tensor.end;
      if (changed.some(({ piece, offset }) => offset < end && offset + piece.length > begin))
        names.push(`${path}: ${tensor.name}`);
    }
  }
  return names;
}

function readableHeader(json: Uint8Array, size: number, path: string): ReturnType<typeof parseHeader> | undefined {
  try {
    return parseHeader(json, size, path);
  } catch (error) {
    if (error instanceof AircherError) return undefined;
    throw error;
  }
}

/** The pieces' bytes: from this machine where it has them, else from the mirrors. */
async function load(plan: TransferPlan, wanted: readonly Piece[], http: Http, context: RunContext): Promise<Buffer[]> {
  const bytes = new Map<Piece, Uint8Array>();
  const pieces = wanted.map((piece) => ({ ...piece, wrong: new Map() }) satisfies Piece);
  const sink = new Memory(bytes);
  await landLocalPieces({
    pieces,
    staged: new Set(),
    copies: plan.copies,
    store: { read: async () => Buffer.alloc(0) },
    landing: sink,
    signal: context.signal,
    onDone: (piece) => {
      piece.state = 'done';
    },
    onMissing: () => {},
  });
  const missing = pieces.filter((piece) => piece.state !== 'done');
  const mirrors = mirrorsOf(plan.request, plan.index!.value, http);
  if (missing.length > 0) {
    const conductor = new Conductor({
      ...context,
      http,
      mirrors,
      board: new Board(missing),
      landing: sink,
      onPiece: () => {},
    });
    await conductor.run();
  }
  return pieces.map((piece) => Buffer.from(bytes.get(piece)!));
}

class Memory implements Sink {
  readonly #bytes: Map<Piece, Uint8Array>;

  constructor(bytes: Map<Piece, Uint8Array>) {
    this.#bytes = bytes;
  }

  isRight(piece: Piece, chunk: Uint8Array): boolean {
    return chunk.length === piece.length && sha256(chunk) === piece.sha256;
  }

  async write(piece: Piece, chunk: Uint8Array): Promise<void> {
    this.#bytes.set(piece, chunk);
  }

  async fromSlice(...[piece, slice, format]: Parameters<Sink['fromSlice']>): Promise<string | undefined> {
    const chunk = await decodeChunk(format, slice, piece.length).catch(() => undefined);
    if (chunk === undefined || !this.isRight(piece, chunk)) return 'a chunk has another sha256 than it should';
    await this.write(piece, chunk);
    return undefined;
  }

  pressure(): undefined {}

  takeSaturation(): boolean {
    return false;
  }
}
