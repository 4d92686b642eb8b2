import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { freeBuffer } from '../core/free-buffers.ts';
import { differenceOf } from './difference.ts';
import type { Element } from './element.ts';
import { outputBytes } from './encode.ts';
import { elementByte, planeHeaderBytes, planeMethods } from './plane-format.ts';

/** From so many bits a byte on, a plane of weights isn't worth the time that deflate would take. */
const noisyBits = 7.9;

const deflateRaw = promisify(zlib.deflateRaw);

/**
 * A chunk of elements of one kind in its encoded form: byte by byte of the elements, the least
 * significant ones of all of them first, each such plane compressed by itself. In pieces to be
 * written one after the other, in buffers of their own; the same bytes on every machine.
 */
export async function encodePlanes(chunk: Uint8Array, element: Element): Promise<readonly Uint8Array[]> {
  return await joinPlanes(chunk, element, async (plane) =>
    entropyOf(plane) >= noisyBits ? [] : [await deflate(plane, zlib.constants.Z_HUFFMAN_ONLY)],
  );
}

/** Likewise the difference of a chunk from an older one of the same length and elements. */
export async function encodePatch(
  chunk: Uint8Array,
  old: Uint8Array,
  element: Element,
): Promise<readonly Uint8Array[]> {
  const difference = differenceOf(chunk, old, element);
  const body = await joinPlanes(difference, element, async (plane) => [
    await deflate(plane, zlib.constants.Z_HUFFMAN_ONLY),
    await deflate(plane, zlib.constants.Z_RLE),
  ]);
  freeBuffer(difference);
  return body;
}

/**
 * `compress` gives the forms that a plane may take; the smallest is taken, of equal ones the first.
 */
async function joinPlanes(
  bytes: Uint8Array,
  element: Element,
  compress: (plane: Uint8Array) => Promise<readonly Uint8Array[]>,
): Promise<readonly Uint8Array[]> {
  const { width } = element;
  const count = Math.floor(bytes.length / width);
  const encoded: Uint8Array[] = [];
  // One after the other: several chunks are at work at once, and keep every core busy.
  for (let number = 0; number < width; number++) {
    const plane = planeOf(bytes, count, width, number);
    const forms = [plane, ...(await compress(plane))];
    const smallest = forms.reduce((best, form) => (form.length < best.length ? form : best));
    for (const form of forms) if (form !== smallest) freeBuffer(form);
    const header = Buffer.alloc(planeHeaderBytes);
    header[0] = smallest === plane ? planeMethods.stored : planeMethods.deflate;
    header.writeUInt32LE(smallest.length, 1);
    encoded.push(header, smallest);
  }
  return [Buffer.of(elementByte(element)), ...encoded, Uint8Array.from(bytes.subarray(count * width))];
}

function planeOf(bytes: Uint8Array, count: number, width: number, number: number): Uint8Array {
  const plane = new Uint8Array(count);
  for (let element = 0, at = number; element < count; element++, at += width) plane[element] = bytes[at]!;
  return plane;
}

/** Bits a byte, as the frequencies of the bytes tell. */
function entropyOf(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (let at = 0; at < bytes.length; at++) counts[bytes[at]!]!++;
  let bits = 0;
  for (const count of counts) if (count > 0) bits += count * Math.log2(bytes.length / count);
  return bits / bytes.length;
}

/** Neither strategy looks for matches, so that their bytes are the same in every zlib. */
async function deflate(plane: Uint8Array, strategy: number): Promise<Uint8Array> {
  return await deflateRaw(plane, { strategy, level: 6, memLevel: 8, chunkSize: outputBytes(plane.length) });
}
