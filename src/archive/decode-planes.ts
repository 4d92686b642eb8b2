import { integrityError } from '../core/errors.ts';
import { freeBuffer } from '../core/free-buffers.ts';
import { decodeChunk } from './decode.ts';
import { applyDifference } from './difference.ts';
import type { Element } from './element.ts';
import { elementOfByte, planeHeaderBytes, planeMethods } from './plane-format.ts';

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The chunk of `length` bytes that `encodePlanes` encoded. Inflates nothing beyond that. Throws
 * AircherError `integrity` for whatever isn't an encoded chunk; whether it is the right one is the
 * caller's to check, by digest.
 */
export async function decodePlanes(body: Uint8Array, length: number): Promise<Uint8Array> {
  return (await splitBody(body, length)).bytes;
}

/** Likewise that of `encodePatch`, from the old chunk, whose length is the chunk's. */
export async function decodePatch(body: Uint8Array, old: Uint8Array): Promise<Uint8Array> {
  const { bytes, element } = await splitBody(body, old.length);
  const chunk = applyDifference(bytes, old, element);
  freeBuffer(bytes);
  return chunk;
}

async function splitBody(
  body: Uint8Array,
  length: number,
): Promise<{ readonly bytes: Uint8Array; readonly element: Element }> {
  const element = elementOfByte(body[0] ?? 0xff);
  if (element === undefined) throw damaged('is of no known elements');
  const { width } = element;
  const count = Math.floor(length / width);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const planes: (readonly [method: number, bytes: Uint8Array])[] = [];
  let at = 1;
  for (let number = 0; number < width; number++) {
    if (at + planeHeaderBytes > body.length) throw damaged('ends too early');
    const begin = at + planeHeaderBytes;
    const end = begin + view.getUint32(at + 1, true);
    if (end > body.length) throw damaged('ends too early');
    planes.push([body[at]!, body.subarray(begin, end)]);
    at = end;
  }
  const rest = body.subarray(at);
  if (rest.length !== length - count * width) throw damaged('has another end than it should');
  const decoded: Uint8Array[] = [];
  // One after the other: several chunks are at work at once, and keep every core busy.
  for (const [method, encoded] of planes) decoded.push(await decodePlane(method, encoded, count));
  const bytes = new Uint8Array(length);
  interleave(decoded, bytes, count);
  bytes.set(rest, count * width);
  for (const plane of decoded) if (plane.buffer !== body.buffer) freeBuffer(plane);
  return { bytes, element };
}

/**
 * Puts elements together from their planes. Elements of 2 and 4 bytes, as most weights are, are
 * written as numbers: byte by byte, it would take twice as long.
 */
function interleave(planes: readonly Uint8Array[], bytes: Uint8Array, count: number): void {
  const [a, b, c, d] = planes;
  if (isLittleEndian && planes.length === 4) {
    const elements = new Uint32Array(bytes.buffer, 0, count);
    for (let at = 0; at < count; at++) elements[at] = a![at]! | (b![at]! << 8) | (c![at]! << 16) | (d![at]! << 24);
  } else if (isLittleEndian && planes.length === 2) {
    const elements = new Uint16Array(bytes.buffer, 0, count);
    for (let at = 0; at < count; at++) elements[at] = a![at]! | (b![at]! << 8);
  } else {
    for (const [number, plane] of planes.entries()) {
      for (let from = 0, to = number; from < count; from++, to += planes.length) bytes[to] = plane[from]!;
    }
  }
}

async function decodePlane(method: number, bytes: Uint8Array, count: number): Promise<Uint8Array> {
  if (method === planeMethods.deflate) return await decodeChunk('tar.gz', bytes, count);
  if (method === planeMethods.stored && bytes.length === count) return bytes;
  throw damaged(`has a plane of method ${method} and ${bytes.length} bytes for ${count}`);
}

function damaged(fact: string): Error {
  return integrityError(`an encoded chunk ${fact}`);
}
