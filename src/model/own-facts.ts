import type { GgufFile } from '../weights/read-gguf.ts';
import type { OnnxFile } from '../weights/read-onnx.ts';
import type { WeightsFile } from '../weights/read-weights.ts';
import type { Findings } from './findings.ts';
import type { EmbeddingKind } from './kind.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { layerKeys, type Stated, statedIn, tokenEmbedding } from './network-weights.ts';

/** What an ONNX or GGUF file itself says about its vectors. Used where no config does. */
export interface OwnFacts {
  readonly kind?: EmbeddingKind;
  /** Length of a vector. */
  readonly width?: number;
  readonly maxTokens?: number;
  readonly pooling?: string;
}

/**
 * llama.cpp's `LLAMA_POOLING_TYPE_…` by its number, as sentence-transformers names it. 0 is no
 * pooling, 4 a score for a pair of texts.
 */
const ggufPoolings: ReadonlyMap<unknown, string> = new Map([
  [1, 'mean'],
  [2, 'cls'],
  [3, 'lasttoken'],
]);
const rank = 4;

/** Names that exporters give to outputs: one vector for a text, and one for each token. */
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

/** A number whose key begins with the architecture: `bert.embedding_length`. */
function numberIn({ metadata }: GgufFile, key: string): number | undefined {
  const architecture = metadata.get('general.architecture')?.value;
  const value = metadata.get(`${String(architecture)}.${key}`)?.value;
  return typeof value === 'number' ? value : undefined;
}

/** The last dimension of an output, if it is a number. */
function widthOf({ outputs }: OnnxFile, name: string): number | undefined {
  const last = outputs.find((output) => output.name === name)?.dimensions?.at(-1);
  return typeof last === 'number' ? last : undefined;
}

/** What the configs say that an ONNX or GGUF file could contradict. */
export interface Configured {
  readonly base: string;
  /** Width of the network. */
  readonly hidden: Stated | undefined;
  /**
   * Length of a vector before `truncate_dim`. Null where the model isn't dense, or no file says it.
   */
  readonly dimensions: number | null;
  readonly pooling: string | null;
  readonly maxTokens: number | null;
}

/**
 * Reports where an ONNX or GGUF file contradicts the configs: runtimes that read the file would
 * make other vectors than those that read the configs.
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

/** Protobuf's own readers take no longer message, so ONNX Runtime can't load a larger file. */
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
  // In other kinds of models a projection may follow the network, so the width may differ.
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

/** Compares the tokenizer in the file with the rows of its embedding, and with tokenizer.json. */
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
