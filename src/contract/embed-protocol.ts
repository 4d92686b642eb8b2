import { invalidError } from '../core/errors.ts';
import { withoutSteering } from '../core/printable.ts';
import { isObject } from './json-values.ts';
import { limits } from './limits.ts';
import { parseStrictJson } from './strict-json.ts';

/**
 * What is said to a command that embeds texts, and what it answers. It gets one JSON document on
 * stdin, and MODEL_NAME, MODEL_VERSION, MODEL_DIR and MODEL_WEIGHTS (a path in MODEL_DIR) in its
 * environment; it prints one JSON document.
 */

/** One text to embed; `prompt` is a name among the model's prompts. */
export interface ReferenceText {
  readonly id: string;
  readonly text: string;
  readonly prompt: string | null;
}

/** How long a command may take for all texts. */
export const embedLimitMs = 10 * 60_000;

export interface Embedded {
  /** As many as texts, in their order, all of one length. What isn't a finite number is NaN. */
  readonly vectors: readonly Float32Array[];
  /** What made them, in the command's own words. */
  readonly runtime?: string | undefined;
}

/** `{ "texts": [{ "id", "text", "prompt" }] }`, and a final newline. */
export function formatEmbedRequest(texts: readonly ReferenceText[]): string {
  return `${JSON.stringify({ texts: texts.map(({ id, text, prompt }) => ({ id, text, prompt })) })}\n`;
}

/**
 * Reads `{ "vectors": [[…], …], "runtime": "…" }`. Python's NaN and Infinity, and null, are read as
 * NaN. `from` names the command in messages. Throws `invalid`.
 */
export function parseEmbedAnswer(bytes: Uint8Array, texts: readonly ReferenceText[], from: string): Embedded {
  const file = `what ${from} printed`;
  const json = parseStrictJson(withoutPythonNumbers(bytes), { file, maxBytes: limits.vectorsBytes, maxDepth: 8 });
  if (!isObject(json)) throw invalidError(`${file} is no JSON object with "vectors"`, outputRemedy);
  const vectors = toVectors(json.vectors, texts, from);
  const { runtime } = json;
  if (typeof runtime !== 'string' || runtime === '') return { vectors };
  return { vectors, runtime: withoutSteering(runtime.slice(0, maxRuntimeLength)) };
}

const outputRemedy =
  'The command prints { "vectors": [[…], …], "runtime": "…" } and nothing else; what people read goes to stderr.';

/** Longest `runtime`. */
export const maxRuntimeLength = 500;

/**
 * The vectors of any runtime: lists or typed arrays of numbers, one a text, all of one length.
 * `from` names who made them. Throws `invalid`.
 */
export function toVectors(rows: unknown, texts: readonly ReferenceText[], from: string): readonly Float32Array[] {
  const fail = (message: string): never => {
    throw invalidError(`${from}: ${message}`, 'There must be one vector for each text, in the order of the texts.');
  };
  if (!Array.isArray(rows)) return fail('"vectors" is no list');
  if (rows.length !== texts.length) fail(`${rows.length} vectors for ${texts.length} texts`);
  const vectors = rows.map((row: unknown, at) => toVector(row) ?? fail(`vectors[${at}] is no list of numbers`));
  const dimensions = vectors[0]?.length ?? 0;
  if (dimensions < 1 || dimensions > limits.dimensions) fail(`a vector of ${dimensions} numbers`);
  const odd = vectors.findIndex((vector) => vector.length !== dimensions);
  if (odd !== -1) fail(`vectors[${odd}] has ${vectors[odd]!.length} numbers, vectors[0] has ${dimensions}`);
  return vectors;
}

/** What float32 can't hold is NaN, too. */
function toVector(row: unknown): Float32Array | undefined {
  const isTyped = ArrayBuffer.isView(row) && !(row instanceof DataView);
  if (!isTyped && !Array.isArray(row)) return undefined;
  const numbers = row as ArrayLike<unknown>;
  const vector = new Float32Array(numbers.length);
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] ?? Number.NaN;
    if (typeof number !== 'number') return undefined;
    vector[at] = number;
    if (!Number.isFinite(vector[at])) vector[at] = Number.NaN;
  }
  return vector;
}

/** Python's `json` writes numbers that JSON doesn't have. Strings stay as they are. */
function withoutPythonNumbers(bytes: Uint8Array): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.includes('NaN') && !buffer.includes('Infinity')) return bytes;
  const text = buffer.toString('latin1');
  const replaced = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity\b|\bNaN\b/gs, (found) =>
    found.startsWith('"') ? found : 'null',
  );
  return Buffer.from(replaced, 'latin1');
}
