import { countOf, textOf } from '../contract/json-values.ts';
import type { Findings } from './findings.ts';
import { isModel2Vec, isTwoTower } from './kind.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { isNetwork, isRouter, type Module } from './modules.ts';
import { checkNetworkWeights, type Stated, statedIn, tensorsIn, wordVectors } from './network-weights.ts';
import { dimensionKeys, libraryConfigName, poolingModes } from './pooling.ts';

/**
 * Keys in config.json for the width of a network. In this order: BERT and most others, T5,
 * DistilBERT, GPT-2 and old NomicBERT.
 */
export const hiddenKeys = ['hidden_size', 'd_model', 'dim', 'n_embd'] as const;

/** A length of vectors, and the place that states it, for messages. */
interface Width {
  readonly value: number;
  readonly said: string;
}

/**
 * The length of the model's vectors, before `truncate_dim`: the width of the network, followed
 * through the modules. Reports where two files disagree: the result would be wrong vectors, an
 * error when loading, or an index of the wrong size. Null where no file says it.
 */
export function dimensionsFact(
  view: ModelView,
  modules: readonly Module[] | undefined,
  findings: Findings,
): number | null {
  if (modules !== undefined) return widthOf(view, modules, findings)?.value ?? null;
  const width = isModel2Vec(view) ? vectorWidth(view, '') : networkWidth(view, '', findings);
  return width?.value ?? null;
}

/** The width of the network in a folder, after its config was compared with its weights. */
function networkWidth(view: ModelView, directory: string, findings: Findings): Width | undefined {
  const path = inDirectory(directory, 'config.json');
  const hidden = statedIn(documentOf(view, path), hiddenKeys);
  checkNetworkWeights(view, directory, hidden, findings);
  return isTwoTower(view, directory) ? projection(view, directory, findings) : saidIn(path, hidden);
}

/**
 * `truncate_dim` of the library's config (sentence-transformers 2.7 on): vectors are cut to so many
 * numbers, and not normalised again.
 */
export function truncateDim(view: ModelView): number | undefined {
  return countOf(documentOf(view, libraryConfigName)?.truncate_dim);
}

function saidIn(path: string, stated: Stated | undefined): Width | undefined {
  return stated === undefined ? undefined : { value: stated.value, said: `${path} ${stated.prefix}.${stated.key}` };
}

/**
 * CLIP and similar models project text and image to one width. CLIP states it as `projection_dim`,
 * SigLIP in the part that reads text.
 */
function projection(view: ModelView, directory: string, findings: Findings): Width | undefined {
  const path = inDirectory(directory, 'config.json');
  const config = documentOf(view, path);
  const own = countOf(config?.projection_dim);
  const matrix = tensorsIn(view, directory)?.find(({ name }) => name === 'text_projection.weight');
  const rows = matrix?.shape[0];
  if (own !== undefined && rows !== undefined && rows !== own) {
    findings.error({
      in: path,
      at: '$.projection_dim',
      message: `is ${own}, but the tensor text_projection.weight has the shape [${matrix?.shape.join(', ')}]`,
      hint: `If the weights are right, write ${rows}; else take the weights that belong to this config.json.`,
    });
  }
  if (own !== undefined) return { value: own, said: `${path} $.projection_dim` };
  if (rows !== undefined) return { value: rows, said: 'the tensor text_projection.weight' };
  if (!textOf(config?.model_type)?.startsWith('siglip')) return undefined;
  return saidIn(path, statedIn({ text_config: config?.text_config }, ['projection_size', ...hiddenKeys]));
}

/**
 * The width after a chain of modules. After a router, only where all its routes end in the same
 * width.
 */
function widthOf(view: ModelView, modules: readonly Module[], findings: Findings, before?: Width): Width | undefined {
  let width = before;
  for (const module of modules) {
    if (isNetwork(module)) width = networkWidth(view, module.directory, findings);
    else if (isRouter(module)) {
      const ways = module.routes.map((way) => widthOf(view, way, findings, width));
      width = ways.every((way) => way?.value === ways[0]?.value) ? ways[0] : undefined;
    } else width = widthBehind(view, module, width, findings);
  }
  return width;
}

/** The width after a module, given the one before it. Undefined where no file says it. */
function widthBehind(
  view: ModelView,
  module: Module,
  before: Width | undefined,
  findings: Findings,
): Width | undefined {
  const { kind, config, configPath, directory } = module;
  const compare = (key: string): void => {
    const value = countOf(config[key]);
    if (value === undefined || before === undefined || value === before.value) return;
    findings.error({
      in: configPath,
      at: `$.${key}`,
      message: `is ${value}, but ${before.said} is ${before.value}`,
      hint:
        kind === 'Pooling'
          ? `If ${before.said} is right, write ${before.value}; else take the files that belong together.`
          : 'The two files are of different models: take those that belong together.',
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
    case 'Dense':
      compare('in_features');
      return denseWidth(view, module, findings);
    case 'LayerNorm':
      compare('dimension');
      return before;
    case 'Normalize':
    case 'Dropout':
    case 'WeightedLayerPooling':
    case 'WordWeights':
      return before;
    case 'LSTM': {
      const one = countOf(config.hidden_dim);
      const value = one === undefined || config.bidirectional === false ? one : 2 * one;
      return value === undefined ? undefined : { value, said: `the width behind ${configPath}` };
    }
    case 'CNN': {
      const [one, sizes] = [countOf(config.out_channels), config.kernel_sizes];
      if (one === undefined || !Array.isArray(sizes)) return undefined;
      return { value: one * sizes.length, said: `the width behind ${configPath}` };
    }
    case 'StaticEmbedding':
    case 'WordEmbeddings':
      return vectorWidth(view, directory);
    case 'BoW':
      if (!Array.isArray(config.vocab)) return undefined;
      return { value: new Set(config.vocab).size, said: `${configPath} $.vocab` };
    default:
      return undefined;
  }
}

/** A layer of `in_features` to `out_features`; its matrix has the shape [out, in]. */
function denseWidth(view: ModelView, { config, configPath, directory }: Module, findings: Findings): Width | undefined {
  const weight = tensorsIn(view, directory)?.find(({ name }) => name === 'linear.weight');
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
      hint: `If the weights are right, write ${size}; else take the weights that belong to this config.json.`,
    });
  }
  const value = countOf(config.out_features) ?? rows;
  return value === undefined ? undefined : { value, said: `${configPath} $.out_features` };
}

function vectorWidth(view: ModelView, directory: string): Width | undefined {
  const tensor = wordVectors(tensorsIn(view, directory) ?? []);
  const value = tensor?.shape[1];
  return value === undefined ? undefined : { value, said: `the width of the tensor ${tensor?.name}` };
}
