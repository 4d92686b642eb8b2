import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ReferenceVectors } from '../../contract/reference-vectors.ts';
import { AircherError, integrityError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import { runCommand } from '../../core/run-command.ts';
import { makeDirectory, removeTree, temporaryName } from '../../core/write-files.ts';
import { readContent } from '../../targets/file-content.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type PackedFile, type PackRecord, requirePackRecord } from '../pack/pack-record.ts';
import { type MeasuredChange, type Plan, packedModels } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { modelEnvironment, type UnpackedModel } from './embed-texts.ts';
import { contradictionProblem, measuredChange } from './measured-change.ts';
import { type Proof, proofPath, writeProof } from './proof.ts';
import { vectorsPath } from './vectors-file.ts';
import { makeVectors } from './vectors-of-model.ts';

export interface ProveReport {
  readonly models: readonly {
    readonly name: string;
    readonly version: string;
    readonly file_count: number;
    /** Where release.json has a "reference" for it: how many texts, and with which weights. */
    readonly reference?: {
      readonly texts: number;
      readonly weights: readonly string[];
      readonly measured?: MeasuredChange | undefined;
    };
  }[];
  /** The command of release.json that agreed with every model; null where it has none. */
  readonly check: Proof['check'];
}

/** How long release.json's `check` command may take for one model. */
const commandLimitMs = 30 * 60_000;

/**
 * Unpacks every packed model by its chunk index, as a client would, holds each file against the
 * pack record, makes its reference vectors (`<model>.vectors.json`), runs release.json's `check`
 * command on the directory, and writes `<model>.proof.json`. It needs no manifest and no secret:
 * what runs here is code that others wrote. Throws `integrity` where an artifact isn't what was
 * packed, and `invalid` where a command fails, or a space can't be kept.
 */
export async function proveModels(
  { config }: LoadedConfig,
  plan: Plan,
  workspace: Workspace,
  limitMs?: number,
): Promise<ProveReport> {
  const models: ProveReport['models'][number][] = [];
  for (const planned of packedModels(plan, workspace)) {
    const { name, version } = planned;
    const model = config.models[name]!;
    for (const stale of [proofPath(workspace, name), vectorsPath(name, workspace)]) {
      await rm(stale, { recursive: true, force: true });
    }
    const record = await requirePackRecord(name, version, workspace);
    const place = temporaryName(join(workspace.out, name));
    let vectors: ReferenceVectors | undefined;
    try {
      const path = join(place, name);
      await unpack(record, path, workspace);
      if (model.reference) vectors = await makeVectors(model, record, planned.previous, path, workspace, limitMs);
      if (config.check) await runCheck(config.check, { name, version, path }, workspace, limitMs);
    } finally {
      await removeTree(place);
    }
    await writeProof(record, { check: config.check, reference: model.reference?.command }, workspace);
    const measured = vectors && (await measuredChange(planned, workspace));
    const contradiction = measured && contradictionProblem(record, planned.previous, vectors, measured);
    if (contradiction) warn(workspace, { file: workspace.configFile, ...contradiction });
    const reference = vectors && {
      texts: vectors.texts.length,
      weights: vectors.sets.map(({ weights }) => weights),
      measured,
    };
    models.push({ name, version, file_count: record.files.length, ...(reference ? { reference } : {}) });
    workspace.onEvent?.({ type: 'done', task: 'prove', subject: name });
  }
  return { models, check: config.check ?? null };
}

async function unpack(record: PackRecord, directory: string, workspace: Workspace): Promise<void> {
  const archive = join(workspace.out, record.archive.name);
  const index = join(workspace.out, record.index.name);
  if ((await hashFile(index, { signal: workspace.signal })).sha256 !== record.index.sha256)
    throw notWhatWasPacked(index);
  for (const file of record.files) {
    workspace.signal?.throwIfAborted();
    const path = join(directory, file.path);
    await makeDirectory(dirname(path));
    if ((await unpackFile(file, { archive, index }, path)) !== file.sha256) throw notWhatWasPacked(archive, file.path);
  }
}

/** Writes one file and gives the sha256 of what was written. */
async function unpackFile(
  { path: name, size_bytes: sizeBytes, sha256 }: PackedFile,
  packed: { readonly archive: string; readonly index: string },
  path: string,
): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'wx');
  try {
    for await (const piece of readContent({
      name,
      sizeBytes,
      sha256,
      content: { kind: 'archived', ...packed, path: name },
    })) {
      hash.update(piece);
      await handle.writeFile(piece);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

function notWhatWasPacked(artifact: string, file?: string): AircherError {
  const where = file === undefined ? artifact : `${artifact}: ${file}`;
  return integrityError(
    `${where} is not what was packed`,
    'Pack again, or bring the file from the machine that packed it.',
  );
}

async function runCheck(
  command: readonly string[],
  model: UnpackedModel,
  workspace: Workspace,
  limitMs: number = commandLimitMs,
): Promise<void> {
  const { failure, said } = await runCommand(command, {
    directory: workspace.directory,
    environment: modelEnvironment(model, workspace),
    limitMs,
    signal: workspace.signal,
  });
  if (failure === undefined) return;
  throw new AircherError(
    'invalid',
    `the check of ${model.name} ${model.version} failed (${failure})${said === '' ? '' : `:\n${said}`}`,
    { hint: `Mend the model or the command (${command.join(' ')}); nothing was published.` },
  );
}
