import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AircherError, integrityError } from '../../core/errors.ts';
import { hashFile } from '../../core/hashing.ts';
import { runCommand } from '../../core/run-command.ts';
import { removeTree, temporaryName } from '../../core/write-files.ts';
import { readContent } from '../../targets/file-content.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type PackedFile, type PackRecord, requirePackRecord } from '../pack/pack-record.ts';
import { type Plan, packedModels } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { type Proof, proofPath, writeProof } from './proof.ts';

export interface ProveReport {
  readonly models: readonly { readonly name: string; readonly version: string; readonly file_count: number }[];
  /** The command of release.json that agreed with every model; null where it has none. */
  readonly check: Proof['check'];
}

/** How long release.json's `check` command may take for one model. */
const commandLimitMs = 30 * 60_000;

/**
 * Unpacks every packed model by its chunk index, as a client would, holds each file against the
 * pack record, runs release.json's `check` command on the directory, and writes
 * `<model>.proof.json`. It needs no manifest and no secret: what runs here is code that others
 * wrote. Throws `integrity` where an artifact isn't what was packed, and `invalid` where the
 * command fails.
 */
export async function proveModels(
  { config }: LoadedConfig,
  plan: Plan,
  workspace: Workspace,
  limitMs: number = commandLimitMs,
): Promise<ProveReport> {
  const models: ProveReport['models'][number][] = [];
  for (const { name, version } of packedModels(plan, workspace)) {
    await rm(proofPath(workspace, name), { recursive: true, force: true });
    const record = await requirePackRecord(name, version, workspace);
    const place = temporaryName(join(workspace.out, name));
    try {
      const path = join(place, name);
      await unpack(record, path, workspace);
      if (config.check) await runCheck(config.check, { name, version, path }, workspace, limitMs);
    } finally {
      await removeTree(place);
    }
    await writeProof(record, config.check ?? null, workspace);
    models.push({ name, version, file_count: record.files.length });
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
    await mkdir(dirname(path), { recursive: true });
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
  model: { readonly name: string; readonly version: string; readonly path: string },
  workspace: Workspace,
  limitMs: number,
): Promise<void> {
  const { failure, said } = await runCommand(command, {
    directory: workspace.directory,
    // The command is the maintainer's own, but it has no business with tokens and signing keys.
    environment: {
      ...workspace.environment.subprocess,
      MODEL_NAME: model.name,
      MODEL_VERSION: model.version,
      MODEL_DIR: model.path,
    },
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
