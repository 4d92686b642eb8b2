import { posix } from 'node:path';

/** What a file in a model's directory is, by its name. Paths are `/`-separated. */

const pickleEndings = ['.bin', '.pt', '.pth', '.pkl', '.ckpt', '.pickle', '.joblib'];
const codeEndings = ['.py', '.pyc', '.pyo', '.pyw', '.pyd', '.pyx', '.pyz'];
const otherWeightEndings = ['.onnx', '.onnx_data', '.gguf', '.ggml', '.h5', '.msgpack', '.ot', '.tflite'];

/**
 * Names of the files that make up a tokenizer: those of all tokenizers in transformers
 * (`vocab_files_names` there) and of the tokenizers library.
 */
const tokenizerNames = new Set([
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'vocab.bpe',
  'vocab.model',
  'encoder.json',
  'merges.txt',
  'bpe.codes',
  'dict.txt',
  'tekken.json',
  'tokens.txt',
  'emoji.json',
  'normalizer.json',
  'whitespacetokenizer_config.json',
  'phrasetokenizer_config.json',
]);

function ending(path: string): string {
  return posix.extname(path).toLowerCase();
}

export function isSafetensors(path: string): boolean {
  return path.endsWith('.safetensors');
}

/** Formats that torch and scikit-learn write with Python's pickle. Reading a pickle runs code. */
export function isPickle(path: string): boolean {
  return pickleEndings.includes(ending(path));
}

/**
 * Files that a training run leaves beside a model: optimizer.pt, scheduler.pt, rng_state_0.pth,
 * training_args.bin.
 */
export function isTrainingState(path: string): boolean {
  return /^(?:optimizer|scheduler|scaler|rng_state(?:_\d+)?|training_args)\.[a-z]+$/.test(posix.basename(path));
}

/** Code that Python loaders would run. */
export function isCode(path: string): boolean {
  return codeEndings.includes(ending(path));
}

/** Weights in formats that are released as they are, without being read. */
export function isOtherWeights(path: string): boolean {
  return otherWeightEndings.includes(ending(path)) || isPickle(path);
}

export function isTokenizerFile(path: string): boolean {
  const name = posix.basename(path);
  // SentencePiece: tokenizer.model, spiece.model, sentencepiece.bpe.model; tiktoken: qwen.tiktoken.
  return tokenizerNames.has(name) || name.endsWith('.model') || name.endsWith('.tiktoken');
}

/** The licence's text: LICENSE, LICENCE.md, COPYING, LICENSE-MIT, LICENSES/MIT.txt. */
export function isLicenceText(path: string): boolean {
  return /^(?:licen[cs]es?\/.+|(?:un)?licen[cs]e(?:[._-][^/]*)?|copying(?:[._-][^/]*)?)$/i.test(path);
}

/** Index of a sharded model: `model.safetensors.index.json`. */
export function isShardIndex(path: string): boolean {
  return path.endsWith('.safetensors.index.json');
}

/** The index file that lists a shard of this name. Undefined for other files. */
export function shardIndexOf(path: string): string | undefined {
  return isShard(path) ? path.replace(/-\d{5}-of-\d{5}\.safetensors$/, '.safetensors.index.json') : undefined;
}

/** Whether it is named like a shard: `model-00001-of-00003.safetensors`. */
export function isShard(path: string): boolean {
  return /-\d{5}-of-\d{5}\.safetensors$/.test(path);
}
