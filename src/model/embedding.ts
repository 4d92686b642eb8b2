import { objectOf, textOf } from '../contract/json-values.ts';
import { dimensionsFact } from './dimensions.ts';
import type { EmbeddingFacts } from './facts.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { isRouter, type Module } from './modules.ts';
import { libraryConfigName, poolingFact } from './pooling.ts';
import { maxTokensFact } from './token-limits.ts';
import { checkWrittenNumbers } from './written-numbers.ts';

/** The functions of sentence-transformers, whose default is cosine. */
const defaultSimilarity = 'cosine';

/** What the model's files say about its vectors; tells where they contradict each other or leave the reader guessing. */
export function embeddingFacts(
  view: ModelView,
  modules: readonly Module[] | undefined,
  base: string,
  findings: Findings,
): EmbeddingFacts {
  if (modules === undefined && !view.broken.has('modules.json')) {
    const folder = view.files.has('1_Pooling/config.json');
    findings.warning({
      message: `has no modules.json${folder ? ', which 1_Pooling belongs to' : ''}: nothing says how token vectors become one vector`,
      hint: 'Add modules.json and its folders, or correct "include"; without them each loader guesses the pooling.',
    });
  }
  if (!view.files.has(inDirectory(base, 'config.json')) && modules === undefined) {
    findings.warning({
      message: 'has no config.json: dimensions and token limit are unknown',
      hint: 'Add config.json.',
    });
  }
  checkWrittenNumbers(view, base, findings);
  return {
    dimensions: dimensionsFact(view, modules, base, findings),
    max_tokens: maxTokensFact(view, base, findings),
    pooling: poolingFact(modules, findings),
    normalized: normalizedFact(modules),
    similarity: similarityFact(view, modules),
    prompts: promptFacts(view, findings),
  };
}

function normalizedFact(modules: readonly Module[] | undefined): boolean | null {
  if (modules === undefined || modules.some(isRouter)) return null;
  const last = modules.findLastIndex(({ kind }) => kind === 'Normalize');
  const behind = modules.slice(last + 1);
  // What other code does to the length of a vector can't be known.
  if (behind.some(({ custom }) => custom !== undefined)) return null;
  return last !== -1 && behind.every(({ kind }) => kind === 'Dropout');
}

function similarityFact(view: ModelView, modules: readonly Module[] | undefined): string | null {
  const config = documentOf(view, libraryConfigName);
  if (config === undefined && modules === undefined) return null;
  return textOf(config?.similarity_fn_name) ?? defaultSimilarity;
}

function promptFacts(view: ModelView, findings: Findings): Readonly<Record<string, string>> {
  const config = documentOf(view, libraryConfigName);
  const texts = Object.entries(objectOf(config?.prompts)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const prompts = Object.fromEntries(texts);
  const name = textOf(config?.default_prompt_name);
  if (name !== undefined && !Object.hasOwn(prompts, name)) {
    findings.error({
      in: libraryConfigName,
      at: '$.default_prompt_name',
      message: `names the prompt ${JSON.stringify(name)}, which "prompts" doesn't have`,
      hint: 'Add the prompt, or remove "default_prompt_name".',
    });
  }
  return prompts;
}
