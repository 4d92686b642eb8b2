import { isObject, objectOf } from '../contract/json-values.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { Finding, Findings } from './findings.ts';
import type { ModelView } from './model-view.ts';
import type { Module } from './modules.ts';

/**
 * Finds what makes loaders run code that isn't their own: `auto_map` in a config, and classes in modules.json that
 * aren't the library's. Without `allowed` each is an error. Answers whether there is any. Python files are found by listing.
 */
export function findCodeReferences(
  view: ModelView,
  modules: readonly Module[] | undefined,
  allowed: boolean,
  findings: Findings,
): boolean {
  const references: Finding[] = [];
  const foreign: Finding[] = [];
  for (const [path, document] of view.documents) {
    if (!isObject(document) || document.auto_map === undefined) continue;
    references.push({ in: path, at: '$.auto_map', message: 'makes loaders run code of the model', hint });
    for (const [name, reference] of Object.entries(objectOf(document.auto_map))) {
      const repository = [reference].flat().find((value) => typeof value === 'string' && value.includes('--'));
      if (typeof repository !== 'string') continue;
      foreign.push({
        in: path,
        at: jsonPath(['auto_map', name]),
        message: `runs code of the repository ${repository.split('--')[0]}, which can change under an unchanged release`,
        hint: 'Copy the code into the model, and name it without a repository.',
      });
    }
  }
  for (const { custom, at } of modules ?? []) {
    if (custom === undefined) continue;
    references.push({
      in: 'modules.json',
      at: `${at}.type`,
      message: `names ${custom}, which is code of the model`,
      hint,
    });
  }
  if (allowed) findings.warnings(foreign);
  else findings.errors(references);
  return references.length > 0;
}

const hint = 'Release a model without code of its own, or set "allow_code": true, and the manifest will say so.';
