import { posix } from 'node:path';
import { objectOf } from '../contract/json-values.ts';
import { isSafetensors, isShard } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import type { Module } from './modules.ts';

/** A folder that a module loads its files from. */
export interface ModulePlace {
  /**
   * The module's position in modules.json: `0`. For a part of a router, its folder follows:
   * `0/query_0_Transformer`.
   */
  readonly key: string;
  readonly directory: string;
  readonly kind: string;
  readonly custom: boolean;
}

/**
 * The folders of a model's modules, in order; a router is followed by its parts. A model without
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
  /** The `key` of the module's place. */
  readonly module: string;
}

/**
 * Whether the first module, or a part of it, loads them. The first module is nearly always the
 * network.
 */
export function isOfFirstModule({ module }: LoadedWeights): boolean {
  return module.split('/')[0] === '0';
}

/**
 * The safetensors files that the modules load. In each folder that is model.safetensors, or the
 * shards that its index names, and an adapter's file. A folder with none of these names, or a
 * module whose class no library has, loads all safetensors in the folder. No other safetensors
 * decide a vector: those of an adapter in a folder that no module names, spare layers, copies in
 * another precision. Reports tensors that occur twice in one module.
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
  reportDuplicateTensors(view, loaded, findings);
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
 * Where a loader looks for weights in a folder: model.safetensors; else the shards that its index
 * names, even if they are missing; else all safetensors in the folder.
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
 * Two files hold a tensor of the same name, and it is chance which one a loader takes. Shards of
 * one index are checked in shards.ts.
 */
function reportDuplicateTensors(view: ModelView, loaded: readonly LoadedWeights[], findings: Findings): void {
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
