import type { Hash } from 'node:crypto';
import { limits } from '../contract/limits.ts';
import { type Sha256, startHash } from '../core/hashing.ts';
import type { FileWindow } from './file-window.ts';
import { numberBytes, tensorTypes, valueTypes } from './gguf-types.ts';
import { elementsOf, type Fault, faultIn, type PlacedTensor, type ReadableFile, readThrough } from './weights-file.ts';

/** What a GGUF file says for one key. Of arrays only the length is kept. */
export interface GgufValue {
  readonly value: number | string | boolean | { readonly length: number };
  /**
   * Digest of type and value as they are in the file. The format has only one way to write them.
   */
  readonly sha256: Sha256;
}

export interface GgufFile {
  readonly format: 'gguf';
  readonly tensors: readonly PlacedTensor[];
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

const maxKeyBytes = 64 * 1024;
/** Longer texts (chat templates, licences) are only hashed. */
const keptTextBytes = 4096;
const maxArrayDepth = 8;
const maxRank = 8;
const defaultAlignment = 32;

/**
 * Reads a GGUF file without its weights (docs/gguf.md of ggml, versions 2 and 3, little-endian).
 * Tensor data must follow each other in the order of the descriptions, each padded to the
 * alignment: llama.cpp demands it. Throws AircherError `invalid` with the path.
 */
export async function readGguf(file: ReadableFile): Promise<GgufFile> {
  const fault = faultIn(file, 'GGUF');
  return await readThrough(file, fault, (window) => new GgufReader(window, file.path, fault).read());
}

class GgufReader {
  readonly #window: FileWindow;
  readonly #path: string;
  readonly #fault: Fault;
  #valuesLeft: number = limits.modelJsonValues;
  /** How many bytes of keys, names and texts may still be kept in memory. */
  #keptLeft: number = limits.headerBytes;
  #hash: Hash = startHash();

  constructor(window: FileWindow, path: string, fault: Fault) {
    this.#window = window;
    this.#path = path;
    this.#fault = fault;
  }

  read(): GgufFile {
    const window = this.#window;
    if (window.size < 24 || window.take(4).toString('latin1') !== 'GGUF')
      throw this.#fault('it does not begin with GGUF');
    const version = window.u32();
    if (version !== 2 && version !== 3)
      throw this.#fault(`version ${version} of GGUF is none that is read here (2, 3)`);
    const tensorCount = window.u64();
    const keyCount = window.u64();
    const metadata = new Map<string, GgufValue>();
    for (let at = 0; at < keyCount; at++) {
      const key = this.#text(maxKeyBytes);
      if (metadata.has(key)) throw this.#fault(`it has the key ${JSON.stringify(key)} twice`);
      metadata.set(key, this.#value());
    }
    const alignment = metadata.get('general.alignment')?.value ?? defaultAlignment;
    if (typeof alignment !== 'number' || alignment < 8 || alignment % 8 !== 0 || !Number.isSafeInteger(alignment)) {
      throw this.#fault('its general.alignment is no multiple of 8');
    }
    const tensors = this.#tensors(tensorCount, alignment);
    return { format: 'gguf', tensors, metadata };
  }

  #tensors(count: number, alignment: number): readonly PlacedTensor[] {
    const window = this.#window;
    const aligned = (at: number): number => Math.ceil(at / alignment) * alignment;
    const names = new Set<string>();
    const described: (Omit<PlacedTensor, 'file'> & { readonly said: string })[] = [];
    let next = 0;
    for (let at = 0; at < count; at++) {
      const name = this.#text(maxKeyBytes);
      const said = `the tensor ${JSON.stringify(name.slice(0, 200))}`;
      if (names.has(name)) throw this.#fault(`${said} is described twice`);
      names.add(name);
      const rank = window.u32();
      if (rank > maxRank) throw this.#fault(`${said} has ${rank} dimensions`);
      // The file lists the fastest dimension first, we list it last.
      const shape = Array.from({ length: rank }, () => window.u64()).reverse();
      const type = window.u32();
      const [dtype, elements, bytes] = tensorTypes.get(type) ?? [];
      if (dtype === undefined || elements === undefined || bytes === undefined) {
        throw this.#fault(`${said} is of the unknown type ${type}`);
      }
      const length = ((elementsOf(shape) ?? Number.NaN) / elements) * bytes;
      if (!Number.isSafeInteger(length) || (shape.at(-1) ?? 1) % elements !== 0) {
        throw this.#fault(
          `${said} of [${shape.join(', ')}] ${dtype} is no whole number of blocks that a file can hold`,
        );
      }
      const offset = window.u64();
      if (offset !== next) throw this.#fault(`${said} begins at ${offset} of the data, and should at ${next}`);
      next = aligned(offset + length);
      described.push({ name, dtype, shape, begin: offset, end: offset + length, said });
    }
    const data = aligned(window.position);
    const end = data + (described.at(-1)?.end ?? 0);
    if (described.length > 0 && end > window.size) {
      throw this.#fault(
        `its tensors end at ${end}, the file has ${window.size} bytes`,
        'The file is cut short: get it again.',
      );
    }
    if (window.size > aligned(end)) {
      throw this.#fault(`it has ${window.size - end} bytes that no tensor owns`);
    }
    return described.map(({ name, dtype, shape, begin, end }) => ({
      ...{ name, dtype, shape, file: this.#path },
      ...{ begin: data + begin, end: data + end },
    }));
  }

  #value(): GgufValue {
    this.#hash = startHash();
    const type = this.#hashed(4).readUInt32LE();
    const value = this.#read(type, 0);
    return { value, sha256: this.#hash.digest('hex') };
  }

  #read(type: number, depth: number): GgufValue['value'] {
    if (--this.#valuesLeft < 0) throw this.#fault('it has more metadata than any model');
    if (type === valueTypes.string) return this.#string();
    if (type === valueTypes.array) return { length: this.#array(depth + 1) };
    const bytes = numberBytes.get(type);
    if (bytes === undefined) throw this.#fault(`a value of its metadata is of the unknown type ${type}`);
    return numberOf(this.#hashed(bytes), type);
  }

  /** Hashes an array. Returns the number of its elements. */
  #array(depth: number): number {
    if (depth > maxArrayDepth) throw this.#fault(`arrays of its metadata are nested more than ${maxArrayDepth} deep`);
    const type = this.#hashed(4).readUInt32LE();
    const length = this.#count();
    const bytes = numberBytes.get(type);
    if (bytes === undefined) {
      for (let at = 0; at < length; at++) this.#read(type, depth);
    } else {
      this.#window.each(this.#within(length * bytes), (piece) => void this.#hash.update(piece));
    }
    return length;
  }

  #string(): string {
    const bytes = this.#within(this.#count());
    if (bytes <= keptTextBytes) return this.#kept(bytes, () => this.#hashed(bytes).toString());
    this.#window.each(bytes, (piece) => void this.#hash.update(piece));
    return '';
  }

  /** A key or a name. */
  #text(most: number): string {
    const bytes = this.#window.u64();
    if (bytes > most) throw this.#fault(`a name of ${bytes} bytes is longer than any`);
    return this.#kept(bytes, () => this.#window.text(bytes));
  }

  #kept(bytes: number, read: () => string): string {
    this.#keptLeft -= bytes + 64;
    if (this.#keptLeft < 0) throw this.#fault('it has more names and texts than any model');
    return read();
  }

  #count(): number {
    const value = this.#hashed(8).readBigUInt64LE();
    if (value > BigInt(this.#window.size)) throw this.#fault(`a length of ${value} is more than the file has`);
    return Number(value);
  }

  #within(bytes: number): number {
    const end = this.#window.position + bytes;
    if (end > this.#window.size) throw this.#fault(`a value of ${bytes} bytes goes beyond the file`);
    if (end > limits.modelJsonBytes) throw this.#fault(`it has more metadata than ${limits.modelJsonBytes} bytes`);
    return bytes;
  }

  /** Takes so many bytes, at most what a window holds, and hashes them. */
  #hashed(bytes: number): Buffer {
    const taken = this.#window.take(bytes);
    this.#hash.update(taken);
    return taken;
  }
}

function numberOf(bytes: Buffer, type: number): number | boolean {
  if (type === valueTypes.bool) return bytes[0] !== 0;
  if (type === 6) return bytes.readFloatLE();
  if (type === 12) return bytes.readDoubleLE();
  const isSigned = type % 2 === 1;
  if (bytes.length === 8) return Number(isSigned ? bytes.readBigInt64LE() : bytes.readBigUInt64LE());
  return isSigned ? bytes.readIntLE(0, bytes.length) : bytes.readUIntLE(0, bytes.length);
}
