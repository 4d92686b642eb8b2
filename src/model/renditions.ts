import { compareBytes } from '../contract/names.ts';
import type { GgufFile } from '../weights/read-gguf.ts';
import type { OnnxFile } from '../weights/read-onnx.ts';
import { architectureOf } from './architecture.ts';
import type { RenditionFacts } from './facts.ts';
import { shardIndexOf } from './file-kinds.ts';
import type { Finding, Findings } from './findings.ts';
import { ggufArchitecture, ggufParts, ggufTokenizer } from './gguf.ts';
import type { ModelView } from './model-view.ts';
import { isOfFirstModule, type LoadedWeights, loadedWeights, type ModulePlace } from './module-files.ts';
import { countTensors, tensorsIn } from './weights.ts';

/** A rendition's own weights, before those of the later modules are added. */
type Candidate = Pick<RenditionFacts, 'path' | 'format' | 'loaded'>;

/** `default_weights` of release.json, and its place there for messages. */
export interface NamedDefault {
  readonly path: string | undefined;
  readonly place: Pick<Finding, 'file' | 'at'>;
}

/**
 * The renditions of a model's weights: what its modules load, every ONNX and GGUF file, and what
 * release.json names as the default. The weights of the modules after the first (Dense) belong to
 * each of them. Any other safetensors (an adapter in another folder, spare layers, copies in
 * another precision) are ordinary files.
 *
 * The default is the first of these that applies: the one that release.json names, what the modules
 * load, the only rendition. If none applies, an error lists the renditions.
 */
export function renditionsOf(
  view: ModelView,
  places: readonly ModulePlace[],
  base: string,
  named: NamedDefault,
  findings: Findings,
): readonly RenditionFacts[] {
  const loaded = loadedWeights(view, places, findings);
  const behind = loaded.filter((weights) => !isOfFirstModule(weights));
  const byModules = candidateOf(view, loaded.filter(isOfFirstModule));
  const others = looseWeights(view, loaded);
  const candidates = [byModules ?? [], ...onnxCandidates(view), ...ggufCandidates(view, findings)].flat();
  candidates.push(...others.filter(({ path }) => path === named.path));
  // Bag-of-words models have no network before the dense layers, so these layers are all the
  // weights.
  if (candidates.length === 0 && behind.length > 0) candidates.push(candidateOf(view, behind)!);
  if (candidates.length === 0) candidates.push(...others);
  const chosen = chooseDefault(candidates, byModules, named, others, findings);
  return candidates
    .map((candidate) => ({
      ...renditionFrom(view, base, candidate, behind),
      ...(candidate === chosen ? { default: true as const } : {}),
    }))
    .sort((a, b) => compareBytes(a.path, b.path));
}

function onnxCandidates(view: ModelView): readonly Candidate[] {
  const paths = [...view.weights].flatMap(([path, { format }]) => (format === 'onnx' ? [path] : []));
  return paths.map((path) => ({ path, format: 'onnx', loaded: [{ path, module: '0' }] }));
}

function ggufCandidates(view: ModelView, findings: Findings): readonly Candidate[] {
  return ggufParts(view, findings).map(([path, parts]) => ({
    ...{ path, format: 'gguf' as const },
    loaded: parts.map((part) => ({ path: part, module: '0' })),
  }));
}

/**
 * These safetensors as a candidate. Its path is what a loader is given: the index of shards, else
 * the first file.
 */
function candidateOf(view: ModelView, loaded: readonly LoadedWeights[]): Candidate | undefined {
  const [first] = loaded;
  return first && { path: loadedBy(view, first.path), format: 'safetensors', loaded };
}

function loadedBy(view: ModelView, path: string): string {
  const index = shardIndexOf(path);
  return index !== undefined && view.files.has(index) ? index : path;
}

/** Safetensors that no module loads. Shards of one index count as one. */
function looseWeights(view: ModelView, loaded: readonly LoadedWeights[]): readonly Candidate[] {
  const taken = new Set(loaded.map(({ path }) => path));
  const groups = new Map<string, LoadedWeights[]>();
  for (const [path, { format }] of view.weights) {
    if (format !== 'safetensors' || taken.has(path)) continue;
    const group = groups.get(loadedBy(view, path)) ?? [];
    groups.set(loadedBy(view, path), group);
    group.push({ path, module: '0' });
  }
  return [...groups.values()].flatMap((group) => candidateOf(view, group) ?? []);
}

function chooseDefault(
  candidates: readonly Candidate[],
  byModules: Candidate | undefined,
  named: NamedDefault,
  others: readonly Candidate[],
  findings: Findings,
): Candidate | undefined {
  const chosen =
    named.path === undefined
      ? (byModules ?? (candidates.length === 1 ? candidates[0] : undefined))
      : candidates.find(({ path }) => path === named.path);
  if (chosen !== undefined) return chosen;
  const paths = [...new Set([...candidates, ...others].map(({ path }) => path))].sort(compareBytes);
  // A model without any weights has an error of its own.
  if (paths.length === 0) return undefined;
  findings.error({
    ...named.place,
    message:
      named.path === undefined
        ? `has several weights, and no module says which one is meant: ${paths.join(', ')}`
        : `names ${JSON.stringify(named.path)}, which is none of the model's weights: ${paths.join(', ')}`,
    hint: 'Write the path of the weights that are installed where none are asked for as "default_weights".',
  });
  return undefined;
}

function renditionFrom(
  view: ModelView,
  base: string,
  candidate: Candidate,
  behind: readonly LoadedWeights[],
): RenditionFacts {
  const { path, format } = candidate;
  const loaded = [...new Set([...candidate.loaded, ...behind])];
  const read = loaded.map((weights) => view.weights.get(weights.path)!);
  const files = new Set([path, ...loaded.flatMap((weights) => [weights.path, loadedBy(view, weights.path)])]);
  for (const { tensors } of read) for (const { file } of tensors) files.add(file);
  const tensors = countTensors(read.flatMap(tensorsIn));
  const own = view.weights.get(candidate.loaded[0]?.path ?? path)!;
  return {
    ...{ path, format, files: [...files].sort(compareBytes), loaded, tensors },
    ...(own.format === 'safetensors'
      ? { architecture: architectureOf(view, base, Object.keys(tensors.dtypes)) }
      : ownDescription(own)),
  };
}

/**
 * The description of the network in an ONNX or GGUF file. Runtimes for these read no config.json
 * for it.
 */
function ownDescription(file: OnnxFile | GgufFile): Pick<RenditionFacts, 'architecture' | 'tokenizer' | 'graph'> {
  if (file.format === 'gguf') return { architecture: ggufArchitecture(file), tokenizer: ggufTokenizer(file) };
  const { graph, opsets, inputs, outputs } = file;
  return { architecture: graph, graph: { opsets, inputs, outputs } };
}
