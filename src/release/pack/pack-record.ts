import { join } from 'node:path';
import * as z from 'zod/mini';
import type { MadeEncoding } from '../../archive/make-encodings.ts';
import {
  type ArchiveFormat,
  archiveFormatField,
  encodingKinds,
  sha256Field,
  sizeField,
} from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { type Fingerprints, fingerprintsSchema, type ManifestWeights } from '../../contract/manifest.ts';
import { problemsOf } from '../../contract/problems-of.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { weightsField } from '../../contract/weights-field.ts';
import { AircherError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { ModelFacts } from '../../model/facts.ts';
import type { Workspace } from '../workspace.ts';

export interface PackedFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

/** A file that packing makes. */
export interface PackedArtifact {
  readonly name: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

/**
 * `<model>.pack.json`: what later steps need of a packed model when its source is on another
 * machine.
 */
export interface PackRecord {
  readonly pack_version: 1;
  readonly model: string;
  readonly version: string;
  readonly archive: {
    readonly name: string;
    readonly format: ArchiveFormat;
    readonly size_bytes: number;
    readonly sha256: Sha256;
  };
  readonly index: PackedArtifact;
  readonly encodings: readonly MadeEncoding[];
  readonly files: readonly PackedFile[];
  readonly facts: ModelFacts;
  readonly fingerprints: Fingerprints;
  /** With their spaces as they would be without a version before. */
  readonly weights: readonly ManifestWeights[];
  /** What the sources and the format were, so that the same isn't packed again. */
  readonly made_from: Sha256;
  /** Which encodings were asked for, and of which older archives. */
  readonly encoded_from: {
    readonly planes: boolean;
    readonly patches: readonly { readonly version: string; readonly sha256: Sha256 }[];
  };
  /**
   * What the artifacts' files looked like when they were written: as long as they look the same,
   * their digests are known.
   */
  readonly stamps: readonly { readonly name: string; readonly stamp: string }[];
}

/** What was packed, in the output directory: the archive first. */
export function packedArtifacts({
  archive,
  index,
  encodings,
}: Pick<PackRecord, 'archive' | 'index' | 'encodings'>): readonly PackedArtifact[] {
  return [
    archive,
    index,
    ...encodings.flatMap((encoding) => [encoding, { ...encoding.index, name: `${encoding.name}.index.json` }]),
  ];
}

const digestFields = { size_bytes: sizeField, sha256: sha256Field };

const recordSchema = z.looseObject({
  pack_version: z.literal(1),
  model: z.string(),
  version: z.string(),
  archive: z.looseObject({ name: z.string(), format: archiveFormatField, ...digestFields }),
  index: z.looseObject({ name: z.string(), ...digestFields }),
  encodings: z.array(
    z.looseObject({
      kind: z.enum(encodingKinds),
      name: z.string(),
      from: z.optional(z.string()),
      ...digestFields,
      index: z.looseObject(digestFields),
    }),
  ),
  files: z.array(z.looseObject({ path: z.string(), size_bytes: sizeField, sha256: sha256Field })),
  facts: z.looseObject({}),
  fingerprints: fingerprintsSchema,
  weights: weightsField,
  made_from: sha256Field,
  encoded_from: z.strictObject({
    planes: z.boolean(),
    patches: z.array(z.strictObject({ version: z.string(), sha256: sha256Field })),
  }),
  stamps: z.array(z.looseObject({ name: z.string(), stamp: z.string() })),
});

function packRecordPath(workspace: Workspace, model: string): string {
  return join(workspace.out, `${model}.pack.json`);
}

export async function writePackRecord(record: PackRecord, workspace: Workspace): Promise<void> {
  await writeFileAtomically(packRecordPath(workspace, record.model), `${JSON.stringify(record, null, 2)}\n`);
}

/** Reads a pack record; undefined where there is none. Throws `invalid` where it isn't one. */
export async function readPackRecord(model: string, workspace: Workspace): Promise<PackRecord | undefined> {
  const file = packRecordPath(workspace, model);
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) return undefined;
  const result = z.safeParse(recordSchema, parseStrictJson(bytes, { file, maxBytes: limits.manifestBytes }));
  if (result.success) return result.data as unknown as PackRecord;
  throw new AircherError('invalid', `${file} is not a pack record of this version`, {
    hint: `Run \`aircher-models pack --model ${model}\` again.`,
    problems: problemsOf(result.error.issues, file),
  });
}

/**
 * Reads the record of a model that must be packed by now. Throws `invalid` where it is missing or
 * of another model or version.
 */
export async function requirePackRecord(model: string, version: string, workspace: Workspace): Promise<PackRecord> {
  const record = await readPackRecord(model, workspace);
  if (record === undefined) {
    throw new AircherError('invalid', `${packRecordPath(workspace, model)} is not there: ${model} is not packed`, {
      hint: `Run \`aircher-models pack --model ${model}\`, or bring its files from the machine that did.`,
    });
  }
  if (record.model !== model || record.version !== version) {
    throw new AircherError(
      'invalid',
      `${packRecordPath(workspace, model)} is of ${record.model} ${record.version}, the plan wants ${model} ${version}`,
      { hint: `Run \`aircher-models pack --model ${model}\` again.` },
    );
  }
  return record;
}
