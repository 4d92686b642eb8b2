import { countOf, type JsonObject, objectOf } from '../contract/json-values.ts';
import type { PlacedTensor } from '../weights/weights-file.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { weightPaths } from './module-files.ts';
import { checkModelType, otherModels } from './network-families.ts';

/*
 * Compares config.json with the weights. Where they contradict each other, a good loader refuses
 * the model. A bad one fills what is missing with random numbers and only prints a warning.
 */

/**
 * Keys in config.json for the number of layers. In this order: BERT and most others, DistilBERT,
 * GPT-2 and old NomicBERT, T5.
 */
export const layerKeys = ['num_hidden_layers', 'n_layers', 'n_layer', 'num_layers'] as const;

const positionKeys = ['max_position_embeddings', 'n_positions'] as const;

/**
 * The beginning of a layer's tensor name: `encoder.layer.0.…`, `model.layers.0.…`,
 * `encoder.block.0.…`, `h.0.…`. The number after the word is the layer's.
 */
const layerName = /^((?:[^.]+\.)*?(?:layers?|block|h))\.(\d+)\./;

const imageParts = /(?:^|\.)(?:vision|visual|image)/;

const wordEmbeddings = /(?:^|\.)(?:word_embeddings?|embed_tokens|tok_embeddings|token_embedding|wte|shared)\.weight$/;
const positionEmbeddings = /(?:^|\.)(?:position_embeddings?|wpe)\.weight$/;

/**
 * Keys for the width of the word embeddings, where it may differ from the network's: ALBERT,
 * ELECTRA, RemBERT, OPT.
 */
const embeddingKeys = ['embedding_size', 'input_embedding_size', 'word_embed_proj_dim'] as const;

/**
 * Dtypes whose tensors have the shape that config.json implies. Packed (quantised) tensors have
 * other shapes.
 */
const plainDtypes = new Set(['F64', 'F32', 'F16', 'BF16']);

/** A tensor, without where its data stand. */
type Described = Pick<PlacedTensor, 'name' | 'dtype' | 'shape'>;

/** A number in config.json, and where it stands. */
export interface Stated {
  readonly value: number;
  /** JSON path of the object that holds it: `$` or `$.text_config`. */
  readonly prefix: string;
  readonly key: string;
}

/**
 * The first of these keys that config.json has, at the top or in the part about the text network.
 */
export function statedIn(config: JsonObject | undefined, keys: readonly string[]): Stated | undefined {
  for (const [prefix, object] of [
    ['$', config],
    ['$.text_config', objectOf(config?.text_config)],
  ] as const) {
    for (const key of keys) {
      const value = countOf(object?.[key]);
      if (value !== undefined) return { value, prefix, key };
    }
  }
  return undefined;
}

/**
 * The tensors that a loader takes from a folder. Undefined where a file is missing or broken, which
 * is reported elsewhere.
 */
export function tensorsIn(view: ModelView, directory: string): readonly Described[] | undefined {
  const files = weightPaths(view, directory).map((path) => view.weights.get(path));
  if (files.length === 0 || files.includes(undefined)) return undefined;
  return files.flatMap((file) => file?.tensors ?? []);
}

/** The tensor that gives each token its vector: [tokens, width]. */
export function tokenEmbedding(tensors: readonly Described[]): Described | undefined {
  return tensors.find(({ name, shape }) => wordEmbeddings.test(name) && shape.length === 2 && !imageParts.test(name));
}

/**
 * Word vectors: `embedding.weight` of sentence-transformers, `embeddings` of model2vec,
 * `emb_layer.weight` of WordEmbeddings.
 */
const vectorTensors = new Set(['embedding.weight', 'embeddings', 'emb_layer.weight']);

/** The word vectors of a model that consists of nothing else: [words, width]. */
export function wordVectors(tensors: readonly Described[]): Described | undefined {
  return tensors.find(({ name, shape }) => vectorTensors.has(name) && shape.length === 2);
}

/**
 * Compares the transformer's config.json with its weights. `hidden`: the width of the network by
 * config.json.
 */
export function checkNetworkWeights(
  view: ModelView,
  base: string,
  hidden: Stated | undefined,
  findings: Findings,
): void {
  const path = inDirectory(base, 'config.json');
  const config = documentOf(view, path);
  const tensors = tensorsIn(view, base);
  // An adapter's tensors belong to its base model's network, whose config is elsewhere.
  if (config === undefined || tensors === undefined || view.files.has(inDirectory(base, 'adapter_config.json'))) return;
  checkModelType(config, path, tensors, findings);
  checkLayers(config, path, tensors, findings);
  const words = tokenEmbedding(tensors);
  if (words !== undefined && plainDtypes.has(words.dtype)) {
    checkWidth(config, path, words, hidden, findings);
    checkRows(path, words, vocabularyIn(config), findings);
  }
  const positions = tensors.find(
    ({ name, shape }) => positionEmbeddings.test(name) && shape.length === 2 && !imageParts.test(name),
  );
  if (positions !== undefined) checkRows(path, positions, statedIn(config, positionKeys), findings);
}

/**
 * Counts the layers of each stack that has attention: the text network's, and the image network's
 * where config.json describes one.
 */
function checkLayers(config: JsonObject, path: string, tensors: readonly Described[], findings: Findings): void {
  const stacks = new Map<string, { layers: Set<number>; attention: boolean }>();
  for (const { name } of tensors) {
    const [, prefix, number] = layerName.exec(name) ?? [];
    if (prefix === undefined || /(?:^|\.)decoder\./.test(prefix)) continue;
    const stack = stacks.get(prefix) ?? { layers: new Set(), attention: false };
    stacks.set(prefix, stack);
    stack.layers.add(Number(number));
    stack.attention ||= /att(?:entio)?n/i.test(name);
  }
  const networks = [...stacks].filter(([, { attention }]) => attention);
  for (const forImages of [false, true]) {
    const [stack, ...more] = networks.filter(([prefix]) => imageParts.test(prefix) === forImages);
    const inConfig = forImages ? objectOf(config.vision_config) : config;
    const stated = statedIn(inConfig, layerKeys);
    // With several stacks, it is unknown which one the key means.
    if (stack === undefined || more.length > 0 || stated === undefined) continue;
    const [prefix, { layers }] = stack;
    const at = `${forImages ? '$.vision_config' : stated.prefix}.${stated.key}`;
    const missing = Array.from({ length: layers.size }, (_, layer) => layer).find((layer) => !layers.has(layer));
    if (missing !== undefined) {
      const message = `is ${stated.value}, but the weights have no ${prefix}.${missing}: loaders fill it with random numbers`;
      findings.error({ in: path, at, message, hint: 'Get the weights again: a part of them is missing.' });
    } else if (layers.size !== stated.value) {
      findings.error({
        in: path,
        at,
        message: `is ${stated.value}, but the weights have ${layers.size} layers (${prefix}.…)${
          layers.size < stated.value
            ? ': loaders fill the others with random numbers'
            : ': loaders leave the others out'
        }`,
        hint: `If the weights are right, write ${layers.size}; else take the weights that belong to this config.json.`,
      });
    }
  }
}

/**
 * The word embeddings must be as wide as config.json says. If not, the weights belong to another
 * config.
 */
function checkWidth(
  config: JsonObject,
  path: string,
  { name, shape }: Described,
  hidden: Stated | undefined,
  findings: Findings,
): void {
  const width = statedIn(config, embeddingKeys) ?? hidden;
  if (width === undefined || width.value === shape[1]) return;
  findings.error({
    in: path,
    at: `${width.prefix}.${width.key}`,
    message: `is ${width.value}, but the tensor ${name} has the shape [${shape.join(', ')}]`,
    hint: otherModels,
  });
}

/**
 * The rows that the embedding should have: `vocab_size`. Some networks (NomicBERT, jina v3) round
 * it up to a multiple.
 */
function vocabularyIn(config: JsonObject): Stated | undefined {
  const stated = statedIn(config, ['vocab_size']);
  const multiple = countOf(config.pad_vocab_size_multiple) ?? 1;
  return stated === undefined ? undefined : { ...stated, value: Math.ceil(stated.value / multiple) * multiple };
}

function checkRows(path: string, tensor: Described, stated: Stated | undefined, findings: Findings): void {
  const [rows] = tensor.shape;
  if (stated === undefined || stated.value === rows) return;
  findings.error({
    in: path,
    at: `${stated.prefix}.${stated.key}`,
    message: `is ${stated.value}, but the tensor ${tensor.name} has the shape [${tensor.shape.join(', ')}]`,
    hint: `If the weights are right, write ${rows}; else take the weights that belong to this config.json.`,
  });
}
