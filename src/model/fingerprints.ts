import type { PackedArchive } from '../archive/pack-archive.ts';
import { canonicalJson } from '../contract/canonical-json.ts';
import type { IndexedFile } from '../contract/chunk-index.ts';
import type { ManifestWeights } from '../contract/manifest.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { ModelFacts, RenditionFacts } from './facts.ts';
import { weightsFingerprints } from './weights-fingerprint.ts';

/** The five parts that decide which vectors a model makes, in the manifest's order. */
export const fingerprintNames = ['weights', 'layout', 'tokenizer', 'pooling', 'architecture'] as const;
export type FingerprintName = (typeof fingerprintNames)[number];
export type ModelFingerprints = { readonly [name in FingerprintName]: Sha256 | null };

/**
 * The fingerprints of a packed model with its default weights, and what the manifest says about
 * each rendition. A rendition's embedding space is the digest of its own five fingerprints. Null
 * stands for a part that the model doesn't have.
 *
 * Fingerprints describe what the model does, not its bytes: docs/spaces.md says what counts.
 */
export function fingerprintsOf(
  facts: ModelFacts,
  packed: Pick<PackedArchive, 'files' | 'tensors'>,
): { readonly fingerprints: ModelFingerprints; readonly weights: readonly ManifestWeights[] } {
  const files = new Map(packed.files.map((file) => [file.path, file]));
  const fileOf = (path: string): IndexedFile => {
    const file = files.get(path);
    // Facts and packed files come from one list. If they ever don't, stop: a fingerprint without
    // this file would call different models equal.
    if (file === undefined) throw new Error(`${path} was inspected but not packed`);
    return file;
  };
  const renditions = facts.weights.map((rendition) => {
    const fingerprints: ModelFingerprints = {
      ...weightsFingerprints(rendition.loaded, packed.tensors),
      ...describedFingerprints(facts, rendition, (path) => fileOf(path).sha256),
    };
    const { path, format, files, tensors } = rendition;
    const entry = {
      ...{ path, format, files: [...files] },
      ...(rendition.default ? { default: true as const } : {}),
      size_bytes: files.reduce((sum, file) => sum + fileOf(file).size_bytes, 0),
      ...{ tensors: tensors.count, parameters: tensors.parameters, dtypes: { ...tensors.dtypes } },
      space: spaceOf(fingerprints),
    };
    return { fingerprints, entry };
  });
  const chosen = renditions.find(({ entry }) => entry.default === true);
  if (chosen === undefined) throw new Error('the gate let a model without default weights pass');
  return { fingerprints: chosen.fingerprints, weights: renditions.map(({ entry }) => entry) };
}

/**
 * The rendition that is installed where none is named. Only a model that the gate refuses has none.
 */
export function defaultWeights<T extends { readonly default?: true | undefined }>(
  weights: readonly T[] | undefined,
): T | undefined {
  return weights?.find((one) => one.default);
}

/**
 * The fingerprints that are made of configs, tokenizer and code, without the weights. `digestOf`:
 * sha256 of a file of the model.
 */
export function describedFingerprints(
  facts: ModelFacts,
  rendition: RenditionFacts | undefined,
  digestOf: (path: string) => Sha256,
): Pick<ModelFingerprints, 'tokenizer' | 'pooling' | 'architecture'> {
  const { architecture = null, tokenizer: inWeights } = rendition ?? {};
  const code = facts.code_files.map((path) => ({ path, sha256: digestOf(path) }));
  const { described, files, texts } = facts.tokenizer;
  const inFiles = Object.entries(files).map(([what, path]) => [what, digestOf(path)]);
  const contents = { ...texts, ...Object.fromEntries(inFiles) };
  return {
    // Loaders of GGUF use the tokenizer in the file, or the model's own. So both count.
    tokenizer:
      described === null && inWeights === undefined
        ? null
        : sha256(canonicalJson({ described, contents, in_weights: inWeights })),
    pooling: facts.pooling,
    // Code that a loader runs describes the network just as config.json does.
    architecture: code.length === 0 ? architecture : sha256(canonicalJson({ config: architecture, code })),
  };
}

/** The embedding space. Vectors of two models may be compared only if it is equal. */
function spaceOf(fingerprints: ModelFingerprints): Sha256 {
  return sha256(canonicalJson(Object.fromEntries(fingerprintNames.map((name) => [name, fingerprints[name]]))));
}
