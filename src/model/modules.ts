import { isObject, type JsonObject, textOf } from '../contract/json-values.ts';
import { isSafetensors, isTokenizerFile } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';

/** One step of a sentence-transformers model, as modules.json names it. */
export interface Module {
  /** Name of the class: `Transformer`, `Pooling`, …. */
  readonly kind: string;
  /** Its class outside the library, which is code of the model; undefined for the library's own. */
  readonly custom: string | undefined;
  /** Below the model's directory; `''` is that itself. */
  readonly directory: string;
  /** JSON path in modules.json. */
  readonly at: string;
  readonly kwargs: unknown;
  /** Its own configuration; empty where there is none. */
  readonly config: JsonObject;
  readonly configPath: string;
}

/**
 * What the library's modules read from their folder (sentence-transformers 2 to 6). `weights` is a safetensors file. Modules that
 * aren't named here (Normalize, Dropout) work without files.
 */
const needs: Readonly<Record<string, readonly ('config' | 'weights' | 'tokenizer')[]>> = {
  Transformer: ['config', 'weights'],
  MLMTransformer: ['config', 'weights'],
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
  Router: ['config'],
  Asym: ['config'],
};

const configNames: Readonly<Record<string, readonly string[]>> = {
  // An adapter's base model has the config.
  Transformer: ['config.json', 'adapter_config.json'],
  CNN: ['cnn_config.json'],
  LSTM: ['lstm_config.json'],
  WordEmbeddings: ['wordembedding_config.json'],
  Router: ['router_config.json'],
  Asym: ['router_config.json', 'config.json'],
};

const withoutFiles = new Set(['Normalize', 'Dropout']);

const modulesFile = 'modules.json';

/** Reads modules.json; undefined where the model has none, or a broken one. */
export function readModules(view: ModelView, findings: Findings): readonly Module[] | undefined {
  const document = view.documents.get(modulesFile);
  if (document === undefined) return undefined;
  if (!Array.isArray(document)) {
    findings.error({ in: modulesFile, message: 'must be a list of modules', hint: 'Save the model again.' });
    return undefined;
  }
  const modules: Module[] = [];
  for (const [number, entry] of document.entries()) {
    const at = `$[${number}]`;
    const type = isObject(entry) ? textOf(entry.type) : undefined;
    const path = isObject(entry) ? (textOf(entry.path) ?? '') : '';
    if (!isObject(entry) || type === undefined) {
      findings.error({
        in: modulesFile,
        at,
        message: 'must have a "type" and a "path"',
        hint: 'Save the model again.',
      });
      continue;
    }
    const kind = type.split('.').at(-1) ?? type;
    const directory = path.replace(/^(?:\.\/)+|\/+$/g, '').replace(/^\.$/, '');
    const candidates = (configNames[kind] ?? ['config.json']).map((name) => inDirectory(directory, name));
    const configPath = candidates.find((candidate) => view.files.has(candidate)) ?? candidates[0] ?? '';
    modules.push({
      kind,
      custom: type.startsWith('sentence_transformers.') ? undefined : type,
      directory,
      at,
      kwargs: entry.kwargs,
      config: documentOf(view, configPath) ?? {},
      configPath,
    });
  }
  return modules;
}

/** Parts that modules.json names and that are missing: the model wouldn't load, or would load as another one. */
export function checkModuleFiles(view: ModelView, modules: readonly Module[], findings: Findings): void {
  for (const module of modules) {
    const { directory, at, kind } = module;
    const own = [...view.files.keys()].filter((path) => directory === '' || path.startsWith(`${directory}/`));
    const missing = (what: string, hint: string): void => {
      findings.error({ in: modulesFile, at, message: `names ${kind} in "${directory}", but ${what}`, hint });
    };
    const add = 'Add it, or correct "include" in release.json.';
    if (own.length === 0 && directory !== '') {
      if (!withoutFiles.has(kind) || module.custom !== undefined) missing('that folder has no file', add);
      continue;
    }
    // A module's files lie in its folder, not deeper.
    const near = own.filter((path) => !path.slice(directory === '' ? 0 : directory.length + 1).includes('/'));
    for (const need of module.custom === undefined ? (needs[kind] ?? []) : []) {
      if (need === 'config' && !view.files.has(module.configPath)) missing(`${module.configPath} is missing`, add);
      if (need === 'weights' && !near.some(isSafetensors)) {
        missing('that folder has no safetensors', 'Convert its weights to safetensors, or correct "include".');
      }
      if (need === 'tokenizer' && !near.some(isTokenizerFile)) missing('that folder has no tokenizer', add);
    }
  }
}

/** The folder of the transformer: where config.json and the tokenizer are. */
export function transformerDirectory(modules: readonly Module[] | undefined): string {
  return modules?.find(({ kind }) => kind === 'Transformer')?.directory ?? '';
}

/** Modules that lead a text one way or another, so that no single chain of modules makes the vectors. */
export function isRouter(module: Module): boolean {
  return module.kind === 'Router' || module.kind === 'Asym';
}
