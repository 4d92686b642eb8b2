import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A BERT-shaped model of made-up weights, the same on every machine. */
export interface BertShape {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly positions?: number;
  /** Changes the weights of single tensors: each one whose name contains the key is drawn with this seed instead of 0. */
  readonly retrained?: Readonly<Record<string, number>>;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Tensors besides BERT's own, by name. */
  readonly added?: Readonly<Record<string, readonly number[]>>;
}

/** 110 million parameters, 440 MB. */
export const bertBase: BertShape = { layers: 12, hidden: 768, vocabulary: 30522 };

/** Values that the weights are drawn from; a prime, so that no two tensors begin at the same place by accident of size. */
const poolValues = 4_194_301;

let weightPool: Buffer | undefined;

/**
 * Bell-shaped fp32 values around 0 with a standard deviation of about 0.02, all 23 bits of the mantissa used: as hard to
 * compress as trained weights. Only additions and multiplications, so that every machine makes the same bits.
 */
function weights(): Buffer {
  if (weightPool !== undefined) return weightPool;
  const values = new Float32Array(poolValues);
  let state = 0x9e3779b9;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let index = 0; index < poolValues; index++) {
    values[index] = (uniform() + uniform() + uniform() + uniform() - 2) * 0.035;
  }
  weightPool = Buffer.from(values.buffer);
  return weightPool;
}

function shapesOf(model: BertShape): Map<string, readonly number[]> {
  const { hidden } = model;
  const shapes = new Map<string, readonly number[]>([
    ['embeddings.LayerNorm.bias', [hidden]],
    ['embeddings.LayerNorm.weight', [hidden]],
    ['embeddings.position_embeddings.weight', [model.positions ?? 512, hidden]],
    ['embeddings.token_type_embeddings.weight', [2, hidden]],
    ['embeddings.word_embeddings.weight', [model.vocabulary, hidden]],
    ['pooler.dense.bias', [hidden]],
    ['pooler.dense.weight', [hidden, hidden]],
  ]);
  for (let layer = 0; layer < model.layers; layer++) {
    const parts: readonly (readonly [string, readonly number[]])[] = [
      ['attention.output.LayerNorm.bias', [hidden]],
      ['attention.output.LayerNorm.weight', [hidden]],
      ['attention.output.dense.bias', [hidden]],
      ['attention.output.dense.weight', [hidden, hidden]],
      ['attention.self.key.bias', [hidden]],
      ['attention.self.key.weight', [hidden, hidden]],
      ['attention.self.query.bias', [hidden]],
      ['attention.self.query.weight', [hidden, hidden]],
      ['attention.self.value.bias', [hidden]],
      ['attention.self.value.weight', [hidden, hidden]],
      ['intermediate.dense.bias', [hidden * 4]],
      ['intermediate.dense.weight', [hidden * 4, hidden]],
      ['output.LayerNorm.bias', [hidden]],
      ['output.LayerNorm.weight', [hidden]],
      ['output.dense.bias', [hidden]],
      ['output.dense.weight', [hidden, hidden * 4]],
    ];
    for (const [name, shape] of parts) shapes.set(`encoder.layer.${layer}.${name}`, shape);
  }
  for (const [name, shape] of Object.entries(model.added ?? {})) shapes.set(name, shape);
  return new Map([...shapes].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Writes `model.safetensors` as the safetensors library lays it out (header padded to 8 bytes); returns its size in bytes. */
export async function writeBertWeights(path: string, model: BertShape): Promise<number> {
  const shapes = shapesOf(model);
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...model.metadata } };
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += elements(shape) * 4;
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(Buffer.concat([length, json]));
    for (const [name, shape] of shapes) await writeTensor(handle, name, elements(shape) * 4, model.retrained ?? {});
  } finally {
    await handle.close();
  }
  return 8 + json.length + end;
}

/** A tensor's values are the pool's, from a place that its name and seed decide. */
async function writeTensor(
  handle: Awaited<ReturnType<typeof open>>,
  name: string,
  bytes: number,
  retrained: Readonly<Record<string, number>>,
): Promise<void> {
  const seed = Object.entries(retrained).find(([part]) => name.includes(part))?.[1] ?? 0;
  const pool = weights();
  let at = (createHash('sha256').update(`${name} ${seed}`).digest().readUInt32LE() % poolValues) * 4;
  for (let left = bytes; left > 0; ) {
    const piece = pool.subarray(at, at + left);
    await handle.writeFile(piece);
    left -= piece.length;
    at = 0;
  }
}

/** Writes a model's directory: weights and the small files that sentence-transformers models have. */
export async function writeBertModel(directory: string, model: BertShape): Promise<void> {
  await mkdir(join(directory, '1_Pooling'), { recursive: true });
  await writeBertWeights(join(directory, 'model.safetensors'), model);
  const config = { architectures: ['BertModel'], hidden_size: model.hidden, num_hidden_layers: model.layers };
  await writeFile(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await writeFile(join(directory, '1_Pooling', 'config.json'), '{ "pooling_mode_mean_tokens": true }\n');
  const vocabulary = Array.from({ length: model.vocabulary }, (_, number) => `token${number}`).join('\n');
  await writeFile(join(directory, 'vocab.txt'), `${vocabulary}\n`);
}
