/**
 * The messages and fields of an ONNX file that are read, by field numbers. Any other field is only
 * hashed. Source: onnx/onnx.proto of ONNX 1.23.
 */
export interface MessageKind {
  /** Fields that hold a message which is read too. */
  readonly children: Readonly<Record<number, MessageName>>;
  /**
   * Fields that name the producer or hold notes for people: producer_name and producer_version,
   * doc_string, metadata_props. They are not hashed.
   */
  readonly notes: readonly number[];
}

export type MessageName =
  | 'model'
  | 'graph'
  | 'node'
  | 'attribute'
  | 'tensor'
  | 'sparse'
  | 'value'
  | 'function'
  | 'training';

export const messages: Readonly<Record<MessageName, MessageKind>> = {
  model: { children: { 7: 'graph', 20: 'training', 25: 'function' }, notes: [2, 3, 6, 14] },
  graph: { children: { 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value', 15: 'sparse' }, notes: [10, 16] },
  node: { children: { 5: 'attribute' }, notes: [6, 9] },
  attribute: {
    children: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
    notes: [13],
  },
  tensor: { children: {}, notes: [12, 16] },
  sparse: { children: { 1: 'tensor', 2: 'tensor' }, notes: [] },
  value: { children: {}, notes: [3, 4] },
  function: { children: { 7: 'node', 11: 'attribute', 12: 'value' }, notes: [8, 14] },
  training: { children: { 1: 'graph', 2: 'graph' }, notes: [] },
};

/** Fields of ModelProto and its graph that are read. */
export const modelFields = { opsetImport: 8, graph: 7 } as const;
export const graphFields = { initializer: 5, input: 11, output: 12 } as const;

/**
 * Fields of TensorProto. Those in `typed` hold the data as numbers of that type instead of as raw
 * bytes.
 */
export const tensorFields = {
  dims: 1,
  dataType: 2,
  name: 8,
  rawData: 9,
  externalData: 13,
  dataLocation: 14,
  typed: [4, 5, 6, 7, 10, 11],
} as const;

/** The value of `data_location` where a tensor's data are in another file. */
export const external = 1;

/**
 * TensorProto.DataType by number: its name, that of safetensors where it has one, and the bits of
 * an element.
 */
export const dataTypes: Readonly<Record<number, readonly [dtype: string, bits: number | undefined]>> = {
  1: ['F32', 32],
  2: ['U8', 8],
  3: ['I8', 8],
  4: ['U16', 16],
  5: ['I16', 16],
  6: ['I32', 32],
  7: ['I64', 64],
  // Texts can't be raw data, so they have no size.
  8: ['STRING', undefined],
  9: ['BOOL', 8],
  10: ['F16', 16],
  11: ['F64', 64],
  12: ['U32', 32],
  13: ['U64', 64],
  14: ['C64', 64],
  15: ['C128', 128],
  16: ['BF16', 16],
  17: ['F8_E4M3', 8],
  18: ['F8_E4M3FNUZ', 8],
  19: ['F8_E5M2', 8],
  20: ['F8_E5M2FNUZ', 8],
  21: ['U4', 4],
  22: ['I4', 4],
  23: ['F4', 4],
  24: ['F8_E8M0', 8],
  25: ['U2', 2],
  26: ['I2', 2],
  27: ['F6_E2M3', 6],
  28: ['F6_E3M2', 6],
};
