import type { PackedArchive } from '../archive/pack-archive.ts';
import { canonicalJson } from '../contract/canonical-json.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { ModelFacts } from './facts.ts';
import { weightsFingerprints } from './weights-fingerprint.ts';

/** The five parts that decide which vectors a model makes, in the manifest's order. */
export const fingerprintNames = ['weights', 'layout', 'tokenizer', 'pooling', 'architecture'] as const;
export type FingerprintName = (typeof fingerprintNames)[number];
export type ModelFingerprints = { readonly [name in FingerprintName]: Sha256 | null };

/**
 * Fingerprints of a packed model, and its embedding space, which is the digest of the five. Null stands for a part that the model
 * doesn't have. They are of what the model does, not of its bytes; docs/spaces.md says what counts.
 */
export function fingerprintsOf(
  facts: ModelFacts,
  packed: Pick<PackedArchive, 'files' | 'tensors'>,
): { readonly fingerprints: ModelFingerprints; readonly space: Sha256 } {
  const digests = new Map(packed.files.map((file) => [file.path, file.sha256]));
  const digestOf = (path: string): Sha256 => {
    const digest = digests.get(path);
    // Facts and packed files come from one list; if they don't, a fingerprint that leaves a file out would call different models equal.
    if (digest === undefined) throw new Error(`${path} was inspected but not packed`);
    return digest;
  };
  const fingerprints: ModelFingerprints = {
    ...weightsFingerprints(facts.weights, packed.tensors),
    ...describedFingerprints(facts, digestOf),
  };
  return { fingerprints, space: spaceOf(fingerprints) };
}

/** Those that configs, tokenizer and code make, without the weights. `digestOf`: sha256 of a file of the model. */
export function describedFingerprints(
  facts: ModelFacts,
  digestOf: (path: string) => Sha256,
): Pick<ModelFingerprints, 'tokenizer' | 'pooling' | 'architecture'> {
  const code = facts.code_files.map((path) => ({ path, sha256: digestOf(path) }));
  const { described, files, texts } = facts.tokenizer;
  const inFiles = Object.entries(files).map(([what, path]) => [what, digestOf(path)]);
  const contents = { ...texts, ...Object.fromEntries(inFiles) };
  return {
    tokenizer: described === null ? null : sha256(canonicalJson({ described, contents })),
    pooling: facts.pooling,
    // Code that a loader runs makes the network as much as config.json does.
    architecture: code.length === 0 ? facts.architecture : sha256(canonicalJson({ config: facts.architecture, code })),
  };
}

/** The embedding space: vectors of two models may be compared if this is equal. */
function spaceOf(fingerprints: ModelFingerprints): Sha256 {
  return sha256(canonicalJson(Object.fromEntries(fingerprintNames.map((name) => [name, fingerprints[name]]))));
}
