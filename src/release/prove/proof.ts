import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import { sha256Field } from '../../contract/fields.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { AircherError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { PackRecord } from '../pack/pack-record.ts';
import type { Workspace } from '../workspace.ts';

/**
 * `<model>.proof.json`: what was packed unpacks by its index, and release.json's commands agreed
 * with it.
 */
export interface Proof {
  readonly proof_version: 1;
  readonly model: string;
  readonly version: string;
  readonly archive_sha256: Sha256;
  /** The command that agreed; null where release.json has none. */
  readonly check: readonly string[] | null;
  /** The command that embedded the reference texts; null where release.json has none. */
  readonly reference: readonly string[] | null;
}

/** What release.json wants run on a packed model. */
export interface ProofCommands {
  readonly check: readonly string[] | undefined;
  readonly reference: readonly string[] | undefined;
}

const proofSchema = z.strictObject({
  proof_version: z.literal(1),
  model: z.string(),
  version: z.string(),
  archive_sha256: sha256Field,
  check: z.nullable(z.array(z.string())),
  reference: z.nullable(z.array(z.string())),
});

/** Whoever could run code beside the proof could write anything in its place. */
const maxProofBytes = 64 * 1024;

export function proofPath(workspace: Workspace, model: string): string {
  return join(workspace.out, `${model}.proof.json`);
}

function proofOf({ model, version, archive }: PackRecord, { check, reference }: ProofCommands): Proof {
  return {
    proof_version: 1,
    ...{ model, version, archive_sha256: archive.sha256 },
    check: check ?? null,
    reference: reference ?? null,
  };
}

export async function writeProof(record: PackRecord, commands: ProofCommands, workspace: Workspace): Promise<void> {
  const proof = proofOf(record, commands);
  await writeFileAtomically(proofPath(workspace, record.model), `${JSON.stringify(proof, null, 2)}\n`);
}

/**
 * Throws `invalid` unless the proof is there, and is of this packed model and of the commands that
 * release.json has now. In CI it comes from a machine where code of others ran, so nothing of it
 * goes on.
 */
export async function requireProof(record: PackRecord, commands: ProofCommands, workspace: Workspace): Promise<void> {
  const { model, version } = record;
  const file = proofPath(workspace, model);
  const fail = (message: string): never => {
    throw new AircherError('invalid', message, {
      hint: `Run \`aircher-models prove --model ${model}\`, or bring its proof from the machine that did.`,
    });
  };
  const json = await readJson(file).catch((error: unknown) => {
    if (error instanceof AircherError) return fail(error.message);
    throw error;
  });
  if (json === undefined) return fail(`${file} is not there: ${model} is not proved`);
  const { success, data } = z.safeParse(proofSchema, json);
  if (!success) return fail(`${file} is not a proof of this version`);
  if (!isDeepStrictEqual(data, proofOf(record, commands)))
    fail(`${file} is not of ${model} ${version} as it is packed and checked now`);
}

async function readJson(file: string): Promise<unknown> {
  const bytes = await readBoundedFile(file, maxProofBytes);
  return bytes && parseStrictJson(bytes, { file, maxBytes: maxProofBytes });
}
