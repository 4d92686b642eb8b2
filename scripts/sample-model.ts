import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Shape and seed of a made model: BERT's layout, so that what is measured on it holds for real ones. */
export interface SampleModel {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly positions?: number;
  /** Every tensor's values follow from this seed and its name. */
  readonly seed: number;
  /** Layers whose weights are retrained: they get another seed. */
  readonly retrained?: readonly number[];
  /** Tensors beside BERT's own. */
  readonly extraTensors?: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly license?: string;
}

/** Writes a model that sentence-transformers would load: weights, tokenizer, pooling, licence. Same input, same bytes. */
export async function writeSampleModel(directory: string, model: SampleModel): Promise<void> {
  const config = {
    architectures: ['BertModel'],
    model_type: 'bert',
    hidden_size: model.hidden,
    num_hidden_layers: model.layers,
    num_attention_heads: Math.max(1, model.hidden / 32),
    intermediate_size: model.hidden * 4,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    max_position_embeddings: model.positions ?? 512,
    type_vocab_size: 2,
    vocab_size: model.vocabulary,
  };
  const words = Array.from(
    { length: model.vocabulary },
    (_, index) => ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'][index] ?? `tok${index}`,
  );
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'config.json': json(config),
    'vocab.txt': `${words.join('\n')}\n`,
    'tokenizer_config.json': json({ do_lower_case: true, model_max_length: 256, tokenizer_class: 'BertTokenizer' }),
    'modules.json': json([
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
    ]),
    'sentence_bert_config.json': json({ max_seq_length: 256, do_lower_case: false }),
    '1_Pooling/config.json': json({ word_embedding_dimension: model.hidden, pooling_mode_mean_tokens: true }),
    'README.md': `---\nlicense: ${(model.license ?? 'Apache-2.0').toLowerCase()}\n---\n\nA made model: its weights are noise.\n`,
    LICENSE: `SPDX-License-Identifier: ${model.license ?? 'Apache-2.0'}\n`,
    'model.safetensors': sampleSafetensors(model),
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

/** The weights as one safetensors file, fp32. */
export function sampleSafetensors(model: SampleModel): Uint8Array {
  const tensors = [...tensorShapes(model), ...(model.extraTensors ?? [])];
  const header: Record<string, unknown> = model.metadata ? { __metadata__: model.metadata } : {};
  let offset = 0;
  for (const { name, shape } of tensors) {
    const bytes = shape.reduce((product, size) => product * size, 4);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = JSON.stringify(header);
  const headerBytes = Math.ceil(Buffer.byteLength(text) / 8) * 8;
  const file = Buffer.alloc(8 + headerBytes + offset, ' ');
  file.writeBigUInt64LE(BigInt(headerBytes), 0);
  file.write(text, 8);
  let at = 8 + headerBytes;
  for (const { name, shape } of tensors) {
    const layer = Number(/^encoder\.layer\.(\d+)\./.exec(name)?.[1] ?? -1);
    const seed = model.seed + (model.retrained?.includes(layer) ? 1_000_003 : 0);
    const values = gaussian(
      shape.reduce((product, size) => product * size, 1),
      seedOf(name, seed),
    );
    file.set(new Uint8Array(values.buffer), at);
    at += values.byteLength;
  }
  return file;
}

function tensorShapes(model: SampleModel): readonly { readonly name: string; readonly shape: readonly number[] }[] {
  const { hidden } = model;
  const linear = (name: string, out: number, into: number) => [
    { name: `${name}.weight`, shape: [out, into] },
    { name: `${name}.bias`, shape: [out] },
  ];
  const norm = (name: string) => [
    { name: `${name}.weight`, shape: [hidden] },
    { name: `${name}.bias`, shape: [hidden] },
  ];
  return [
    { name: 'embeddings.word_embeddings.weight', shape: [model.vocabulary, hidden] },
    { name: 'embeddings.position_embeddings.weight', shape: [model.positions ?? 512, hidden] },
    { name: 'embeddings.token_type_embeddings.weight', shape: [2, hidden] },
    ...norm('embeddings.LayerNorm'),
    ...Array.from({ length: model.layers }, (_, layer) => {
      const at = `encoder.layer.${layer}`;
      return [
        ...['query', 'key', 'value'].flatMap((part) => linear(`${at}.attention.self.${part}`, hidden, hidden)),
        ...linear(`${at}.attention.output.dense`, hidden, hidden),
        ...norm(`${at}.attention.output.LayerNorm`),
        ...linear(`${at}.intermediate.dense`, hidden * 4, hidden),
        ...linear(`${at}.output.dense`, hidden, hidden * 4),
        ...norm(`${at}.output.LayerNorm`),
      ];
    }).flat(),
  ];
}

function seedOf(name: string, seed: number): number {
  let hash = seed | 0;
  for (const character of name) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  return hash;
}

/** Normally distributed values (σ = 0.02, as BERT is initialised), from a generator whose period far exceeds any tensor. */
function gaussian(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = seed >>> 0;
  const uniform = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  for (let index = 0; index < count; index++) {
    // The sum of four uniform values is near enough to a bell curve, and made of exact operations: the same on every machine.
    values[index] = (uniform() + uniform() + uniform() + uniform() - 2) * 0.035;
  }
  return values;
}
