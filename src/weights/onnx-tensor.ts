import { posix } from 'node:path';
import { filePathFault } from '../contract/names.ts';
import { dataTypes, external, tensorFields } from './onnx-schema.ts';
import type { Field, ProtobufFields } from './protobuf-fields.ts';
import { type DataRange, elementsOf, type Fault, type PlacedTensor, type ReadableFile } from './weights-file.ts';

/** A TensorProto, without its data. */
export interface TensorProto {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** How many bytes its data have as raw data. Undefined for texts. */
  readonly bytes: number | undefined;
  /** Where its `raw_data` are in the file, if it has any. */
  readonly raw: DataRange | undefined;
  /** Its `external_data`, where the data are in another file. */
  readonly external: ReadonlyMap<string, string> | undefined;
  /** Whether it holds its data as numbers (`float_data` and the like). */
  readonly isTyped: boolean;
}

/** No tensor has more dimensions. */
const maxRank = 64;

/**
 * Reads a TensorProto that ends at `end`. Checks that its raw data have the length that its type
 * and dimensions need.
 */
export function readTensorProto(reader: ProtobufFields, end: number): TensorProto {
  const { fault } = reader;
  const shape: number[] = [];
  const entries = new Map<string, string>();
  const once = new Map<number, string | number | DataRange>();
  const put = (number: number, value: string | number | DataRange): void => {
    if (once.has(number)) throw fault(`a tensor has its field ${number} twice`);
    once.set(number, value);
  };
  let isTyped = false;
  for (const field of reader.fields(end)) {
    const { number } = field;
    if (tensorFields.typed.some((typed) => typed === number)) isTyped ||= field.end > reader.window.position;
    else if (number === tensorFields.rawData) put(number, reader.bytesOf(field));
    else {
      reader.keep(field);
      if (number === tensorFields.dims) readDims(reader, field, shape);
      else if (number === tensorFields.externalData) readEntry(reader, field, entries);
      else if (number === tensorFields.name) put(number, reader.text(field));
      else if (number === tensorFields.dataType || number === tensorFields.dataLocation)
        put(number, reader.number(field));
    }
  }
  const name = (once.get(tensorFields.name) as string | undefined) ?? '';
  const [dtype, bits] = typeOf(once.get(tensorFields.dataType), name, fault);
  const proto = {
    ...{ name, dtype, shape, isTyped },
    bytes: byteLength(shape, bits, `${quoted(name)} of [${shape.join(', ')}] ${dtype}`, fault),
    raw: once.get(tensorFields.rawData) as DataRange | undefined,
    external: once.get(tensorFields.dataLocation) === external ? entries : undefined,
  };
  checkData(proto, fault);
  return proto;
}

function readDims(reader: ProtobufFields, field: Field, shape: number[]): void {
  for (const size of reader.numbers(field)) {
    if (!Number.isSafeInteger(size)) throw reader.fault('a dimension of a tensor is negative or huge');
    if (shape.push(size) > maxRank) throw reader.fault(`a tensor has more than ${maxRank} dimensions`);
  }
}

/** Reads a StringStringEntryProto: `key` and `value`. */
function readEntry(reader: ProtobufFields, field: Field, entries: Map<string, string>): void {
  const texts = new Map<number, string>();
  for (const part of reader.fieldsIn(field)) texts.set(part.number, reader.text(part));
  const key = texts.get(1) ?? '';
  if (entries.has(key)) throw reader.fault(`a tensor says twice what the ${quoted(key)} of its data is`);
  entries.set(key, texts.get(2) ?? '');
}

function typeOf(number: unknown, name: string, fault: Fault): readonly [dtype: string, bits: number | undefined] {
  const type = typeof number === 'number' ? dataTypes[number] : undefined;
  if (type !== undefined) return type;
  throw fault(`the tensor ${quoted(name)} has ${number === undefined ? 'no' : 'an unknown'} type of data`);
}

function byteLength(
  shape: readonly number[],
  bits: number | undefined,
  said: string,
  fault: Fault,
): number | undefined {
  const elements = elementsOf(shape);
  if (elements === undefined || elements * (bits ?? 8) > Number.MAX_SAFE_INTEGER) {
    throw fault(`the tensor ${said} has more elements than a file can hold`);
  }
  return bits === undefined ? undefined : Math.ceil((elements * bits) / 8);
}

function checkData({ name, bytes, raw, external: elsewhere, isTyped }: TensorProto, fault: Fault): void {
  const said = `the tensor ${quoted(name)}`;
  if ([raw !== undefined, elsewhere !== undefined, isTyped].filter(Boolean).length > 1) {
    throw fault(`${said} holds its data in two ways`);
  }
  if (bytes === undefined && (raw ?? elsewhere) !== undefined) throw fault(`${said} of texts can't hold raw data`);
  if (raw !== undefined && raw.end - raw.begin !== bytes) {
    throw fault(`${said} has ${raw.end - raw.begin} bytes, but needs ${bytes}`);
  }
}

/**
 * Where a tensor's external data are. The file must belong to the model, and be in the folder of
 * the .onnx or below it (onnx's docs/ExternalData.md). Undefined where the tensor has none.
 */
export function externalPlace(
  { name, bytes = 0, external: entries }: TensorProto,
  file: ReadableFile,
  files: ReadonlyMap<string, ReadableFile>,
  fault: Fault,
): Pick<PlacedTensor, 'file' | 'begin' | 'end'> | undefined {
  if (entries === undefined) return undefined;
  const said = `the external data of ${quoted(name)}`;
  const location = entries.get('location') ?? '';
  const wrong = filePathFault(location);
  if (wrong !== undefined) throw fault(`${said} should be in ${quoted(location)}, which ${wrong}`);
  const place = posix.join(posix.dirname(file.path), location);
  const found = files.get(place);
  if (found === undefined) {
    throw fault(
      `${said} should be in ${place}, which is not among the released files`,
      'Add the file, or correct "include" or "exclude" in release.json.',
    );
  }
  if (place.endsWith('.onnx')) throw fault(`${said} should be in ${place}, which is a graph`);
  const count = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw fault(`${said} has the ${key} ${quoted(text)}`);
    return value;
  };
  const [begin = 0, length = bytes] = [count('offset'), count('length')];
  if (length !== bytes) throw fault(`${said} has ${length} bytes, but needs ${bytes}`);
  if (begin + length > found.sizeBytes) {
    throw fault(`${said} ends at ${begin + length}, but ${place} has ${found.sizeBytes} bytes`);
  }
  return { file: place, begin, end: begin + length };
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
