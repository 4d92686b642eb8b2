import type { IndexedFile } from '../../contract/chunk-index.ts';
import type { Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { hashFile, type Sha256 } from '../../core/hashing.ts';
import { isOtherWeights, isSafetensors } from '../../model/file-kinds.ts';
import { defaultWeights, describedFingerprints } from '../../model/fingerprints.ts';
import { contentOf, versionProblems } from '../../model/version-rules.ts';
import { layoutByHeaders } from '../../model/weights-fingerprint.ts';
import { readWeights } from '../../weights/read-weights.ts';
import type { StagedModel } from './stage-models.ts';

/** Files above this size are read by packing alone, unless a fingerprint is made of their bytes. */
const maxSmallBytes = 16 * 1024 * 1024;

/** In the place of a digest that isn't known, of a file that can't be what it was. */
const otherContent = 'changed';

/**
 * The version rules before anything is packed, by what is known then: configs, tokenizer, the
 * tensors' names and shapes, small files, and the sizes of all. What isn't known counts as
 * unchanged, so what is told here the manifest would tell too, hours later.
 */
export async function knownVersionProblems(
  staged: StagedModel,
  place: { readonly file: string; readonly path: string },
  keepSpace: boolean,
  context: RunContext,
): Promise<readonly Problem[]> {
  const { planned, files, facts } = staged;
  const { previous } = planned;
  if (previous === null) return [];
  const published = new Map(previous.files?.map((file) => [file.path, file]));
  const counted = new Set([...Object.values(facts.tokenizer.files), ...facts.code_files]);
  const known: IndexedFile[] = [];
  for (const { path, absolutePath, sizeBytes } of files) {
    const small = sizeBytes <= maxSmallBytes && !isSafetensors(path) && !isOtherWeights(path);
    const before = published.get(path);
    const unchanged = before?.size_bytes === sizeBytes ? before.sha256 : otherContent;
    const digest =
      small || counted.has(path) ? (await hashFile(absolutePath, { signal: context.signal })).sha256 : unchanged;
    known.push({ path, size_bytes: sizeBytes, sha256: digest });
  }
  const digests = new Map(known.map((file) => [file.path, file.sha256]));
  const content = {
    ...contentOf(previous),
    weights: undefined,
    // Whether it stays is measured when the model is proved.
    space_kept: keepSpace,
    version: planned.version,
    embedding: { ...facts.embedding },
    fingerprints: {
      ...previous.fingerprints,
      ...(await layoutOf(staged)),
      ...describedFingerprints(
        facts,
        defaultWeights(facts.weights),
        (path): Sha256 => digests.get(path) ?? otherContent,
      ),
    },
    ...(previous.files === undefined ? {} : { files: known }),
  };
  return versionProblems(previous, content, place);
}

/** By the headers; nothing where these don't tell. */
async function layoutOf({ files, facts }: StagedModel): Promise<{ readonly layout?: Sha256 | null }> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const tensors = [];
  for (const { path, module } of defaultWeights(facts.weights)?.loaded ?? []) {
    const read = await readWeights(byPath.get(path)!, byPath);
    tensors.push(...(read?.tensors ?? []).map((tensor) => ({ module, ...tensor })));
  }
  const layout = layoutByHeaders(tensors);
  return layout === undefined ? {} : { layout };
}
