import { objectOf, textOf } from '../contract/json-values.ts';
import { dimensionsFact, hiddenKeys, truncateDim } from './dimensions.ts';
import type { EmbeddingFacts, RenditionFacts } from './facts.ts';
import type { Findings } from './findings.ts';
import { type EmbeddingKind, isModel2Vec, isTwoTower, kindOf } from './kind.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { isRouter, type Module } from './modules.ts';
import { statedIn } from './network-weights.ts';
import { checkOwnFacts, type OwnFacts, ownFacts } from './own-facts.ts';
import { libraryConfigName, poolingFact } from './pooling.ts';
import { maxTokensFact } from './token-limits.ts';
import { checkWrittenNumbers } from './written-numbers.ts';

/**
 * What the model's files and its default `weights` say about its vectors. Reports where they
 * contradict each other, or where a reader would have to guess.
 */
export function embeddingFacts(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
  weights: RenditionFacts | undefined,
  findings: Findings,
): EmbeddingFacts {
  const config = documentOf(view, inDirectory(base, 'config.json'));
  // Without any config, the weights file may still say it.
  const own = config === undefined && modules === undefined ? ownFacts(view.weights.get(weights?.path ?? '')) : {};
  const kind = own.kind ?? kindOf(view, modules, base);
  reportMissing(view, modules, base, kind, own, findings);
  reportForeignBase(view, base, findings);
  checkWrittenNumbers(view, base, findings);
  const whole = dimensionsFact(view, modules, findings) ?? own.width ?? null;
  const cut = truncateDim(view);
  const isCut = cut !== undefined && (whole === null || cut < whole);
  const maxTokens = maxTokensFact(view, base, kind, findings) ?? own.maxTokens ?? null;
  const pooling = poolingFact(modules, findings) ?? ownPooling(view, modules) ?? own.pooling ?? null;
  const hidden = statedIn(config, hiddenKeys);
  checkOwnFacts(view, { base, hidden, dimensions: kind === 'dense' ? whole : null, pooling, maxTokens }, findings);
  return {
    kind,
    ...(kind === 'dense'
      ? { dimensions: isCut ? cut : whole, normalized: isCut ? false : normalizedFact(view, modules) }
      : {}),
    max_tokens: maxTokens,
    pooling,
    similarity: similarityFact(view, modules, kind),
    prompts: promptFacts(view),
    default_prompt_name: defaultPrompt(view, findings),
  };
}

function reportMissing(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
  kind: EmbeddingKind,
  own: OwnFacts,
  findings: Findings,
): void {
  const config = view.files.has(inDirectory(base, 'config.json'));
  const pools = (kind === 'dense' && !isModel2Vec(view) && !isTwoTower(view, base)) || kind === 'unknown';
  if (modules === undefined && pools && own.kind === undefined && !view.files.has('modules.json')) {
    const folder = view.files.has('1_Pooling/config.json');
    findings.warning({
      message: `has no modules.json${folder ? ', which 1_Pooling belongs to' : ''}: nothing says how token vectors become one vector`,
      hint: 'Add modules.json and its folders, or correct "include" or "exclude"; without them each loader guesses the pooling.',
    });
  }
  if (!config && modules === undefined && own.width === undefined) {
    findings.warning({
      message: 'has no config.json: dimensions and token limit are unknown',
      hint: 'Add config.json, or correct "include" or "exclude".',
    });
  }
}

const commit = /^[0-9a-f]{40}$/;

/** An adapter is a few small tensors for a network that is loaded from elsewhere. */
function reportForeignBase(view: ModelView, base: string, findings: Findings): void {
  const path = inDirectory(base, 'adapter_config.json');
  const adapter = documentOf(view, path);
  const name = textOf(adapter?.base_model_name_or_path);
  if (name === undefined || commit.test(textOf(adapter?.revision) ?? '')) return;
  findings.warning({
    in: path,
    at: '$.base_model_name_or_path',
    message: `the network is loaded from ${JSON.stringify(name)}, by no fixed revision: what stands there can change under an unchanged release`,
    hint: 'Write the full commit id of the base as "revision", or merge the adapter (model.merge_and_unload()) and save the whole model.',
  });
}

function normalizedFact(view: ModelView, modules: readonly Module[] | undefined): boolean | null {
  if (modules === undefined) return isModel2Vec(view) ? documentOf(view, 'config.json')?.normalize === true : null;
  if (modules.some(isRouter)) return null;
  const last = modules.findLastIndex(({ kind }) => kind === 'Normalize');
  const behind = modules.slice(last + 1);
  // Code of the model may do anything to the length of a vector.
  if (behind.some(({ custom }) => custom !== undefined)) return null;
  return last !== -1 && behind.every(({ kind }) => kind === 'Dropout');
}

/**
 * The similarity that the config names, or the library's default for this kind of model. A
 * reranker's scores are not compared.
 */
function similarityFact(view: ModelView, modules: readonly Module[] | undefined, kind: EmbeddingKind): string | null {
  const library = documentOf(view, libraryConfigName);
  const said = textOf(library?.similarity_fn_name)?.toLowerCase();
  if (kind === 'reranker') return null;
  if (kind === 'multi-vector') return said?.endsWith('maxsim') ? said : 'maxsim';
  if (library === undefined && modules === undefined) return null;
  return said ?? (kind === 'sparse' ? 'dot' : 'cosine');
}

/**
 * The pooling of models without a Pooling module: word vectors are averaged, SPLADE takes the
 * maximum or the sum.
 */
function ownPooling(view: ModelView, modules: readonly Module[] | undefined): string | null {
  const splade = modules?.find(({ kind }) => kind === 'SpladePooling');
  if (splade !== undefined) return textOf(splade.config.pooling_strategy) ?? 'max';
  const isStatic = modules === undefined ? isModel2Vec(view) : modules[0]?.kind === 'StaticEmbedding';
  return isStatic ? 'mean' : null;
}

/** PyLate writes its markers before the prompts of the same name. */
function promptFacts(view: ModelView): Readonly<Record<string, string>> {
  const config = documentOf(view, libraryConfigName);
  const prompts = new Map<string, string>();
  for (const [name, text] of Object.entries(objectOf(config?.prompts))) {
    if (typeof text === 'string') prompts.set(name, text);
  }
  for (const name of ['query', 'document']) {
    const marker = textOf(config?.[`${name}_prefix`]) ?? '';
    if (marker !== '') prompts.set(name, marker + (prompts.get(name) ?? ''));
  }
  return Object.fromEntries(prompts);
}

function defaultPrompt(view: ModelView, findings: Findings): string | null {
  const config = documentOf(view, libraryConfigName);
  const name = textOf(config?.default_prompt_name);
  if (name === undefined) return null;
  if (Object.hasOwn(objectOf(config?.prompts), name)) return name;
  findings.error({
    in: libraryConfigName,
    at: '$.default_prompt_name',
    message: `names the prompt ${JSON.stringify(name)}, which "prompts" doesn't have`,
    hint: 'Add the prompt, or remove "default_prompt_name".',
  });
  return null;
}
