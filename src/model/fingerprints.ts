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
 * Fingerprints of a packed model with its default weights, and what the manifest says of each
 * rendition; a rendition's embedding space is the digest of its five fingerprints. Null stands for
 * a part that the model doesn't have. They are of what the model does, not of its bytes;
 * docs/spaces.md says what counts.
 */
export function fingerprintsOf(
  facts: ModelFacts,
  packed: Pick<PackedArchive, 'files' | 'tensors'>,
): { readonly fingerprints: ModelFingerprints; readonly weights: readonly ManifestWeights[] } {
  const files = new Map(packed.files.map((file) => [file.path, file]));
  const fileOf = (path: string): IndexedFile => {
    const file = files.get(path);
    // Facts and packed files come from one list; if they don't, a fingerprint that leaves a file
    // out would call different models equal.
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
 * The rendition that is installed where none is asked for. Only a model that the gate refuses has
 * none.
 */
export function defaultWeights<T extends { readonly default?: true | undefined }>(
  weights: readonly T[] | undefined,
): T | undefined {
  return weights?.find((one) => one.default);
}

/**
 * Those that configs, tokenizer and code make, without the weights. `digestOf`: sha256 of a file of
 * the model.
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
    // Loaders of GGUF take the tokenizer that is in it, or the model's.
    tokenizer:
      described === null && inWeights === undefined
        ? null
        : sha256(canonicalJson({ described, contents, in_weights: inWeights })),
    pooling: facts.pooling,
    // Code that a loader runs makes the network as much as config.json does.
    architecture: code.length === 0 ? architecture : sha256(canonicalJson({ config: architecture, code })),
  };
}

/** The embedding space: vectors of two models may be compared if this is equal. */
function spaceOf(fingerprints: ModelFingerprints): Sha256 {
  return sha256(canonicalJson(Object.fromEntries(fingerprintNames.map((name) => [name, fingerprints[name]]))));
}
