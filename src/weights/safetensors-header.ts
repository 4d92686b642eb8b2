import { isObject } from '../contract/json-values.ts';
import { limits } from '../contract/limits.ts';
import { compareBytes } from '../contract/names.ts';
import { parseStrictJson } from '../contract/strict-json.ts';
import { type AircherError, invalidError } from '../core/errors.ts';
import { dtypeBits } from './dtypes.ts';
import { elementsOf } from './weights-file.ts';

/**
 * The header's length comes first in the file: an unsigned little-endian integer of so many bytes.
 */
export const lengthBytes = 8;

/**
 * Deepest nesting of a header. It needs three levels (file, tensor, shape); members of later
 * versions may need some more.
 */
const maxHeaderDepth = 16;

export interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Counted from the start of the tensor data. `end` is the first byte after the tensor. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** Where the tensor data starts in the file: 8 bytes of length and the header itself. */
  readonly headerBytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** By `begin`, then name. */
  readonly tensors: readonly Tensor[];
}

/**
 * Reads a header (the JSON after the eight length bytes) and checks it against the size of its
 * file. The rules are in the README of huggingface/safetensors, and in what its reader refuses.
 * `file`: its name for messages. Throws AircherError `invalid`.
 */
export function parseHeader(json: Uint8Array, fileSize: number, file = 'safetensors header'): SafetensorsHeader {
  if (json[0] !== 0x7b) throw invalid(file, 'the header does not start with {');
  let textEnd = json.length;
  while (json[textEnd - 1] === 0x20) textEnd--;
  if (json[textEnd - 1] !== 0x7d) throw invalid(file, 'the header does not end with } and spaces');
  const members = parseStrictJson(json, {
    file,
    maxBytes: limits.headerBytes,
    maxValues: limits.headerValues,
    maxDepth: maxHeaderDepth,
  });
  if (!isObject(members)) throw invalid(file, 'the header is not an object');

  const metadata = Object.hasOwn(members, '__metadata__') ? readMetadata(members.__metadata__, file) : {};
  const tensors: Tensor[] = [];
  for (const [name, value] of Object.entries(members)) {
    if (name !== '__metadata__') tensors.push(readTensor(name, value, file));
  }
  const headerBytes = lengthBytes + json.length;
  checkOffsets(tensors, fileSize - headerBytes, file);
  tensors.sort((a, b) => a.begin - b.begin || compareBytes(a.name, b.name));
  return { headerBytes, metadata, tensors };
}

function readMetadata(value: unknown, file: string): Record<string, string> {
  if (!isObject(value)) throw invalid(file, '__metadata__ is not a map of strings');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw invalid(file, `__metadata__ has a value that is no string: ${JSON.stringify(key)}`);
  }
  return value as Record<string, string>;
}

function readTensor(name: string, value: unknown, file: string): Tensor {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) throw invalid(file, `${where} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const bits = typeof dtype === 'string' ? dtypeBits.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    throw invalid(file, `${where} has the unknown dtype ${JSON.stringify(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw invalid(file, `${where} has a shape that is no list of sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw invalid(file, `${where} has data_offsets that are not two offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) throw invalid(file, `${where} ends before it begins: ${begin}, ${end}`);
  const expected = byteLength(shape, bits);
  if (expected === undefined) {
    throw invalid(file, `${where}: [${shape.join(', ')}] of ${dtype} is no whole number of bytes that a file can hold`);
  }
  if (end - begin !== expected) {
    throw invalid(file, `${where} has ${end - begin} bytes, but [${shape.join(', ')}] of ${dtype} needs ${expected}`);
  }
  return { name, dtype, shape, begin, end };
}

/**
 * Bytes of a tensor. Undefined where the number is too large to be exact, or where elements smaller
 * than a byte don't fill the last byte.
 */
function byteLength(shape: readonly number[], bits: number): number | undefined {
  const total = (elementsOf(shape) ?? Number.NaN) * bits;
  return total <= Number.MAX_SAFE_INTEGER && total % 8 === 0 ? total / 8 : undefined;
}

/**
 * Checks that the tensors follow each other without gap or overlap, from the first byte of the data
 * to the end of the file.
 */
function checkOffsets(tensors: readonly Tensor[], dataBytes: number, file: string): void {
  // An empty tensor begins where another one does, so it is sorted before that one.
  const ordered = [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of ordered) {
    if (begin !== covered) {
      const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw invalid(file, `tensor ${JSON.stringify(name)} ${fault}: it begins at ${begin}, not ${covered}`);
    }
    covered = end;
  }
  if (covered === dataBytes) return;
  throw invalid(file, `the tensors take ${covered} bytes, the file has ${dataBytes} behind its header`, {
    hint:
      covered > dataBytes
        ? 'The file is cut short: get it again.'
        : 'The file has bytes that no tensor owns: write it again.',
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function invalid(file: string, fact: string, options: { readonly hint?: string } = {}): AircherError {
  return invalidError(
    `${file}: ${fact}`,
    options.hint ??
      'The file is no valid safetensors file: get it again, or write it again with the safetensors library.',
  );
}
