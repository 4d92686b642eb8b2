import {
  type Embedded,
  embedLimitMs,
  formatEmbedRequest,
  parseEmbedAnswer,
  type ReferenceText,
} from '../../contract/embed-protocol.ts';
import { limits } from '../../contract/limits.ts';
import { countDistinct, normTolerance, vectorNorm } from '../../contract/vector-distance.ts';
import { AircherError, invalidError } from '../../core/errors.ts';
import { runCommand } from '../../core/run-command.ts';
import type { EmbeddingFacts } from '../../model/facts.ts';
import type { Workspace } from '../workspace.ts';

/** A packed model that stands unpacked on this machine. */
export interface UnpackedModel {
  readonly name: string;
  readonly version: string;
  /** Its directory. */
  readonly path: string;
}

/** What commands of release.json find in their environment of the model. */
export function modelEnvironment(model: UnpackedModel, workspace: Workspace): Readonly<Record<string, string>> {
  // They are the maintainer's own, but have no business with tokens and signing keys.
  return {
    ...workspace.environment.subprocess,
    MODEL_NAME: model.name,
    MODEL_VERSION: model.version,
    MODEL_DIR: model.path,
  };
}

/**
 * Has release.json's command embed the texts with one rendition of the weights (a path in the
 * model), and holds what it printed to what is known of the model. Throws `invalid` where the
 * command fails, prints anything else, or makes vectors that can't be the model's.
 */
export async function embedTexts(
  command: readonly string[],
  texts: readonly ReferenceText[],
  model: UnpackedModel & { readonly weights: string; readonly embedding: EmbeddingFacts },
  workspace: Workspace,
  limitMs: number = embedLimitMs,
): Promise<Embedded> {
  const subject = `${model.name} ${model.version}, ${model.weights}`;
  const result = await runCommand(command, {
    directory: workspace.directory,
    environment: { ...modelEnvironment(model, workspace), MODEL_WEIGHTS: model.weights },
    limitMs,
    signal: workspace.signal,
    input: formatEmbedRequest(texts),
    maxOutputBytes: limits.vectorsBytes,
  });
  const said = result.said === '' ? '' : `:\n${result.said}`;
  if (result.failure !== undefined) {
    throw new AircherError('invalid', `embedding with ${subject} failed (${result.failure})${said}`, {
      hint: `Mend the command of "reference" (${command.join(' ')}) or the model; nothing was published.`,
    });
  }
  const embedded = parseEmbedAnswer(result.output, texts, `the command of "reference" for ${subject}`);
  const fault = vectorsFault(embedded.vectors, texts, model.embedding);
  if (fault === undefined) return embedded;
  throw invalidError(
    `vectors of ${subject}: ${fault}`,
    `Look at the model's files and at the command of "reference" (${command.join(' ')}): one of them is wrong.`,
  );
}

/** Vectors no farther apart than this differ by rounding alone. */
const roundingDistance = 1e-6;

/**
 * What contradicts the facts of the model's own files, or is no vector at all; or that the vectors
 * tell no text from another.
 */
export function vectorsFault(
  vectors: readonly Float32Array[],
  texts: readonly ReferenceText[],
  { dimensions, normalized }: EmbeddingFacts,
): string | undefined {
  const named = (at: number): string => JSON.stringify(texts[at]?.id);
  const nan = vectors.findIndex((vector) => vector.some(Number.isNaN));
  if (nan !== -1) return `the text ${named(nan)} has NaN in its vector`;
  const found = vectors[0]?.length;
  if (typeof dimensions === 'number' && found !== dimensions) {
    return `they have ${found} dimensions, the model has ${dimensions}`;
  }
  const isBlank = texts.map(({ text }) => text.trim() === '');
  const filled = vectors.filter((_, at) => !isBlank[at]);
  const words = new Set(texts.flatMap(({ text }, at) => (isBlank[at] ? [] : [text])));
  // A small vocabulary makes many texts equal, but hardly all.
  if (words.size > 1 && countDistinct(filled, roundingDistance, 2) < 2) {
    return `the command gives all ${words.size} texts the same vector`;
  }
  if (normalized !== true) return undefined;
  const norms = vectors.map(vectorNorm);
  // Of a blank text, which has no tokens, many models make a zero vector.
  const odd = norms.findIndex((norm, at) => !(norm === 0 && isBlank[at]) && Math.abs(norm - 1) > normTolerance);
  if (odd === -1) return undefined;
  return norms[odd] === 0
    ? `the text ${named(odd)} has a zero vector (one that the model has no token for can be left out by "texts")`
    : `the model normalises, but ${named(odd)} has the length ${norms[odd]?.toPrecision(3)}`;
}
