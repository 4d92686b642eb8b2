import { limits } from '../contract/limits.ts';
import { type Sha256, startHash } from '../core/hashing.ts';
import { graphFields, type MessageName, messages, modelFields, tensorFields } from './onnx-schema.ts';
import { externalPlace, readTensorProto, type TensorProto } from './onnx-tensor.ts';
import { type OnnxValue, readOpset, readValue } from './onnx-values.ts';
import { type Field, ProtobufFields } from './protobuf-fields.ts';
import {
  elementsOf,
  faultIn,
  type PlacedTensor,
  type ReadableFile,
  rangesByFile,
  readThrough,
} from './weights-file.ts';

export interface OnnxFile {
  readonly format: 'onnx';
  /** Tensors whose data are raw bytes, in this file or another. */
  readonly tensors: readonly PlacedTensor[];
  /** Initializers that hold their data as numbers. These data are hashed with the graph. */
  readonly typed: readonly Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>[];
  /** The version of each operator set, by its domain. `''` is ONNX's own. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Inputs of the graph, without those that are initializers. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /**
   * Digest of the graph: everything in the file, in its order, but notes for people and the data of
   * `tensors`.
   */
  readonly graph: Sha256;
}

/**
 * A graph may be in an attribute of a node (a loop), which may hold a graph again. Deeper than this
 * it is refused.
 */
const maxDepth = 64;

const fieldLimits = { fields: limits.headerValues, keptAtOnce: 64 * 1024, kept: limits.headerBytes };

/**
 * Reads an ONNX file without its weights: walks over protobuf's fields (onnx/onnx.proto) through a
 * small buffer. `files`: the model's files; external data must be one of them. Throws AircherError
 * `invalid` with the path.
 */
export async function readOnnx(file: ReadableFile, files: ReadonlyMap<string, ReadableFile>): Promise<OnnxFile> {
  const fault = faultIn(file, 'ONNX');
  return await readThrough(file, fault, (window) =>
    new GraphWalk(new ProtobufFields(window, fault, fieldLimits), file, files).read(),
  );
}

class GraphWalk {
  readonly #reader: ProtobufFields;
  readonly #file: ReadableFile;
  readonly #files: ReadonlyMap<string, ReadableFile>;
  readonly #graph = startHash();
  readonly #tensors: PlacedTensor[] = [];
  readonly #typed: Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>[] = [];
  readonly #opsets = new Map<string, number>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  #graphs = 0;
  #inGraph = 0;

  constructor(reader: ProtobufFields, file: ReadableFile, files: ReadonlyMap<string, ReadableFile>) {
    this.#reader = reader;
    this.#file = file;
    this.#files = files;
  }

  read(): OnnxFile {
    const { fault, window } = this.#reader;
    this.#message('model', window.size, 0, false);
    if (this.#graphs !== 1) throw fault(this.#graphs === 0 ? 'it has no graph' : 'it has two graphs');
    const names = new Set<string>();
    for (const { name } of [...this.#tensors, ...this.#typed]) {
      if (names.has(name)) throw fault(`two initializers have the name ${JSON.stringify(name.slice(0, 200))}`);
      names.add(name);
    }
    rangesByFile(this.#tensors, fault);
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

  /**
   * Hashes a message without its notes. `isMain`: it is the model's own graph, not one inside it.
   */
  #message(kind: MessageName, end: number, depth: number, isMain: boolean): void {
    const reader = this.#reader;
    if (depth > maxDepth) throw reader.fault(`graphs are nested more than ${maxDepth} deep`);
    const { children, notes } = messages[kind];
    for (const field of reader.fields(end)) {
      if (notes.includes(field.number)) continue;
      this.#look(field, kind, isMain);
      const child = children[field.number];
      if (child === undefined) {
        this.#leaf(field);
      } else if (child === 'tensor') {
        this.#tensor(field, isMain && field.number === graphFields.initializer);
      } else {
        const isMainGraph = kind === 'model' && field.number === modelFields.graph;
        if (isMainGraph) this.#graphs++;
        const message = reader.bytesOf(field);
        this.#graph.update(startOf(field));
        this.#message(child, message.end, depth + 1, isMainGraph);
        this.#graph.update(messageEnd);
      }
    }
  }

  /** Reads what the facts need from a field, then goes back to its beginning. */
  #look(field: Field, kind: MessageName, isMain: boolean): void {
    const reader = this.#reader;
    const begin = reader.window.position;
    if (kind === 'model' && field.number === modelFields.opsetImport) this.#opsets.set(...readOpset(reader, field));
    if (isMain && field.number === graphFields.input) this.#inputs.push(readValue(reader, field));
    if (isMain && field.number === graphFields.output) this.#outputs.push(readValue(reader, field));
    reader.window.position = begin;
  }

  /** Hashes a field. Its length is hashed too, so that no other fields give the same bytes. */
  #leaf(field: Field): void {
    const { window } = this.#reader;
    const length = field.end - window.position;
    this.#graph.update(startOf(field, length));
    window.each(length, (piece) => void this.#graph.update(piece));
  }

  /**
   * Adds a raw initializer to the weights. Any other tensor is hashed with the graph, but without
   * data that are in another file: those are weights too.
   */
  #tensor(field: Field, isInitializer: boolean): void {
    const reader = this.#reader;
    const { begin, end } = reader.bytesOf(field);
    const proto = readTensorProto(reader, end);
    const isRaw = isInitializer && proto.raw !== undefined;
    const place = isRaw
      ? { file: this.#file.path, ...proto.raw }
      : externalPlace(proto, this.#file, this.#files, reader.fault);
    const { name, dtype, shape } = proto;
    if (place !== undefined) {
      this.#tensors.push({ name: isInitializer ? name : `graph ${this.#inGraph++} ${name}`, dtype, shape, ...place });
    }
    if (isInitializer && place !== undefined) return;
    if (isInitializer) this.#addTyped(proto);
    reader.window.position = begin;
    this.#graph.update(startOf(field));
    for (const part of reader.fields(end)) {
      if (messages.tensor.notes.includes(part.number)) continue;
      if (place !== undefined && part.number === tensorFields.externalData) continue;
      this.#leaf(part);
    }
    this.#graph.update(messageEnd);
  }

  #addTyped({ name, dtype, shape, isTyped }: TensorProto): void {
    if (!isTyped && elementsOf(shape) !== 0) {
      throw this.#reader.fault(`the initializer ${JSON.stringify(name.slice(0, 200))} has no data`);
    }
    this.#typed.push({ name, dtype, shape });
  }
}

/** Marks the end of a message in what is hashed. No field has the number 0. */
const messageEnd = Buffer.alloc(4);

/** Number and wire type of a field; with `length`, that too. */
function startOf(field: Field, length?: number): Buffer {
  const start = Buffer.alloc(length === undefined ? 4 : 12);
  start.writeUInt32LE(field.number * 8 + field.wire);
  if (length !== undefined) start.writeBigUInt64LE(BigInt(length), 4);
  return start;
}
