import { dataTypes } from './onnx-schema.ts';
import type { Field, ProtobufFields } from './protobuf-fields.ts';

/**
 * An input or output of a graph. A dimension is a number; a name, if it is given by name; or null,
 * if nothing is known of it.
 */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: string | null;
  readonly dimensions: readonly (number | string | null)[] | null;
}

/** Reads a ValueInfoProto: name, type and dimensions. Sequences and maps get no type. */
export function readValue(reader: ProtobufFields, field: Field): OnnxValue {
  reader.keep(field);
  let value: OnnxValue = { name: '', dtype: null, dimensions: null };
  for (const part of reader.fieldsIn(field)) {
    if (part.number === 1) value = { ...value, name: reader.text(part) };
    if (part.number !== 2) continue;
    for (const type of reader.fieldsIn(part)) {
      if (type.number === 1) value = { ...value, ...readTensorType(reader, type) };
    }
  }
  return value;
}

/** A TypeProto.Tensor. */
function readTensorType(reader: ProtobufFields, field: Field): Partial<OnnxValue> {
  let type: Partial<OnnxValue> = {};
  for (const part of reader.fieldsIn(field)) {
    if (part.number === 1) type = { ...type, dtype: dataTypes[reader.number(part)]?.[0] ?? null };
    if (part.number === 2) type = { ...type, dimensions: [...readShape(reader, part)] };
  }
  return type;
}

/** The dimensions of a TensorShapeProto. */
function* readShape(reader: ProtobufFields, field: Field): Generator<number | string | null> {
  for (const part of reader.fieldsIn(field)) {
    let dimension: number | string | null = null;
    for (const said of reader.fieldsIn(part)) {
      if (said.number === 1) dimension = reader.number(said);
      if (said.number === 2) dimension = reader.text(said);
    }
    yield dimension;
  }
}

/** Domain and version of an OperatorSetIdProto. */
export function readOpset(reader: ProtobufFields, field: Field): readonly [domain: string, version: number] {
  reader.keep(field);
  let [domain, version] = ['', 0];
  for (const part of reader.fieldsIn(field)) {
    if (part.number === 1) domain = reader.text(part);
    if (part.number === 2) version = reader.number(part);
  }
  return [domain, version];
}
