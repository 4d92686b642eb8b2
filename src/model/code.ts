import { isObject, objectOf } from '../contract/json-values.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { Finding, Findings } from './findings.ts';
import { documentOf, type ModelView } from './model-view.ts';
import { everyModule, isLibraryClass, type Module } from './modules.ts';
import { libraryConfigName } from './pooling.ts';

const hint = 'Release a model without code of its own, or set "allow_code": true, and the manifest will say so.';

/**
 * Finds everything that makes a loader run code of the model: `auto_map` in a config, and classes
 * that no known library has, named in modules.json, in a router's config or in a module's. Each is
 * an error unless `allowed`. Returns whether there is any.
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
    // Loaders look for `auto_map` in config.json, tokenizer_config.json, preprocessor_config.json
    // and the like.
    if (!path.endsWith('config.json') || !isObject(document)) continue;
    const { auto_map: map } = document;
    const classes = isObject(map) ? Object.entries(map) : [map].flat().map((name) => ['', name] as const);
    const named = classes.filter(([, reference]) => [reference].flat().some((name) => typeof name === 'string'));
    if (named.length === 0) continue;
    references.push({ in: path, at: '$.auto_map', message: 'makes loaders run code of the model', hint });
    for (const [name, reference] of named) {
      const repository = [reference].flat().find((value) => typeof value === 'string' && value.includes('--'));
      if (typeof repository !== 'string') continue;
      foreign.push({
        in: path,
        at: name === '' ? '$.auto_map' : jsonPath(['auto_map', name]),
        message: `runs code of the repository ${repository.split('--')[0]}, which can change under an unchanged release`,
        hint: 'Copy the code into the model, and name it without a repository.',
      });
    }
  }
  for (const { file, at, type } of classesOf(view, modules)) {
    if (isLibraryClass(type)) continue;
    references.push({ in: file, at, message: `names ${type}, which is code of the model`, hint });
  }
  if (allowed) findings.warnings(foreign);
  else findings.errors(references);
  return references.length > 0;
}

/** The key in a module's config that names a class, by kind of module. */
const classKeys: Readonly<Record<string, string>> = { Dense: 'activation_function', WordEmbeddings: 'tokenizer_class' };

interface NamedClass {
  readonly file: string;
  readonly at: string;
  readonly type: string;
}

/** All classes that sentence-transformers imports because a config names them. */
function classesOf(view: ModelView, modules: readonly Module[] | undefined): readonly NamedClass[] {
  const found: NamedClass[] = [];
  const add = (file: string, at: string, type: unknown): void => {
    if (typeof type === 'string') found.push({ file, at, type });
  };
  for (const module of everyModule(modules ?? [])) {
    const inRouter = module.file !== 'modules.json';
    add(module.file, inRouter ? module.at : `${module.at}.type`, module.type);
    const key = classKeys[module.kind];
    if (key !== undefined) add(module.configPath, `$.${key}`, module.config[key]);
  }
  const config = documentOf(view, 'config.json');
  const cross = objectOf(config?.sentence_transformers);
  add('config.json', '$.sentence_transformers.activation_fn', cross.activation_fn);
  add('config.json', '$.sbert_ce_default_activation_function', config?.sbert_ce_default_activation_function);
  add(libraryConfigName, '$.activation_fn', documentOf(view, libraryConfigName)?.activation_fn);
  return found;
}
