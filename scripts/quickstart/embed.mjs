// Embeds texts with the static model in MODEL_DIR: the mean of its tokens' vectors, at length 1. It
// reads { "texts": [{ "id", "text", "prompt" }] } and prints { "vectors": [[…], …], "runtime" }.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { MODEL_DIR, MODEL_WEIGHTS } = process.env;
const { model } = JSON.parse(readFileSync(join(MODEL_DIR, 'tokenizer.json'), 'utf8'));
const bytes = readFileSync(join(MODEL_DIR, MODEL_WEIGHTS));
const start = 8 + Number(bytes.readBigUInt64LE(0));
const tensor = JSON.parse(bytes.toString('utf8', 8, start))['embedding.weight'];
const [, dimensions] = tensor.shape;
const table = start + tensor.data_offsets[0];

function tokensOf(text) {
  const words = text.toLowerCase().match(/[\p{L}\p{M}\p{N}_]+|[^\p{L}\p{M}\p{N}_\s]+/gu) ?? [];
  return words.map((word) => model.vocab[word] ?? model.vocab[model.unk_token]);
}

function embed({ text }) {
  const vector = new Array(dimensions).fill(0);
  for (const token of tokensOf(text)) {
    for (let at = 0; at < dimensions; at++) {
      const number = bytes.readFloatLE(table + (token * dimensions + at) * 4);
      vector[at] += number;
    }
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((number) => number / length);
}

const { texts } = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify({ vectors: texts.map(embed), runtime: `Node ${process.version}` }));
