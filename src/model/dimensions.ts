import { posix } from 'node:path';
import { countOf, type JsonObject, objectOf } from '../contract/json-values.ts';
import type { Tensor } from '../safetensors/header.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { isRouter, type Module } from './modules.ts';
import { dimensionKeys, poolingModes } from './pooling.ts';

/** Names of the width of a network in config.json, by architecture: BERT and most, T5, DistilBERT, GPT-2 and old NomicBERT. */
const hiddenKeys = ['hidden_size', 'd_model', 'dim', 'n_embd'] as const;

/** Width of the word embeddings where it isn't the network's: ALBERT, ELECTRA, OPT. */
const embeddingKeys = ['embedding_size', 'word_embed_proj_dim'] as const;

const wordEmbeddings = /(?:^|\.)(?:word_embeddings?|embed_tokens|tok_embeddings|wte|shared)\.weight$/;

/** Tensors that hold numbers as they are; packed ones (quantised) have other shapes. */
const plainDtypes = new Set(['F64', 'F32', 'F16', 'BF16']);

/** A length of vectors, and the place that says it, for messages. */
interface Width {
  readonly value: number;
  readonly said: string;
}

/**
 * The length of the model's vectors: what the network gives, followed through the modules. Tells where two files disagree, which
 * would give wrong vectors, none, or an index of the wrong size. Null where nothing says it.
 */
export function dimensionsFact(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
  findings: Findings,
): number | null {
  const configPath = inDirectory(base, 'config.json');
  const hidden = hiddenWidth(documentOf(view, configPath), configPath);
  checkWordEmbeddings(view, base, configPath, hidden, findings);
  if (modules === undefined) return hidden?.value ?? null;
  if (modules.some(isRouter)) return null;
  let width: Width | undefined;
  for (const module of modules) {
    if (module.kind === 'Transformer') width = hidden;
    else width = widthBehind(view, module, width, findings);
  }
  return width?.value ?? null;
}

function hiddenWidth(config: JsonObject | undefined, path: string): Width | undefined {
  for (const [prefix, object] of [
    ['$', config],
    ['$.text_config', objectOf(config?.text_config)],
  ] as const) {
    for (const key of hiddenKeys) {
      const value = countOf(object?.[key]);
      if (value !== undefined) return { value, said: `${path} ${prefix}.${key}` };
    }
  }
  return undefined;
}

/** The width behind a module, given the one before it; undefined where nobody says it. */
function widthBehind(
  view: ModelView,
  module: Module,
  before: Width | undefined,
  findings: Findings,
): Width | undefined {
  const { kind, config, configPath } = module;
  const compare = (key: string): void => {
    const value = countOf(config[key]);
    if (value === undefined || before === undefined || value === before.value) return;
    findings.error({
      in: configPath,
      at: `$.${key}`,
      message: `is ${value}, but ${before.said} is ${before.value}`,
      hint: 'Correct the one that is wrong; the tensors in model.safetensors show which.',
    });
  };
  switch (kind) {
    case 'Pooling': {
      const key = dimensionKeys.find((name) => countOf(config[name]) !== undefined) ?? dimensionKeys[1];
      compare(key);
      const one = countOf(config[key]) ?? before?.value;
      const modes = Math.max(1, poolingModes(config).length);
      return one === undefined ? undefined : { value: one * modes, said: `the width behind ${configPath}` };
    }
    case 'Dense': {
      compare('in_features');
      const out = countOf(config.out_features);
      const weight = tensorNamed(view, module.directory, /^linear\.weight$/);
      const [rows, columns] = weight?.shape ?? [];
      for (const [key, size] of [
        ['out_features', rows],
        ['in_features', columns],
      ] as const) {
        const value = countOf(config[key]);
        if (value === undefined || size === undefined || value === size) continue;
        findings.error({
          in: configPath,
          at: `$.${key}`,
          message: `is ${value}, but the tensor linear.weight has the shape [${weight?.shape.join(', ')}]`,
          hint: 'Correct the config, or take the weights that belong to it.',
        });
      }
      const value = out ?? rows;
      return value === undefined ? undefined : { value, said: `${configPath} $.out_features` };
    }
    case 'LayerNorm':
      compare('dimension');
      return before;
    case 'Normalize':
    case 'Dropout':
    case 'WeightedLayerPooling':
    case 'WordWeights':
      return before;
    case 'StaticEmbedding': {
      const size = tensorNamed(view, module.directory, /^embeddings?(?:\.weight)?$/)?.shape[1];
      return size === undefined
        ? undefined
        : { value: size, said: `the tensor embedding.weight in ${module.directory}` };
    }
    default:
      return undefined;
  }
}

/** The word embeddings must be as wide as config.json says: else the weights belong to another config. */
function checkWordEmbeddings(
  view: ModelView,
  base: string,
  configPath: string,
  hidden: Width | undefined,
  findings: Findings,
): void {
  const config = documentOf(view, configPath);
  const tensor = tensorNamed(view, base, wordEmbeddings);
  const size = tensor?.shape[1];
  if (config === undefined || tensor === undefined || size === undefined || !plainDtypes.has(tensor.dtype)) return;
  const own = embeddingKeys.find((key) => countOf(config[key]) !== undefined);
  const expected = own === undefined ? hidden?.value : countOf(config[own]);
  const shape = `the tensor ${tensor.name} has the shape [${tensor.shape.join(', ')}]`;
  if (expected !== undefined && expected !== size) {
    findings.error({
      in: configPath,
      at: own === undefined ? hidden?.said.split(' ').at(-1) : `$.${own}`,
      message: `is ${expected}, but ${shape}`,
      hint: 'Weights and config.json are of different models: take those that belong together.',
    });
  }
  const vocabulary = countOf(config.vocab_size);
  if (vocabulary !== undefined && vocabulary !== tensor.shape[0]) {
    findings.warning({
      in: configPath,
      at: '$.vocab_size',
      message: `is ${vocabulary}, but ${shape}`,
      hint: 'Correct "vocab_size", or take the weights that belong to the config.',
    });
  }
}

function tensorNamed(view: ModelView, directory: string, name: RegExp): Tensor | undefined {
  for (const [path, { tensors }] of view.headers) {
    if ((directory || '.') !== posix.dirname(path)) continue;
    const found = tensors.find((tensor) => name.test(tensor.name) && tensor.shape.length === 2);
    if (found !== undefined) return found;
  }
  return undefined;
}
