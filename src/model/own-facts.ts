import type { GgufFile } from '../weights/read-gguf.ts';
import type { OnnxFile } from '../weights/read-onnx.ts';
import type { WeightsFile } from '../weights/read-weights.ts';
import type { Findings } from './findings.ts';
import type { EmbeddingKind } from './kind.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { layerKeys, type Stated, statedIn, tokenEmbedding } from './network-weights.ts';

/** What a file of weights says of its vectors itself, where no config does. */
export interface OwnFacts {
  readonly kind?: EmbeddingKind;
  /** Numbers of a vector. */
  readonly width?: number;
  readonly maxTokens?: number;
  readonly pooling?: string;
}

/**
 * `LLAMA_POOLING_TYPE_…` of llama.cpp, by sentence-transformers' names; 0 is none, 4 a score for a
 * pair.
 */
const ggufPoolings: ReadonlyMap<unknown, string> = new Map([
  [1, 'mean'],
  [2, 'cls'],
  [3, 'lasttoken'],
]);
const rank = 4;

/** Names that exporters give to a vector a text, and to a vector a token. */
const textOutput = 'sentence_embedding';
const tokenOutputs = ['last_hidden_state', 'token_embeddings'];

export function ownFacts(file: WeightsFile | undefined): OwnFacts {
  if (file?.format === 'gguf') return ggufFacts(file);
  if (file?.format !== 'onnx') return {};
  const ofText = widthOf(file, textOutput);
  const width = ofText ?? tokenOutputs.map((name) => widthOf(file, name)).find((found) => found !== undefined);
  return { ...(ofText === undefined ? {} : { kind: 'dense' }), ...(width === undefined ? {} : { width }) };
}

function ggufFacts(file: GgufFile): OwnFacts {
  const [width, maxTokens] = [numberIn(file, 'embedding_length'), numberIn(file, 'context_length')];
  const type = numberIn(file, 'pooling_type');
  const pooling = ggufPoolings.get(type);
  return {
    ...(width === undefined ? {} : { width }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(pooling === undefined ? {} : { pooling, kind: 'dense' }),
    ...(type === rank ? { kind: 'reranker' } : {}),
  };
}

/** A number under the architecture's own name: `bert.embedding_length`. */
function numberIn({ metadata }: GgufFile, key: string): number | undefined {
  const architecture = metadata.get('general.architecture')?.value;
  const value = metadata.get(`${String(architecture)}.${key}`)?.value;
  return typeof value === 'number' ? value : undefined;
}

/** The last dimension of an output, where it is a number. */
function widthOf({ outputs }: OnnxFile, name: string): number | undefined {
  const last = outputs.find((output) => output.name === name)?.dimensions?.at(-1);
  return typeof last === 'number' ? last : undefined;
}

/** The configs, as far as ONNX and GGUF files can contradict them. */
export interface Configured {
  readonly base: string;
  /** Width of the network. */
  readonly hidden: Stated | undefined;
  /** Length of a vector, before it is cut; only of dense models. */
  readonly dimensions: number | null;
  readonly pooling: string | null;
  readonly maxTokens: number | null;
}

/**
 * Tells where an ONNX or GGUF file contradicts the configs: loaders of the one would make other
 * vectors than those of the other.
 */
export function checkOwnFacts(view: ModelView, configured: Configured, findings: Findings): void {
  for (const [path, file] of view.weights) {
    if (file.format === 'onnx') {
      checkSize(view, path, findings);
      checkOnnx(path, file, configured, findings);
    }
    if (file.format === 'gguf') checkGguf(view, path, file, configured, findings);
  }
}

/** Protobuf's own readers, and so ONNX Runtime, take no longer message. */
const maxGraphBytes = 2 ** 31 - 1;

function checkSize(view: ModelView, path: string, findings: Findings): void {
  if ((view.files.get(path)?.sizeBytes ?? 0) <= maxGraphBytes) return;
  findings.warning({
    in: path,
    message: 'is larger than 2 GiB, which most loaders refuse',
    hint: 'Save it with external data: onnx.save_model(model, path, save_as_external_data=True).',
  });
}

const hint = 'Export the file again from this model, or take the configs that belong to it.';

function checkOnnx(path: string, file: OnnxFile, configured: Configured, findings: Findings): void {
  const { hidden, dimensions } = configured;
  const contradict = (name: string, expected: number | null | undefined, said: string): void => {
    const width = widthOf(file, name);
    if (width === undefined || expected === undefined || expected === null || width === expected) return;
    findings.error({ in: path, message: `gives ${width} numbers as ${name}, but ${said} is ${expected}`, hint });
  };
  contradict(textOutput, dimensions, 'the length of a vector by the configs');
  // With another kind of model, a projection may follow the network.
  if (dimensions !== null) {
    for (const name of tokenOutputs) contradict(name, hidden?.value, configPlace(configured, hidden));
  }
}

function checkGguf(view: ModelView, path: string, file: GgufFile, configured: Configured, findings: Findings): void {
  const { base, hidden, pooling, maxTokens } = configured;
  const own = ggufFacts(file);
  const error = (message: string): void => findings.error({ in: path, message, hint });
  if (own.width !== undefined && hidden !== undefined && own.width !== hidden.value) {
    error(`has an embedding_length of ${own.width}, but ${configPlace(configured, hidden)} is ${hidden.value}`);
  }
  const layers = numberIn(file, 'block_count');
  const stated = statedIn(documentOf(view, inDirectory(base, 'config.json')), layerKeys);
  if (layers !== undefined && stated !== undefined && layers !== stated.value) {
    error(`has a block_count of ${layers}, but ${configPlace(configured, stated)} is ${stated.value}`);
  }
  if (own.pooling !== undefined && pooling !== null && own.pooling !== pooling) {
    error(`has the pooling_type ${own.pooling}, but the modules' pooling is ${pooling}`);
  }
  if (own.maxTokens !== undefined && maxTokens !== null && own.maxTokens < maxTokens) {
    findings.warning({
      in: path,
      message: `has a context_length of ${own.maxTokens}, but the model takes ${maxTokens} tokens by its configs: longer texts are cut elsewhere, or refused`,
      hint,
    });
  }
  checkTokens(view, path, file, base, findings);
}

/** The tokenizer in the file against the rows of its embedding, and against tokenizer.json. */
function checkTokens(view: ModelView, path: string, file: GgufFile, base: string, findings: Findings): void {
  const list = file.metadata.get('tokenizer.ggml.tokens')?.value;
  if (typeof list !== 'object') return;
  const rows = (file.tensors.find(({ name }) => name === 'token_embd.weight') ?? tokenEmbedding(file.tensors))
    ?.shape[0];
  if (rows !== undefined && list.length > rows) {
    findings.error({ in: path, message: `has ${list.length} tokens, but embeddings of ${rows}`, hint });
  }
  const ids = view.tokenIds.get(inDirectory(base, 'tokenizer.json'));
  if (ids !== undefined && ids.ordinary >= list.length) {
    const message = `has ${list.length} tokens, but tokenizer.json has ids up to ${ids.ordinary}`;
    findings.error({ in: path, message, hint });
  }
}

function configPlace({ base }: Configured, stated: Stated | undefined): string {
  return `${inDirectory(base, 'config.json')} ${stated?.prefix ?? '$'}.${stated?.key ?? ''}`;
}
