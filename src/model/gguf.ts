import { posix } from 'node:path';
import { canonicalJson } from '../contract/canonical-json.ts';
import { compareBytes } from '../contract/names.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { GgufFile } from '../weights/read-gguf.ts';
import type { Findings } from './findings.ts';
import type { ModelView } from './model-view.ts';

/** The name of one part of a split file, as `llama-gguf-split` writes it. */
const partName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * The GGUF files that a loader can be given, each with all its parts in order. Reports missing
 * parts.
 */
export function ggufParts(view: ModelView, findings: Findings): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>();
  for (const [path, { format }] of view.weights) {
    if (format !== 'gguf') continue;
    const [, stem, , count] = partName.exec(path) ?? [];
    const first = stem === undefined ? path : `${stem}-00001-of-${count}.gguf`;
    groups.set(first, [...(groups.get(first) ?? []), path]);
  }
  return [...groups].filter(([first, parts]) => {
    const count = Number(partName.exec(first)?.[3] ?? 1);
    if (parts.length === count && parts[0] === first) return true;
    // A part that can't be read is reported elsewhere.
    if (![...view.broken].some((path) => partName.exec(path)?.[1] === partName.exec(first)?.[1])) {
      findings.error({
        in: first,
        message: `is in ${count} parts, of which ${parts.length} are released: ${parts.map((path) => posix.basename(path)).join(', ')}`,
        hint: 'Add the missing parts, or correct "include" or "exclude" in release.json.',
      });
    }
    return false;
  });
}

/**
 * Of the keys under `general.`, only these two decide how the tensors are read. The others name,
 * date and describe the file.
 */
const general = new Set(['general.architecture', 'general.quantization_version']);

/** Keys that say how the file was quantised or split: no loader needs them. */
const ignored = /^(?:split|quantize)\./;

const isTokenizer = (key: string): boolean => key.startsWith('tokenizer.');

/** Digest of what the file's metadata say about the network. */
export function ggufArchitecture({ metadata }: GgufFile): Sha256 {
  return digestOf(
    metadata,
    (key) => !isTokenizer(key) && (general.has(key) || !(key.startsWith('general.') || ignored.test(key))),
  );
}

/** Digest of what the file's metadata say about the tokenizer. */
export function ggufTokenizer({ metadata }: GgufFile): Sha256 {
  return digestOf(metadata, isTokenizer);
}

function digestOf(metadata: GgufFile['metadata'], counts: (key: string) => boolean): Sha256 {
  const said = [...metadata].filter(([key]) => counts(key)).map(([key, value]) => [key, value.sha256] as const);
  return sha256(canonicalJson(said.sort(([a], [b]) => compareBytes(a, b))));
}
