import * as z from 'zod/mini';
import { invalidError, throwProblems } from '../core/errors.ts';
import type { Sha256 } from '../core/hashing.ts';
import { steeringCharacter } from '../core/printable.ts';
import { documentJson } from './canonical-json.ts';
import { maxRuntimeLength, type ReferenceText } from './embed-protocol.ts';
import { sha256Field, versionField } from './fields.ts';
import { limits } from './limits.ts';
import { problemsOf } from './problems-of.ts';
import { parseStrictJson } from './strict-json.ts';

/**
 * `<model>.vectors.json`: texts, and what the model makes of them in the maintainer's hands. A
 * model that embeds them elsewhere to the same vectors works there.
 */
export interface ReferenceVectors {
  readonly model: string;
  readonly version: string;
  readonly archive_sha256: Sha256;
  readonly dimensions: number;
  readonly texts: readonly ReferenceText[];
  /** One for each rendition of the weights that has vectors of its own; the default's first. */
  readonly sets: readonly VectorSet[];
}

export interface VectorSet {
  /** Path of the rendition, as in the manifest's `weights`. */
  readonly weights: string;
  readonly space: Sha256;
  /** Largest 1 − cosine that counts as equal. */
  readonly tolerance: number;
  /** What made the vectors, in the maintainer's words. */
  readonly runtime?: string | undefined;
  /** One a text, in order; all numbers are finite. */
  readonly vectors: readonly Float32Array[];
}

const vectorsVersion = 1;

export const toleranceField = z.number().check(z.gte(0, 'must be from 0 to 1'), z.lte(1, 'must be from 0 to 1'));

/** Shown to people. */
const shownText = (most: number) =>
  z.string().check(
    z.minLength(1, 'must not be empty'),
    z.maxLength(most, `must have at most ${most} characters`),
    z.refine((text) => steeringCharacter(text) === undefined, 'has a character that is not seen'),
  );

/** Reference texts, as files of texts have them, too. */
export const referenceTextsField = z
  .array(
    z.looseObject({
      id: shownText(500),
      text: z.string().check(z.maxLength(limits.referenceTextLength, 'is too long')),
      prompt: z._default(z.nullable(z.string().check(z.maxLength(200))), null),
    }),
  )
  .check(
    z.minLength(1, 'must not be empty'),
    z.maxLength(limits.referenceTexts, `has more than ${limits.referenceTexts} texts`),
    z.refine((texts) => new Set(texts.map(({ id }) => id)).size === texts.length, 'has an id twice'),
  );

/** The shape of the document; `parseReferenceVectors` checks the vectors in it. */
export const referenceVectorsSchema = z.looseObject({
  vectors_version: z.literal(vectorsVersion),
  model: z.string(),
  version: versionField,
  archive_sha256: sha256Field,
  dimensions: z.int().check(z.gte(1, 'must be at least 1'), z.lte(limits.dimensions)),
  texts: referenceTextsField,
  sets: z
    .array(
      z.looseObject({
        weights: z.string(),
        space: sha256Field,
        tolerance: toleranceField,
        runtime: z.optional(shownText(maxRuntimeLength)),
        /** Base64 of float32, little-endian, row by row. */
        vectors: z.string(),
      }),
    )
    .check(
      z.minLength(1, 'must not be empty'),
      z.refine((sets) => new Set(sets.map(({ weights }) => weights)).size === sets.length, 'has weights twice'),
    ),
});

/** The one byte form of the document. */
export function formatReferenceVectors({ sets, ...reference }: ReferenceVectors): string {
  return documentJson(referenceVectorsSchema, {
    vectors_version: vectorsVersion,
    ...reference,
    sets: sets.map((set) => ({ ...set, vectors: encodeVectors(set.vectors) })),
  });
}

/**
 * Reads reference vectors from anywhere; `file` names them in messages. Throws `invalid`. Members
 * that it doesn't know are ignored.
 */
export function parseReferenceVectors(bytes: Uint8Array, file: string): ReferenceVectors {
  const json = parseStrictJson(bytes, {
    file,
    maxBytes: limits.vectorsBytes,
    maxDepth: 8,
    maxValues: limits.referenceTexts * 8,
  });
  const { success, data, error } = z.safeParse(referenceVectorsSchema, json, { reportInput: true });
  if (!success) {
    throwProblems('invalid', `${file}: not valid reference vectors`, problemsOf(error.issues, file).slice(0, 20));
  }
  const { model, version, archive_sha256, dimensions, texts, sets } = data!;
  return {
    ...{ model, version, archive_sha256, dimensions },
    texts: texts.map(({ id, text, prompt }) => ({ id, text, prompt })),
    sets: sets.map(({ weights, space, tolerance, runtime, vectors }, at) => ({
      ...{ weights, space, tolerance, ...(runtime === undefined ? {} : { runtime }) },
      vectors: decodeVectors(vectors, texts.length, dimensions, `${file} $.sets[${at}].vectors`),
    })),
  };
}

/** Vectors of one length, row by row. */
export function encodeVectors(vectors: readonly Float32Array[]): string {
  const dimensions = vectors[0]?.length ?? 0;
  const bytes = Buffer.alloc(vectors.length * dimensions * 4);
  let at = 0;
  for (const vector of vectors) for (const number of vector) at = bytes.writeFloatLE(number, at);
  return bytes.toString('base64');
}

function decodeVectors(text: string, rows: number, dimensions: number, place: string): readonly Float32Array[] {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== rows * dimensions * 4 || bytes.toString('base64') !== text) {
    throw invalidError(`${place}: not the base64 of ${rows} vectors of ${dimensions} float32 numbers`);
  }
  return Array.from({ length: rows }, (_, row) => {
    const vector = new Float32Array(dimensions);
    for (let at = 0; at < dimensions; at++) vector[at] = bytes.readFloatLE((row * dimensions + at) * 4);
    if (!vector.every(Number.isFinite)) throw invalidError(`${place}: a number of vector ${row} is not finite`);
    return vector;
  });
}
