import { isObject, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import { jsonPath } from '../contract/problems-of.ts';
import { isSafetensors, isTokenizerFile } from './file-kinds.ts';
import type { Finding, Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';

/** One module of a sentence-transformers model, as modules.json names it. */
export interface Module {
  /** Name of the class: `Transformer`, `Pooling`, …. */
  readonly kind: string;
  /** The class as modules.json writes it. */
  readonly type: string;
  /** The class, if it belongs to no known library. Then it is code of the model. */
  readonly custom: string | undefined;
  /** Its folder, relative to the model's directory; `''` is that directory itself. */
  readonly directory: string;
  /** The file that names the module, and the JSON path there. */
  readonly file: string;
  readonly at: string;
  readonly kwargs: unknown;
  /** Its own configuration. Empty where there is none. */
  readonly config: JsonObject;
  readonly configPath: string;
  /** A router's routes, each a chain of modules. Empty for other modules. */
  readonly routes: readonly (readonly Module[])[];
}

/**
 * Packages that loaders have installed anyway. Naming a class of one of them runs no code of the
 * model.
 */
const libraries = ['sentence_transformers.', 'pylate.', 'transformers.', 'torch.'];

export function isLibraryClass(type: string): boolean {
  return libraries.some((library) => type.startsWith(library));
}

/** Modules that are a network of transformers. Their folder has config.json and the tokenizer. */
const networkKinds = new Set(['Transformer', 'MLMTransformer', 'CLIPModel']);

export function isNetwork({ kind }: Module): boolean {
  return networkKinds.has(kind);
}

/** No real model has more than a dozen. */
const maxModules = 100;

/**
 * What each module of sentence-transformers (2 to 6) reads from its folder. `weights`: a
 * safetensors file. Modules that aren't listed (Normalize, Dropout) need no files.
 */
const needs: Readonly<Record<string, readonly ('config' | 'weights' | 'tokenizer')[]>> = {
  Transformer: ['config', 'weights'],
  MLMTransformer: ['config', 'weights'],
  CLIPModel: ['config', 'weights'],
  Pooling: ['config'],
  Dense: ['config', 'weights'],
  LayerNorm: ['config', 'weights'],
  WeightedLayerPooling: ['config', 'weights'],
  CNN: ['config', 'weights'],
  LSTM: ['config', 'weights'],
  WordEmbeddings: ['config', 'weights'],
  WordWeights: ['config'],
  BoW: ['config'],
  StaticEmbedding: ['weights', 'tokenizer'],
  SpladePooling: ['config'],
  SparseAutoEncoder: ['config', 'weights'],
  LogitScore: ['config'],
  Router: ['config'],
  Asym: ['config'],
};

const configNames: Readonly<Record<string, readonly string[]>> = {
  // An adapter has no config.json of its own: its base model has it.
  Transformer: ['config.json', 'adapter_config.json'],
  CNN: ['cnn_config.json'],
  LSTM: ['lstm_config.json'],
  WordEmbeddings: ['wordembedding_config.json'],
  Router: ['router_config.json'],
  Asym: ['router_config.json', 'config.json'],
};

const withoutFiles = new Set(['Normalize', 'Dropout']);

const modulesFile = 'modules.json';

/** Reads modules.json. Undefined where the model has none, or one that can't be read. */
export function readModules(view: ModelView, findings: Findings): readonly Module[] | undefined {
  const document = view.documents.get(modulesFile);
  if (document === undefined) return undefined;
  if (!Array.isArray(document)) {
    findings.error({ in: modulesFile, message: 'must be a list of modules', hint: 'Save the model again.' });
    return undefined;
  }
  if (document.length > maxModules) {
    findings.error({
      in: modulesFile,
      message: `names ${document.length} modules, more than ${maxModules}`,
      hint: 'Save the model again.',
    });
    return undefined;
  }
  return document.flatMap((entry, number) => {
    const at = `$[${number}]`;
    const type = isObject(entry) ? textOf(entry.type) : undefined;
    if (!isObject(entry) || type === undefined) {
      findings.error({
        in: modulesFile,
        at,
        message: 'must have a "type" and a "path"',
        hint: 'Save the model again.',
      });
      return [];
    }
    const directory = (textOf(entry.path) ?? '').replace(/^(?:\.\/)+|\/+$/g, '').replace(/^\.$/, '');
    return [moduleOf(view, { type, directory, file: modulesFile, at, kwargs: entry.kwargs })];
  });
}

function moduleOf(
  view: ModelView,
  place: Pick<Module, 'type' | 'directory' | 'file' | 'at' | 'kwargs'>,
  inRouter = false,
): Module {
  const { type, directory } = place;
  const kind = type.split('.').at(-1) ?? type;
  const candidates = (configNames[kind] ?? ['config.json']).map((name) => inDirectory(directory, name));
  const configPath = candidates.find((candidate) => view.files.has(candidate)) ?? candidates[0] ?? '';
  const config = documentOf(view, configPath) ?? {};
  return {
    ...place,
    kind,
    custom: isLibraryClass(type) ? undefined : type,
    config,
    configPath,
    routes: isRouter({ kind }) && !inRouter ? routesOf(view, directory, config, configPath) : [],
  };
}

/**
 * A router's config: `types` maps each folder to its class, `structure` lists the folders of each
 * route.
 */
function routesOf(view: ModelView, directory: string, config: JsonObject, file: string): Module[][] {
  const types = objectOf(config.types);
  return Object.values(objectOf(config.structure))
    .slice(0, maxModules)
    .map((names) =>
      [names]
        .flat()
        .slice(0, maxModules)
        .flatMap((name) => {
          const type = typeof name === 'string' && Object.hasOwn(types, name) ? textOf(types[name]) : undefined;
          if (typeof name !== 'string' || type === undefined) return [];
          const at = jsonPath(['types', name]);
          return [moduleOf(view, { type, directory: inDirectory(directory, name), file, at, kwargs: undefined }, true)];
        }),
    );
}

/**
 * Reports what modules.json names and what is missing: the model would not load, or would load as a
 * different one.
 */
export function checkModuleFiles(view: ModelView, modules: readonly Module[], findings: Findings): void {
  const found: Finding[] = [];
  // An ONNX or GGUF file replaces the first module's network, wherever it lies.
  const hasOwnNetwork = [...view.files.keys()].some((path) => /\.(?:onnx|gguf)$/.test(path));
  for (const module of everyModule(modules)) {
    const { directory, file, at, kind } = module;
    const own = [...view.files.keys()].filter((path) => directory === '' || path.startsWith(`${directory}/`));
    const missing = (what: string, hint: string): void => {
      found.push({ in: file, at, message: `names ${kind} in "${directory}", but ${what}`, hint });
    };
    const add = 'Add it, or correct "include" or "exclude" in release.json.';
    if (own.length === 0 && directory !== '') {
      if (!withoutFiles.has(kind) || module.custom !== undefined) missing('that folder has no file', add);
      continue;
    }
    // Loaders look for a module's files in its folder, not in folders below it.
    const near = own.filter((path) => !path.slice(directory === '' ? 0 : directory.length + 1).includes('/'));
    for (const need of module.custom === undefined ? (needs[kind] ?? []) : []) {
      if (need === 'config' && !view.files.has(module.configPath)) missing(`${module.configPath} is missing`, add);
      if (need === 'weights' && !near.some(isSafetensors) && !(module === modules[0] && hasOwnNetwork)) {
        missing(
          'that folder has no safetensors',
          'Convert its weights to safetensors, or correct "include" or "exclude".',
        );
      }
      if (need === 'tokenizer' && !near.some(isTokenizerFile)) missing('that folder has no tokenizer', add);
    }
  }
  findings.errors(found);
}

/** All modules; a router is followed by those of its routes. */
export function everyModule(modules: readonly Module[]): readonly Module[] {
  return modules.flatMap((module) => [module, ...module.routes.flat()]);
}

/**
 * The folder with config.json and the tokenizer: that of the first transformer. Where there is
 * none, that of the word vectors.
 */
export function transformerDirectory(modules: readonly Module[] | undefined): string {
  const all = everyModule(modules ?? []);
  const found = all.find(isNetwork) ?? all.find(({ kind }) => kind === 'StaticEmbedding' || kind === 'WordEmbeddings');
  return found?.directory ?? '';
}

/** Whether it is a router, which sends a text down one of several routes. */
export function isRouter({ kind }: Pick<Module, 'kind'>): boolean {
  return kind === 'Router' || kind === 'Asym';
}
