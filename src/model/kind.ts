import { isObject, textOf } from '../contract/json-values.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { everyModule, isNetwork, type Module } from './modules.ts';
import { libraryConfigName, transformerConfigPath } from './pooling.ts';

/**
 * What a model makes of a text: one vector (`dense`), a weight for each word (`sparse`), a vector
 * for each token (`multi-vector`), or a score for a pair of texts (`reranker`).
 */
export const embeddingKinds = ['dense', 'sparse', 'multi-vector', 'reranker', 'unknown'] as const;
export type EmbeddingKind = (typeof embeddingKinds)[number];

/**
 * `model_type` in config_sentence_transformers.json, since sentence-transformers 5; `ColBERT` is
 * PyLate's.
 */
const kindsByLibrary: Readonly<Record<string, EmbeddingKind>> = {
  SparseEncoder: 'sparse',
  CrossEncoder: 'reranker',
  MultiVectorEncoder: 'multi-vector',
  ColBERT: 'multi-vector',
};

const kindsByModule: Readonly<Record<string, EmbeddingKind>> = {
  MLMTransformer: 'sparse',
  SpladePooling: 'sparse',
  SparseAutoEncoder: 'sparse',
  SparseStaticEmbedding: 'sparse',
  CSRSparsity: 'sparse',
  IDF: 'sparse',
  MultiVectorMask: 'multi-vector',
  LogitScore: 'reranker',
};

/** After one of these modules, a text is one vector. */
const vectorModules = new Set(['Pooling', 'StaticEmbedding', 'CLIPModel', 'BoW']);

/**
 * The kind of a model that is one transformer, by `module_output_name` in its
 * sentence_bert_config.json (sentence-transformers 5.4).
 */
const kindsByOutput: Readonly<Record<string, EmbeddingKind>> = {
  sentence_embedding: 'dense',
  scores: 'reranker',
};

/** Architectures for text and image. Their own projection makes the vector. */
const twoTowers = new Set(['clip', 'chinese_clip', 'siglip', 'siglip2', 'metaclip_2']);

/**
 * Whether the network itself projects text and image into one space, as CLIP and similar models do.
 */
export function isTwoTower(view: ModelView, directory: string): boolean {
  return twoTowers.has(textOf(documentOf(view, inDirectory(directory, 'config.json'))?.model_type) ?? '');
}

/** Whether these are static word vectors of model2vec, which may lack a modules.json. */
export function isModel2Vec(view: ModelView): boolean {
  return documentOf(view, 'config.json')?.model_type === 'model2vec';
}

/**
 * The kind of a model. The first of these that says it counts: the library's config, the modules,
 * the architecture that the weights were saved as. `unknown` where a loader would have to guess (a
 * bare language model), or runs code of the model.
 */
export function kindOf(view: ModelView, modules: readonly Module[] | undefined, base: string): EmbeddingKind {
  const library = documentOf(view, libraryConfigName);
  const said = textOf(library?.model_type) ?? '';
  if (Object.hasOwn(kindsByLibrary, said)) return kindsByLibrary[said] ?? 'unknown';
  if (/maxsim$/i.test(textOf(library?.similarity_fn_name) ?? '')) return 'multi-vector';
  return modules === undefined ? kindByArchitecture(view) : kindByModules(view, modules, base);
}

function kindByModules(view: ModelView, modules: readonly Module[], base: string): EmbeddingKind {
  const all = everyModule(modules);
  for (const { kind, type } of all) {
    if (Object.hasOwn(kindsByModule, kind)) return kindsByModule[kind] ?? 'unknown';
    if (type.startsWith('pylate.')) return 'multi-vector';
  }
  if (all.some(({ kind }) => vectorModules.has(kind))) return 'dense';
  if (!all.some(isNetwork)) return 'unknown';
  if (isTwoTower(view, base)) return 'dense';
  const path = transformerConfigPath(view, base);
  const output = textOf(path === undefined ? undefined : documentOf(view, path)?.module_output_name) ?? '';
  return (Object.hasOwn(kindsByOutput, output) ? kindsByOutput[output] : undefined) ?? 'unknown';
}

/**
 * A class named `…Model` is a network without a head. Libraries make one vector of its output by
 * pooling.
 */
function kindByArchitecture(view: ModelView): EmbeddingKind {
  const adapter = documentOf(view, 'adapter_config.json');
  const config = documentOf(view, 'config.json');
  if (config === undefined) {
    if (adapter?.task_type === 'SEQ_CLS') return 'reranker';
    return adapter?.task_type === 'FEATURE_EXTRACTION' ? 'dense' : 'unknown';
  }
  const architecture = [config.architectures].flat().find((name) => typeof name === 'string') ?? '';
  if (architecture === 'HF_ColBERT' || architecture.endsWith('ForRetrieval')) return 'multi-vector';
  const scores = isObject(config.sentence_transformers) || config.sbert_ce_default_activation_function !== undefined;
  if (architecture.endsWith('ForSequenceClassification') || scores) return 'reranker';
  if (architecture === '' || architecture.endsWith('Model') || isTwoTower(view, '')) return 'dense';
  return 'unknown';
}
