import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readWeights } from '../../src/weights/read-weights.ts';
import { ggufFile } from '../../test/fixtures/gguf-file.ts';
import type { TinyModelOptions } from '../../test/fixtures/tiny-model.ts';

/** ggml's number for BF16. [ggml.h, enum ggml_type] */
const bf16 = 30;

/** What llama.cpp calls the parts of a BERT. [gguf-py, tensor_mapping.py] */
const partNames: readonly (readonly [RegExp, string])[] = [
  [/^embeddings\.word_embeddings/, 'token_embd'],
  [/^embeddings\.position_embeddings/, 'position_embd'],
  [/^embeddings\.token_type_embeddings/, 'token_types'],
  [/^embeddings\.LayerNorm/, 'token_embd_norm'],
  [/^encoder\.layer\.(\d+)\.attention\.self\.query/, 'blk.$1.attn_q'],
  [/^encoder\.layer\.(\d+)\.attention\.self\.key/, 'blk.$1.attn_k'],
  [/^encoder\.layer\.(\d+)\.attention\.self\.value/, 'blk.$1.attn_v'],
  [/^encoder\.layer\.(\d+)\.attention\.output\.dense/, 'blk.$1.attn_output'],
  [/^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm/, 'blk.$1.attn_output_norm'],
  [/^encoder\.layer\.(\d+)\.intermediate\.dense/, 'blk.$1.ffn_up'],
  [/^encoder\.layer\.(\d+)\.output\.dense/, 'blk.$1.ffn_down'],
  [/^encoder\.layer\.(\d+)\.output\.LayerNorm/, 'blk.$1.layer_output_norm'],
];

/**
 * Writes the weights of a tiny BERT once more, as GGUF: half the size, since matrices become BF16.
 * The pooler is left out, as llama.cpp does.
 */
export async function writeGguf(
  model: string,
  name: string,
  options: Required<Pick<TinyModelOptions, 'layers' | 'hidden' | 'positions'>>,
): Promise<void> {
  const path = 'model.safetensors';
  const absolutePath = join(model, path);
  const bytes = await readFile(absolutePath);
  const file = { path, absolutePath, sizeBytes: bytes.length };
  const weights = await readWeights(file, new Map([[path, file]]));
  const tensors = (weights?.tensors ?? []).flatMap(({ name: full, shape, begin, end }) => {
    const [pattern, replacement] = partNames.find(([known]) => known.test(full)) ?? [];
    if (pattern === undefined) return [];
    const data = bytes.subarray(begin, end);
    const own = shape.length === 2 ? { type: bf16, data: upperHalves(data) } : { data };
    return [{ name: full.replace(pattern, replacement!), shape, ...own }];
  });
  const vocabulary = (await readFile(join(model, 'vocab.txt'), 'utf8')).trimEnd().split('\n');
  const metadata = {
    'general.architecture': 'bert',
    'bert.block_count': options.layers,
    'bert.context_length': options.positions,
    'bert.embedding_length': options.hidden,
    'bert.feed_forward_length': options.hidden * 4,
    'bert.attention.head_count': 4,
    'bert.pooling_type': 1,
    'tokenizer.ggml.model': 'bert',
    'tokenizer.ggml.tokens': vocabulary,
  };
  await writeFile(join(model, name), ggufFile({ metadata, tensors }));
}

/** A BF16 is the upper half of an F32. */
function upperHalves(floats: Uint8Array): Buffer {
  const halves = Buffer.alloc(floats.length / 2);
  for (let at = 0; at < halves.length; at += 2) halves.set(floats.subarray(at * 2 + 2, at * 2 + 4), at);
  return halves;
}
