import { posix } from 'node:path';
import { isObject } from '../contract/json-values.ts';
import { jsonPath } from '../contract/problems-of.ts';
import { isShard, isShardIndex } from './file-kinds.ts';
import type { Finding, Findings } from './findings.ts';
import type { ModelView } from './model-view.ts';

/**
 * Checks sharded models. `model.safetensors.index.json` maps each tensor to the file beside it that
 * holds it (`weight_map`, written by huggingface_hub's `split_torch_state_dict_into_shards`).
 */
export function checkShards(view: ModelView, findings: Findings): void {
  const indexed = new Set<string>();
  for (const path of view.files.keys()) {
    if (isShardIndex(path)) for (const shard of checkIndex(view, path, findings)) indexed.add(shard);
  }
  const stray = [...view.files.keys()].filter((path) => isShard(path) && !indexed.has(path));
  const anyBroken = [...view.broken].some(isShardIndex);
  if (anyBroken) return;
  findings.errors(
    stray.map((path) => ({
      in: path,
      message: 'is a shard that no index names',
      hint: 'Add its model.safetensors.index.json, or leave the shard out by "exclude".',
    })),
  );
}

/** Checks one index. Returns the paths of the shards that it names. */
function checkIndex(view: ModelView, path: string, findings: Findings): Set<string> {
  const document = view.documents.get(path);
  if (document === undefined) return new Set();
  const weightMap = isObject(document) ? document.weight_map : undefined;
  if (!isObject(weightMap) || !Object.values(weightMap).every((value) => typeof value === 'string')) {
    findings.error({
      in: path,
      at: '$.weight_map',
      message: 'must map names of tensors to names of files',
      hint: 'Save the model again: save_pretrained writes shards and index together.',
    });
    return new Set();
  }
  const fileOf = new Map(Object.entries(weightMap as Readonly<Record<string, string>>));
  const directory = posix.dirname(path);
  const shards = new Map([...new Set(fileOf.values())].map((name) => [name, posix.join(directory, name)]));
  reportMissingShards(view, path, shards, findings);
  reportTensors(view, path, fileOf, shards, findings);
  const whole = path.replace(/\.index\.json$/, '');
  if (view.files.has(whole)) {
    findings.error({
      in: path,
      message: `stands beside ${posix.basename(whole)}: some loaders take the one, some the other`,
      hint: `Leave ${JSON.stringify(whole)} out by "exclude", or the index and all its shards.`,
    });
  }
  return new Set(shards.values());
}

function reportMissingShards(
  view: ModelView,
  index: string,
  shards: ReadonlyMap<string, string>,
  findings: Findings,
): void {
  findings.errors(
    [...shards].flatMap(([name, shard]) =>
      view.files.has(shard)
        ? []
        : [
            {
              in: index,
              at: '$.weight_map',
              message: `names ${JSON.stringify(name)}, which is missing`,
              hint: 'Add the shard, or correct "include" or "exclude" in release.json.',
            },
          ],
    ),
  );
}

/**
 * Reports tensors that the index places in the wrong shard, that it doesn't list, and that are in
 * two shards.
 */
function reportTensors(
  view: ModelView,
  index: string,
  fileOf: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, string>,
  findings: Findings,
): void {
  const absent: Finding[] = [];
  const held = new Map<string, string[]>();
  for (const [name, shard] of shards) {
    for (const tensor of view.weights.get(shard)?.tensors ?? []) {
      const holders = held.get(tensor.name);
      if (holders === undefined) held.set(tensor.name, [name]);
      else holders.push(name);
    }
  }
  const again = 'Save the model again: save_pretrained writes shards and index together.';
  for (const [tensor, name] of fileOf) {
    // A missing or broken shard is reported elsewhere.
    if (!view.weights.has(shards.get(name) ?? '') || held.get(tensor)?.includes(name)) continue;
    const message = `${name} doesn't hold this tensor`;
    absent.push({ in: index, at: jsonPath(['weight_map', tensor]), message, hint: again });
  }
  const extra: Finding[] = [];
  const doubled: Finding[] = [];
  for (const [tensor, holders] of held) {
    if (holders.length > 1) {
      const message = `the tensor stands in ${holders.join(' and ')}`;
      doubled.push({ in: index, at: jsonPath(['weight_map', tensor]), message, hint: again });
    } else if (!fileOf.has(tensor)) {
      const message = `doesn't name the tensor ${JSON.stringify(tensor)} of ${holders[0]}`;
      extra.push({ in: index, at: '$.weight_map', message, hint: again });
    }
  }
  findings.errors(absent);
  findings.errors(extra);
  findings.errors(doubled);
}
