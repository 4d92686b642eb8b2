import { canonicalJson } from '../contract/canonical-json.ts';
import { type ChunkIndex, type IndexedFile, structure } from '../contract/chunk-index.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { ModelFacts } from './facts.ts';

/** The five parts that decide which vectors a model makes, in the manifest's order. */
export const fingerprintNames = ['weights', 'layout', 'tokenizer', 'pooling', 'architecture'] as const;
export type FingerprintName = (typeof fingerprintNames)[number];
export type ModelFingerprints = { readonly [name in FingerprintName]: Sha256 | null };

/**
 * Fingerprints of a packed model, and its embedding space, which is the digest of the five. Null stands for a part that the model
 * doesn't have. `files` and `index` are those that packing answered with.
 *
 * - `weights`: digests of all tensor-data chunks, in archive order
 * - `layout`: names, dtypes and shapes of all tensors
 * - `tokenizer`: path and digest of the tokenizer's files
 * - `pooling`: what modules.json, the modules' configs and the library's own configs say
 * - `architecture`: config.json without the fields that change no vector (`ignoredFields`), and the digests of code
 */
export function fingerprintsOf(
  facts: ModelFacts,
  files: readonly IndexedFile[],
  index: ChunkIndex,
): { readonly fingerprints: ModelFingerprints; readonly space: Sha256 } {
  const digests = new Map(files.map((file) => [file.path, file.sha256]));
  const code = digestsOf(facts.codeFiles, digests);
  const fingerprints: ModelFingerprints = {
    weights: digestOf(tensorChunks(facts, index)),
    layout: facts.layout,
    tokenizer: digestOf(digestsOf(facts.tokenizerFiles, digests)),
    pooling: facts.pooling,
    // Code that a loader runs makes the network as much as config.json does.
    architecture: code.length === 0 ? facts.architecture : sha256(canonicalJson({ config: facts.architecture, code })),
  };
  return { fingerprints, space: spaceOf(fingerprints) };
}

/** The embedding space: vectors of two models may be compared if this is equal. */
export function spaceOf(fingerprints: ModelFingerprints): Sha256 {
  return sha256(canonicalJson(Object.fromEntries(fingerprintNames.map((name) => [name, fingerprints[name]]))));
}

function tensorChunks(facts: ModelFacts, index: ChunkIndex): Sha256[] {
  const dataStart = new Map(facts.weightFiles.map(({ path, headerBytes }) => [path, headerBytes]));
  const starts = index.files.map(({ path }) => dataStart.get(path));
  return index.chunks.flatMap(([, , fileNumber, fileOffset, , digest]) => {
    const start = fileNumber === structure ? undefined : starts[fileNumber];
    return start !== undefined && fileOffset >= start ? [digest] : [];
  });
}

function digestsOf(paths: readonly string[], digests: ReadonlyMap<string, Sha256>): { path: string; sha256: Sha256 }[] {
  return paths.map((path) => {
    const digest = digests.get(path);
    // Facts and packed files come from one list; if they don't, a fingerprint that leaves a file out would call different models equal.
    if (digest === undefined) throw new Error(`${path} was inspected but not packed`);
    return { path, sha256: digest };
  });
}

function digestOf(parts: readonly unknown[]): Sha256 | null {
  return parts.length === 0 ? null : sha256(canonicalJson(parts));
}
