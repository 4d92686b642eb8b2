import { posix } from 'node:path';
import { objectOf } from '../contract/json-values.ts';
import { isSafetensors, isShard } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import type { Module } from './modules.ts';

/** A folder that a module loads from. */
export interface ModulePlace {
  /**
   * The module's position in modules.json, `0`; behind it, in a router, the folder of the part:
   * `0/query_0_Transformer`.
   */
  readonly key: string;
  readonly directory: string;
  readonly kind: string;
  readonly custom: boolean;
}

/**
 * The folders of a model's modules, in their order; a router's parts behind it. A model without
 * modules.json is one transformer in the model's own folder.
 */
export function modulePlaces(modules: readonly Module[] | undefined): readonly ModulePlace[] {
  if (modules === undefined) return [{ key: '0', directory: '', kind: 'Transformer', custom: false }];
  return modules.flatMap((module, position) => {
    const { directory, kind } = module;
    const place = { key: String(position), directory, kind, custom: module.custom !== undefined };
    const parts = module.routes.flat().map((part) => ({
      key: `${position}/${posix.relative(directory, part.directory)}`,
      directory: part.directory,
      kind: part.kind,
      custom: part.custom !== undefined,
    }));
    return [place, ...parts];
  });
}

/** A safetensors file that a module loads. */
export interface LoadedWeights {
  readonly path: string;
  /** `key` of the module's place. */
  readonly module: string;
}

/** Whether it is the first module, or a part of it, that loads them: mostly the network. */
export function isOfFirstModule({ module }: LoadedWeights): boolean {
  return module.split('/')[0] === '0';
}

/**
 * The safetensors files that the modules load: in each folder model.safetensors, or the shards that
 * its index names, and an adapter's; where there is none of these names, and for classes outside
 * the library, all that lie there. Others (of an adapter in a folder that no module names, spare
 * layers, copies in another precision) make no vector. Tells tensors that stand twice in one
 * module.
 */
export function loadedWeights(
  view: ModelView,
  places: readonly ModulePlace[],
  findings: Findings,
): readonly LoadedWeights[] {
  const claimed = new Map<string, string>();
  for (const place of places) {
    for (const path of weightsIn(view, place, places)) if (!claimed.has(path)) claimed.set(path, place.key);
  }
  const loaded = [...claimed].map(([path, module]) => ({ path, module }));
  reportDoubles(view, loaded, findings);
  return loaded;
}

function weightsIn(view: ModelView, { directory, custom }: ModulePlace, places: readonly ModulePlace[]): string[] {
  const all = [...view.weights.keys()].filter(isSafetensors);
  const near = all.filter((path) => posix.dirname(path) === (directory || '.'));
  if (custom) {
    const others = places.map((place) => place.directory).filter((other) => other.length > directory.length);
    return all.filter((path) => isBelow(path, directory) && !others.some((other) => isBelow(path, other)));
  }
  const paths = new Set(weightPaths(view, directory));
  if (documentOf(view, inDirectory(directory, 'adapter_config.json')) !== undefined) {
    paths.add(inDirectory(directory, 'adapter_model.safetensors'));
  }
  const found = near.filter((path) => paths.has(path));
  return found.length > 0 ? found : near;
}

/**
 * Where a loader looks for the weights in a folder: model.safetensors, else the shards that its
 * index names (whether they are there or not), else all safetensors there.
 */
export function weightPaths(view: ModelView, directory: string): readonly string[] {
  const whole = inDirectory(directory, 'model.safetensors');
  if (view.files.has(whole)) return [whole];
  const index = documentOf(view, `${whole}.index.json`);
  if (index === undefined) {
    return [...view.files.keys()].filter((path) => isSafetensors(path) && posix.dirname(path) === (directory || '.'));
  }
  return [...new Set(Object.values(objectOf(index.weight_map)))].map((name) => inDirectory(directory, String(name)));
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}

/**
 * Two files with a tensor of one name: which one a loader takes is chance. Shards of one index have
 * their own finding.
 */
function reportDoubles(view: ModelView, loaded: readonly LoadedWeights[], findings: Findings): void {
  const holders = new Map<string, string>();
  for (const { path, module } of loaded) {
    for (const { name } of view.weights.get(path)?.tensors ?? []) {
      const key = JSON.stringify([module, name]);
      const other = holders.get(key);
      if (other === undefined) {
        holders.set(key, path);
      } else if (!(isShard(path) && isShard(other))) {
        findings.error({
          in: path,
          message: `holds the tensor ${JSON.stringify(name)}, which ${other} holds too`,
          hint: 'Leave one of the two files out by "exclude".',
        });
        break;
      }
    }
  }
}
