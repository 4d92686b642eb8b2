import { isDeepStrictEqual } from 'node:util';
import { limits } from '../../contract/limits.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import {
  formatReferenceVectors,
  parseReferenceVectors,
  type ReferenceVectors,
  type VectorSet,
} from '../../contract/reference-vectors.ts';
import { defaultTolerance, type ModelConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { sha256 } from '../../core/hashing.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { defaultWeights } from '../../model/fingerprints.ts';
import type { PackRecord } from '../pack/pack-record.ts';
import type { Workspace } from '../workspace.ts';
import { type DecidedSpaces, decideSpaces } from './decide-spaces.ts';
import { requireOrigin } from './earlier-vectors.ts';
import { embedTexts, vectorsFault } from './embed-texts.ts';
import { referenceTexts } from './reference-texts.ts';
import { vectorsPath } from './vectors-file.ts';

/** What the vectors of a packed model are to say beside the vectors themselves. */
interface Expected extends Omit<ReferenceVectors, 'dimensions' | 'sets'> {
  readonly sets: readonly Pick<VectorSet, 'weights' | 'tolerance'>[];
}

type Origin = Awaited<ReturnType<typeof requireOrigin>>;

async function expectedOf(
  config: ModelConfig,
  record: PackRecord,
  previous: ManifestModel | null,
  workspace: Workspace,
): Promise<{ readonly expected: Expected; readonly origin: Origin }> {
  const { reference } = config;
  if (reference === undefined) throw new Error('the model has no "reference"');
  const { model, version, archive, facts } = record;
  const origin = config.keep_space ? await requireOrigin(model, previous, workspace) : undefined;
  const texts = await referenceTexts(reference, facts.embedding.prompts, origin?.vectors, workspace);
  const path = defaultWeights(facts.weights)?.path ?? '';
  const others = Object.keys(reference.weights ?? {}).filter((other) => other !== path);
  const sets = [path, ...others].map((weights) => ({
    weights,
    tolerance: reference.weights?.[weights]?.tolerance ?? reference.tolerance ?? defaultTolerance,
  }));
  return { expected: { model, version, archive_sha256: archive.sha256, texts, sets }, origin };
}

/**
 * Has the command of "reference" embed the texts with the unpacked model, a run a rendition, and
 * writes `<model>.vectors.json`. Throws `invalid` where vectors are missing or wrong, or the space
 * is to be kept and isn't the same.
 */
export async function makeVectors(
  config: ModelConfig,
  record: PackRecord,
  previous: ManifestModel | null,
  path: string,
  workspace: Workspace,
  limitMs?: number,
): Promise<ReferenceVectors> {
  const { expected, origin } = await expectedOf(config, record, previous, workspace);
  const { model: name, version, texts } = expected;
  const sets: VectorSet[] = [];
  for (const set of expected.sets) {
    const model = { name, version, path, weights: set.weights, embedding: record.facts.embedding };
    workspace.onEvent?.({ type: 'notice', message: `${name}: ${texts.length} texts are embedded with ${set.weights}` });
    const { vectors, runtime } = await embedTexts(config.reference?.command ?? [], texts, model, workspace, limitMs);
    sets.push({ ...set, space: '', ...(runtime === undefined ? {} : { runtime }), vectors });
  }
  const [first] = sets;
  const dimensions = first?.vectors[0]?.length ?? 0;
  const odd = sets.find((set) => set.vectors[0]?.length !== dimensions);
  if (odd !== undefined) {
    throw new AircherError(
      'invalid',
      `${name} ${version}: vectors of ${odd.weights} have ${odd.vectors[0]?.length} dimensions, of ${first?.weights} ${dimensions}`,
      { hint: 'Weights of one model make vectors of one length: look at the command of "reference".' },
    );
  }
  const bare: ReferenceVectors = { ...expected, dimensions, sets };
  const spaces = decideSpaces(record, previous, bare, origin);
  const made = { ...bare, sets: sets.map((set) => ({ ...set, space: spaceOf(spaces, set.weights) })) };
  await writeFileAtomically(vectorsPath(name, workspace), formatReferenceVectors(made));
  return made;
}

function spaceOf({ weights }: DecidedSpaces, path: string): string {
  return weights.find((one) => one.path === path)?.space ?? '';
}

/** The vectors of a packed model as they go into its manifest entry, and what follows from them. */
export interface ProvedVectors {
  readonly vectors: ReferenceVectors;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly spaces: DecidedSpaces;
}

/**
 * Reads what `prove` wrote. In CI it comes from a machine where code of others ran: all of it but
 * the numbers and the runtime's name must be what is known here. Throws `invalid`.
 */
export async function requireVectors(
  config: ModelConfig,
  record: PackRecord,
  previous: ManifestModel | null,
  workspace: Workspace,
): Promise<ProvedVectors> {
  const { model } = record;
  const file = vectorsPath(model, workspace);
  const fail = (message: string): never => {
    throw new AircherError('invalid', message, {
      hint: `Run \`aircher-models prove --model ${model}\`, or bring its vectors from the machine that did.`,
    });
  };
  const { expected, origin } = await expectedOf(config, record, previous, workspace);
  const bytes = await readBoundedFile(file, limits.vectorsBytes).catch((error: unknown) => {
    if (error instanceof AircherError) return fail(error.message);
    throw error;
  });
  if (bytes === undefined) return fail(`${file} is not there: ${model} has no reference vectors yet`);
  const vectors = parseReferenceVectors(bytes, file);
  const { dimensions, sets, ...rest } = vectors;
  const found = { ...rest, sets: sets.map(({ weights, tolerance }) => ({ weights, tolerance })) };
  const fault = sets.map((set) => vectorsFault(set.vectors, expected.texts, record.facts.embedding)).find(Boolean);
  if (!isDeepStrictEqual(found, expected) || fault !== undefined || formatReferenceVectors(vectors) !== String(bytes)) {
    return fail(`${file} is not of ${model} ${record.version} as it is packed and to be proved now`);
  }
  const spaces = decideSpaces(record, previous, vectors, origin);
  if (sets.some((set) => set.space !== spaceOf(spaces, set.weights)))
    fail(`${file} names other spaces than ${model} has`);
  return { vectors, size_bytes: bytes.length, sha256: sha256(bytes), spaces };
}
