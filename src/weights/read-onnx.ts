import type { Hash } from 'node:crypto';
import { posix } from 'node:path';
import { limits } from '../contract/limits.ts';
import { filePathFault } from '../contract/names.ts';
import { type Sha256, startHash } from '../core/hashing.ts';
import type { FileWindow } from './file-window.ts';
import {
  dataTypes,
  external,
  graphFields,
  type MessageName,
  messages,
  modelFields,
  tensorFields,
} from './onnx-schema.ts';
import { type Field, ProtobufFields, wire } from './protobuf-fields.ts';
import {
  elementsOf,
  type Fault,
  faultIn,
  type PlacedTensor,
  type ReadableFile,
  rangesByFile,
  readThrough,
} from './weights-file.ts';

/** An input or output of a graph. A dimension that has a name instead of a size, or neither, is that name or null. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: string | null;
  readonly dimensions: readonly (number | string | null)[] | null;
}

export interface OnnxFile {
  readonly format: 'onnx';
  /** Tensors whose data stand as raw bytes in this file or another. */
  readonly tensors: readonly PlacedTensor[];
  /** Initializers that hold their data as numbers, which makes them a part of the graph. */
  readonly typed: readonly Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>[];
  /** Version of each set of operators, by its domain; `''` is ONNX's own. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Without those that are initializers. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Digest of the graph: everything but the initializers in `tensors` and what is noted for people; in the file's order. */
  readonly graph: Sha256;
}

/** Deepest nesting: a loop in a loop is a graph in a node's attribute, and so on. */
const maxDepth = 64;

/** What describes one tensor or one value, without its data. */
const maxDescriptionBytes = 64 * 1024;

/** More dimensions than any tensor has. */
const maxRank = 64;

/**
 * Reads an ONNX file without its weights: a walk over protobuf's fields (onnx/onnx.proto), in a small window. `files` are the model's
 * files, of which external data must be one. Throws AircherError `invalid` with the path.
 */
export async function readOnnx(file: ReadableFile, files: ReadonlyMap<string, ReadableFile>): Promise<OnnxFile> {
  const fault = faultIn(file, 'ONNX');
  return await readThrough(file, fault, (window) => new OnnxReader(window, file, files, fault).read());
}

interface TensorProto {
  name: string;
  dtype: string;
  bits: number | undefined;
  shape: number[];
  raw: { readonly begin: number; readonly end: number } | undefined;
  isExternal: boolean;
  externalData: Map<string, string>;
  hasTyped: boolean;
}

class OnnxReader {
  readonly #window: FileWindow;
  readonly #file: ReadableFile;
  readonly #files: ReadonlyMap<string, ReadableFile>;
  readonly #fault: Fault;
  readonly #fields: ProtobufFields;
  readonly #graph: Hash = startHash();
  readonly #tensors: PlacedTensor[] = [];
  readonly #typed: Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>[] = [];
  readonly #opsets = new Map<string, number>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  #descriptionsLeft: number = limits.headerBytes;
  #graphs = 0;
  #nested = 0;

  constructor(window: FileWindow, file: ReadableFile, files: ReadonlyMap<string, ReadableFile>, fault: Fault) {
    this.#window = window;
    this.#file = file;
    this.#files = files;
    this.#fault = fault;
    this.#fields = new ProtobufFields(window, fault, limits.headerValues);
  }

  read(): OnnxFile {
    this.#message('model', this.#window.size, 0, false);
    if (this.#graphs !== 1) throw this.#fault(this.#graphs === 0 ? 'it has no graph' : 'it has two graphs');
    const names = new Set<string>();
    for (const { name } of [...this.#tensors, ...this.#typed]) {
      if (names.has(name)) throw this.#fault(`two initializers have the name ${JSON.stringify(name)}`);
      names.add(name);
    }
    rangesByFile(this.#tensors, this.#fault);
    return {
      format: 'onnx',
      tensors: this.#tensors,
      typed: this.#typed,
      opsets: Object.fromEntries(this.#opsets),
      inputs: this.#inputs.filter(({ name }) => !names.has(name)),
      outputs: this.#outputs,
      graph: this.#graph.digest('hex'),
    };
  }

  /** Hashes a message, but for its notes; `isMain` is true in the model's own graph. */
  #message(kind: MessageName, end: number, depth: number, isMain: boolean): void {
    if (depth > maxDepth) throw this.#fault(`graphs are nested more than ${maxDepth} deep`);
    const { children, notes } = messages[kind];
    for (const field of this.#fields.fields(end)) {
      if (notes.includes(field.number)) continue;
      const child = children[field.number];
      if (child === undefined) {
        if (kind === 'model' && field.number === modelFields.opsetImport) this.#opset(field);
        this.#leaf(field);
        continue;
      }
      if (field.wire !== wire.bytes) throw this.#fault(`its ${child} is a number`);
      const isMainGraph = kind === 'model' && field.number === modelFields.graph;
      if (isMainGraph) this.#graphs++;
      if (child === 'tensor') {
        this.#tensor(field, isMain && field.number === graphFields.initializer);
        continue;
      }
      if (isMain && field.number === graphFields.input) this.#inputs.push(this.#value(field));
      if (isMain && field.number === graphFields.output) this.#outputs.push(this.#value(field));
      this.#nest(child, field, depth + 1, isMainGraph);
    }
  }

  #nest(kind: MessageName, field: Field, depth: number, isMain: boolean): void {
    this.#graph.update(startOf(field));
    this.#message(kind, field.end, depth, isMain);
    // No field has the number 0.
    this.#graph.update(messageEnd);
  }

  /** Hashes a field with its length, so that nothing else has the same bytes. */
  #leaf(field: Field): void {
    const length = field.end - this.#window.position;
    this.#graph.update(startOf(field, length));
    this.#window.each(length, (piece) => void this.#graph.update(piece));
  }

  /** Raw initializers are weights, all other tensors a part of the graph, but for data of theirs that lie in another file. */
  #tensor(field: Field, isInitializer: boolean): void {
    const begin = this.#window.position;
    const proto = this.#readTensor(field.end);
    const { dtype, shape, raw, isExternal, hasTyped } = proto;
    const bytes = this.#dataBytes(proto);
    const name = isInitializer ? proto.name : `graph ${this.#nested++} ${proto.name}`;
    if (isExternal) this.#tensors.push({ name, dtype, shape, ...this.#externalPlace(proto, bytes) });
    if (isInitializer && raw !== undefined) this.#tensors.push({ name, dtype, shape, file: this.#file.path, ...raw });
    if (isInitializer && (isExternal || raw !== undefined)) return;
    if (isInitializer) {
      if (!hasTyped && elementsOf(shape) !== 0) throw this.#fault(`the initializer ${quoted(proto)} has no data`);
      this.#typed.push({ name, dtype, shape });
    }
    this.#window.position = begin;
    this.#graph.update(startOf(field));
    for (const part of this.#fields.fields(field.end)) {
      if (messages.tensor.notes.includes(part.number)) continue;
      if (isExternal && part.number === tensorFields.externalData) continue;
      this.#leaf(part);
    }
    this.#graph.update(messageEnd);
  }

  #readTensor(end: number): TensorProto {
    const proto: TensorProto = {
      ...{ name: '', dtype: '', bits: undefined, shape: [], raw: undefined },
      ...{ isExternal: false, externalData: new Map(), hasTyped: false },
    };
    const once = new Set<number>();
    for (const field of this.#fields.fields(end)) {
      const { number } = field;
      const isData = number === tensorFields.rawData || tensorFields.typed.some((typed) => typed === number);
      if (!isData) this.#describe(field);
      if (number === tensorFields.dims) this.#dims(field, proto.shape);
      else if (number === tensorFields.externalData) this.#entry(field, proto.externalData);
      else if (isData && number !== tensorFields.rawData) proto.hasTyped ||= field.end > this.#window.position;
      else if (Object.values(tensorFields).some((known) => known === number)) {
        if (once.has(number)) throw this.#fault(`a tensor has its field ${number} twice`);
        once.add(number);
        if (number === tensorFields.name) proto.name = this.#text(field);
        else if (number === tensorFields.dataType) this.#dataType(field, proto);
        else if (number === tensorFields.dataLocation) proto.isExternal = this.#number(field) === external;
        else proto.raw = { begin: this.#bytes(field), end: field.end };
      }
    }
    return proto;
  }

  #dims(field: Field, shape: number[]): void {
    do {
      const size = field.wire === wire.bytes || field.wire === wire.varint ? this.#varintOrNone(field) : Number.NaN;
      if (size === undefined) return;
      if (!Number.isSafeInteger(size)) throw this.#fault('a dimension of a tensor is negative or huge');
      if (shape.push(size) > maxRank) throw this.#fault(`a tensor has more than ${maxRank} dimensions`);
    } while (this.#window.position < field.end);
  }

  /** Numbers may be packed into one field, which may be empty. */
  #varintOrNone(field: Field): number | undefined {
    return this.#window.position < field.end ? this.#fields.varint(field.end) : undefined;
  }

  #dataType(field: Field, proto: TensorProto): void {
    const type = dataTypes[this.#number(field)];
    if (type === undefined) throw this.#fault(`the tensor ${quoted(proto)} has an unknown type of data`);
    [proto.dtype, proto.bits] = type;
  }

  /** Bytes that the data of a tensor must have; undefined for texts. */
  #dataBytes(proto: TensorProto): number | undefined {
    const { dtype, bits, shape, raw, isExternal, hasTyped } = proto;
    const elements = elementsOf(shape);
    const said = `the tensor ${quoted(proto)} of [${shape.join(', ')}] ${dtype}`;
    if (dtype === '') throw this.#fault(`the tensor ${quoted(proto)} has no type of data`);
    if (elements === undefined || elements * (bits ?? 8) > Number.MAX_SAFE_INTEGER) {
      throw this.#fault(`${said} has more elements than a file can hold`);
    }
    if ([raw !== undefined, isExternal, hasTyped].filter(Boolean).length > 1) {
      throw this.#fault(`${said} holds its data in two ways`);
    }
    if (bits === undefined && (raw !== undefined || isExternal)) throw this.#fault(`${said} can't hold raw data`);
    const bytes = bits === undefined ? undefined : Math.ceil((elements * bits) / 8);
    if (raw !== undefined && raw.end - raw.begin !== bytes) {
      throw this.#fault(`${said} has ${raw.end - raw.begin} bytes, but needs ${bytes}`);
    }
    return bytes;
  }

  /** External data lie in a file of the model, in the folder of the .onnx or below it (onnx's docs/ExternalData.md). */
  #externalPlace(
    proto: TensorProto,
    bytes: number | undefined,
  ): { readonly file: string; readonly begin: number; readonly end: number } {
    const said = `the external data of ${quoted(proto)}`;
    const location = proto.externalData.get('location') ?? '';
    const wrong = filePathFault(location);
    if (wrong !== undefined) throw this.#fault(`${said} should be in ${JSON.stringify(location)}, which ${wrong}`);
    const file = posix.join(posix.dirname(this.#file.path), location);
    const found = this.#files.get(file);
    if (found === undefined) {
      throw this.#fault(
        `${said} should be in ${file}, which is not among the released files`,
        'Add the file, or correct "include" or "exclude" in release.json.',
      );
    }
    if (file.endsWith('.onnx')) throw this.#fault(`${said} should be in ${file}, which is a graph`);
    const count = (key: string): number | undefined => {
      const text = proto.externalData.get(key);
      if (text === undefined) return undefined;
      const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      if (!Number.isSafeInteger(value)) throw this.#fault(`${said} has the ${key} ${JSON.stringify(text)}`);
      return value;
    };
    const begin = count('offset') ?? 0;
    const length = count('length') ?? bytes ?? 0;
    if (length !== bytes) throw this.#fault(`${said} has ${length} bytes, but needs ${bytes}`);
    if (begin + length > found.sizeBytes) {
      throw this.#fault(`${said} ends at ${begin + length}, but ${file} has ${found.sizeBytes} bytes`);
    }
    return { file, begin, end: begin + length };
  }

  /** `key` and `value` of a StringStringEntryProto. */
  #entry(field: Field, entries: Map<string, string>): void {
    const texts = this.#texts(field);
    const key = texts.get(1) ?? '';
    if (entries.has(key)) throw this.#fault(`a tensor says twice what the ${JSON.stringify(key)} of its data is`);
    entries.set(key, texts.get(2) ?? '');
  }

  #opset(field: Field): void {
    const begin = this.#window.position;
    this.#describe(field);
    let [domain, version] = ['', 0];
    for (const part of this.#fields.fields(this.#bytesEnd(field))) {
      if (part.number === 1) domain = this.#text(part);
      if (part.number === 2) version = this.#number(part);
    }
    this.#opsets.set(domain, version);
    this.#window.position = begin;
  }

  /** Name, type and dimensions of a ValueInfoProto; sequences and maps have none. */
  #value(field: Field): OnnxValue {
    const begin = this.#window.position;
    this.#describe(field);
    let name = '';
    let dtype: string | null = null;
    let dimensions: (number | string | null)[] | null = null;
    for (const part of this.#fields.fields(field.end)) {
      if (part.number === 1) name = this.#text(part);
      if (part.number !== 2) continue;
      for (const type of this.#fields.fields(this.#bytesEnd(part))) {
        if (type.number !== 1) continue;
        for (const tensor of this.#fields.fields(this.#bytesEnd(type))) {
          if (tensor.number === 1) dtype = dataTypes[this.#number(tensor)]?.[0] ?? null;
          if (tensor.number === 2) dimensions = this.#dimensions(tensor);
        }
      }
    }
    this.#window.position = begin;
    return { name, dtype, dimensions };
  }

  #dimensions(field: Field): (number | string | null)[] {
    const dimensions: (number | string | null)[] = [];
    for (const part of this.#fields.fields(this.#bytesEnd(field))) {
      let dimension: number | string | null = null;
      for (const said of this.#fields.fields(this.#bytesEnd(part))) {
        if (said.number === 1) dimension = this.#number(said);
        if (said.number === 2) dimension = this.#text(said);
      }
      dimensions.push(dimension);
    }
    return dimensions;
  }

  #texts(field: Field): Map<number, string> {
    const texts = new Map<number, string>();
    for (const part of this.#fields.fields(this.#bytesEnd(field))) texts.set(part.number, this.#text(part));
    return texts;
  }

  #number(field: Field): number {
    if (field.wire !== wire.varint) throw this.#fault(`its field ${field.number} should be a number`);
    return this.#fields.varint(field.end);
  }

  #text(field: Field): string {
    return this.#window.text(this.#bytesEnd(field) - this.#window.position);
  }

  /** Where the bytes of a field begin. */
  #bytes(field: Field): number {
    this.#bytesEnd(field);
    return this.#window.position;
  }

  #bytesEnd(field: Field): number {
    if (field.wire !== wire.bytes) throw this.#fault(`its field ${field.number} should not be a number`);
    return field.end;
  }

  /** Counts what is kept in memory. */
  #describe(field: Field): void {
    const bytes = field.end - this.#window.position;
    this.#descriptionsLeft -= bytes + 8;
    if (bytes > maxDescriptionBytes || this.#descriptionsLeft < 0) {
      throw this.#fault('what describes its tensors is longer than in any model');
    }
  }
}

const messageEnd = Buffer.alloc(4);

/** Number and kind of a field, and of bytes their length. */
function startOf(field: Field, length?: number): Buffer {
  const start = Buffer.alloc(length === undefined ? 4 : 12);
  start.writeUInt32LE(field.number * 8 + field.wire);
  if (length !== undefined) start.writeBigUInt64LE(BigInt(length), 4);
  return start;
}

function quoted({ name }: TensorProto): string {
  return JSON.stringify(name.slice(0, 200));
}
