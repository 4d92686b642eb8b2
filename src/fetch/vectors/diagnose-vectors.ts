import type { ReferenceText } from '../../contract/embed-protocol.ts';
import { cosineDistance, normDifference, normTolerance, vectorNorm } from '../../contract/vector-distance.ts';
import { plural } from '../../core/format.ts';
import type { Finding } from '../api.ts';
import {
  isCut,
  isOfLetters,
  isOfOtherPrompt,
  isShuffled,
  isSlight,
  median,
  mostOfPrecision,
  type Pair,
} from './difference-patterns.ts';

export interface Diagnosis {
  /** Of each text, in order. */
  readonly pairs: readonly Pair[];
  /** The largest; NaN where one has none. */
  readonly maxDistance: number;
  /** What is wrong, the likeliest reason first; where nothing is, what is worth a word. */
  readonly findings: readonly Finding[];
  readonly ok: boolean;
}

/**
 * Holds vectors against the reference's, and says what the pattern of the differences usually
 * means. All lists have the texts' order and length. `tolerance`: largest distance that counts as
 * equal.
 */
export function diagnoseVectors(
  texts: readonly ReferenceText[],
  expected: readonly Float32Array[],
  found: readonly Float32Array[],
  tolerance: number,
): Diagnosis {
  const pairs = texts.map((text, at): Pair => {
    const [should, is] = [expected[at]!, found[at]!];
    const distance = cosineDistance(should, is);
    return { ...text, expected: should, found: is, distance, isEqual: distance <= tolerance };
  });
  const wrong = pairs.filter(({ isEqual }) => !isEqual);
  const maxDistance = Math.max(...pairs.map(({ distance }) => distance));
  const longer = ofOtherLength(pairs);
  const findings = [...wholeFaults(pairs, longer)];
  const isMeasured = pairs.every(({ distance }) => !Number.isNaN(distance));
  if (isMeasured && wrong.length > 0) findings.push(patternOf(pairs, wrong, tolerance));
  const ok = findings.length === 0;
  if (ok && isSlight(pairs)) findings.push(precision(pairs, 'ok'));
  const judged = pairs.map((pair) => ({ ...pair, isEqual: pair.isEqual && !longer.includes(pair) }));
  return { pairs: judged, maxDistance, findings, ok };
}

/** Where the model's vectors have the length 1: those that came with another. */
function ofOtherLength(pairs: readonly Pair[]): readonly Pair[] {
  // Of a text without tokens many models make a zero vector.
  const real = pairs.filter((pair) => vectorNorm(pair.expected) > 0);
  const isNormalised = real.every((pair) => normDifference(vectorNorm(pair.expected), 1) < normTolerance);
  return isNormalised ? real.filter((pair) => normDifference(vectorNorm(pair.found), 1) > normTolerance) : [];
}

function failed(what: string, detail: string, hint: string): Finding {
  return { what, status: 'failed', detail, hint };
}

/** What is seen without a distance. */
function wholeFaults(pairs: readonly Pair[], longer: readonly Pair[]): readonly Finding[] {
  const [{ expected, found }] = pairs as [Pair];
  if (expected.length !== found.length) {
    const isPart = pairs.every((pair) => cosineDistance(pair.expected.subarray(0, found.length), pair.found) < 1e-3);
    return [
      failed(
        'dimensions',
        `vectors of ${found.length} numbers came, and the model's have ${expected.length}${isPart ? `; they are the first ${found.length} of these` : ''}`,
        isPart
          ? 'The runtime cuts vectors (truncate_dim, dimensions). Take that out, or an index of the model’s own vectors can’t be used.'
          : 'Another model was loaded, a module behind the first (Dense) is missing, or what came is not the pooled vector.',
      ),
    ];
  }
  const faults: Finding[] = [];
  const nan = pairs.filter((pair) => pair.found.some(Number.isNaN));
  if (nan.length > 0) {
    faults.push(
      failed(
        'nan',
        `NaN in the vectors of ${listed(nan, pairs)}`,
        'Half precision (fp16) overflows in some models: use fp32 or bf16. NaN for empty or padded texts comes of an attention mask that is missing, or a division by a length of 0.',
      ),
    );
  }
  if (longer.length > 0) {
    const norms = longer.map((pair) => vectorNorm(pair.found));
    const range = `${Math.min(...norms).toPrecision(3)} to ${Math.max(...norms).toPrecision(3)}`;
    faults.push(
      failed(
        'not-normalised',
        `the model's vectors have the length 1; those of ${listed(longer, pairs)} have ${range}`,
        'Divide each vector by its length (normalize_embeddings=True). Without, dot products aren’t cosines, and long texts win.',
      ),
    );
  }
  return faults;
}

/** What the pattern of the texts that differ tells; one finding. */
function patternOf(pairs: readonly Pair[], wrong: readonly Pair[], tolerance: number): Finding {
  const what = listed(wrong, pairs);
  const among = (test: (pair: Pair) => boolean): boolean =>
    wrong.every(test) && pairs.some((pair) => pair.isEqual && !test(pair));
  if (isShuffled(pairs, wrong, tolerance)) {
    return failed(
      'order',
      `the vectors of ${what} are right, and stand at other texts`,
      'The runtime sorts texts by length, or gathers batches as they finish: put the vectors back into the order of the texts.',
    );
  }
  if (isSlight(pairs)) return precision(pairs, 'failed');
  const other = wrong.filter((pair) => isOfOtherPrompt(pair, pairs, tolerance));
  if (other.length === wrong.length || among(({ prompt }) => prompt !== null)) {
    return failed(
      'prompt',
      other.length === 0
        ? `only texts with a prompt differ: ${what}`
        : `the vectors of ${what} are those of the same texts with ${wrong.every(({ prompt }) => prompt) ? 'no prompt' : 'another prompt'}`,
      'Put the model’s prompt before the text (encode(…, prompt_name=…)), the one that is asked for, and none where none is. The prompts stand in config_sentence_transformers.json.',
    );
  }
  if (isOfLetters(pairs, wrong)) {
    return failed(
      'case',
      `only texts with upper-case letters or accents differ: ${what}`,
      'The tokenizer lower-cases, or strips accents, where the model’s doesn’t, or doesn’t where that does. Load tokenizer.json as it is, with its normalizer.',
    );
  }
  if (isCut(pairs, wrong)) {
    return failed(
      'truncation',
      `only the longest texts differ: ${what}`,
      'The runtime cuts texts at fewer or more tokens than the model does. Look at max_seq_length of the runtime, and at "truncation" in tokenizer.json, which some runtimes go by.',
    );
  }
  if (wrong.length < pairs.filter(({ expected }) => vectorNorm(expected) > 0).length / 2) {
    return failed(
      'texts',
      `some texts differ: ${what}`,
      'Compare the token ids of these texts with those of the model’s tokenizer.',
    );
  }
  const middle = median(pairs);
  const fact = `${what} differ, by ${distanceText(middle)} in the middle`;
  return middle < nothingInCommon
    ? failed(
        'pooling',
        fact,
        'Another pooling (the first token instead of the mean, a mean over padding), weights of very few bits, or else other weights. The pooling stands in 1_Pooling/config.json.',
      )
    : failed(
        'weights',
        `${fact}: they have nothing in common with the model's`,
        'Other weights, layers that were not loaded (loaders fill them with random numbers), or another tokenizer; else another pooling. What to load stands in MODEL_WEIGHTS.',
      );
}

/** Vectors of other texts are as far apart. */
const nothingInCommon = 0.8;

function listed(some: readonly Pair[], all: readonly Pair[]): string {
  if (some.length === all.length) return 'all texts';
  const ids = some.slice(0, 6).map(({ id }) => id);
  const more = some.length - ids.length;
  return `${ids.join(', ')}${more > 0 ? ` and ${plural(more, 'other')}` : ''}`;
}

/** Largest distances that were measured of all-MiniLM-L6-v2, with some room. */
const precisions: readonly (readonly [name: string, distance: number])[] = [
  ['half precision (fp16)', 1e-5],
  ['bf16', 5e-4],
  ['8 bits (int8)', mostOfPrecision],
];

function precision(pairs: readonly Pair[], status: 'ok' | 'failed'): Finding {
  const most = Math.max(...pairs.map(({ distance }) => distance));
  const [name] = precisions.find(([, limit]) => most <= limit)!;
  const detail = `nearly all texts differ slightly, by ${distanceText(most)} at most: as ${name} does`;
  if (status === 'ok') return { what: 'precision', status, detail };
  return failed(
    'precision',
    detail,
    'Weights or arithmetic of fewer bits than the reference’s. For an index that others share, load the default weights in fp32; a rendition of fewer bits is checked as itself by --weights.',
  );
}

export function distanceText(distance: number): string {
  return String(Number(distance.toPrecision(2)));
}
