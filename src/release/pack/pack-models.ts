import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { packArchive } from '../../archive/pack-archive.ts';
import { archiveName, indexName } from '../../contract/artifacts.ts';
import type { ArchiveFormat } from '../../contract/fields.ts';
import { AircherError, systemErrorCode, throwProblems } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { fileStamp } from '../../core/read-files.ts';
import { fingerprintsOf } from '../../model/fingerprints.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import { indexProblem } from './index-limit.ts';
import { type PackRecord, readPackRecord, writePackRecord } from './pack-record.ts';
import { type ArchiveForm, archiveForm, sourceState } from './source-state.ts';
import type { StagedModel } from './stage-models.ts';

/**
 * Packs the staged models into `--out`, one after the other, each over all cores. What is packed
 * already and unchanged is left alone.
 */
export async function packModels(
  loaded: LoadedConfig,
  staged: readonly StagedModel[],
  workspace: Workspace,
): Promise<readonly PackRecord[]> {
  await mkdir(workspace.out, { recursive: true });
  await removeTornFiles(workspace.out);
  const form = archiveForm(loaded.config, workspace);
  const records: PackRecord[] = [];
  for (const model of staged) {
    workspace.signal?.throwIfAborted();
    records.push(await packModel(model, form, workspace));
  }
  return records;
}

async function packModel(staged: StagedModel, form: ArchiveForm, workspace: Workspace): Promise<PackRecord> {
  const { name, version } = staged.planned;
  const { format, mtimeSeconds } = form;
  const stateNow = (): Promise<Sha256> => sourceState(name, staged.files, staged.facts.weights, form);
  const madeFrom = await stateNow();
  const known = await readPackRecord(name, workspace).catch(() => undefined);
  if (
    known &&
    known.made_from === madeFrom &&
    isDeepStrictEqual(known.stamps, await stampArtifacts(name, format, workspace))
  ) {
    const record: PackRecord = { ...known, version, facts: staged.facts };
    await writePackRecord(record, workspace);
    workspace.onEvent?.({ type: 'done', task: 'pack', subject: name, detail: 'unchanged, not packed again' });
    return record;
  }
  const packed = await packArchive({
    model: name,
    files: staged.files,
    format,
    output: join(workspace.out, archiveName(name, format)),
    mtimeSeconds,
    signal: workspace.signal,
    onEvent: workspace.onEvent,
  });
  const tooLarge = indexProblem({}, name, packed.indexSizeBytes);
  if (tooLarge) throwProblems('invalid', tooLarge.message, [tooLarge]);
  if ((await stateNow()) !== madeFrom) {
    throw new AircherError('invalid', `the files of ${name} changed while they were packed`, {
      hint: 'Let whatever writes them finish, and run pack again.',
    });
  }
  const record: PackRecord = {
    pack_version: 1,
    model: name,
    version,
    archive: packed.archive,
    index: { name: indexName(name, format), size_bytes: packed.indexSizeBytes, sha256: packed.indexSha256 },
    files: packed.files,
    facts: staged.facts,
    ...fingerprintsOf(staged.facts, packed),
    made_from: madeFrom,
    stamps: await stampArtifacts(name, format, workspace),
  };
  await writePackRecord(record, workspace);
  return record;
}

async function stampArtifacts(
  name: string,
  format: ArchiveFormat,
  workspace: Workspace,
): Promise<PackRecord['stamps']> {
  return {
    archive: (await fileStamp(join(workspace.out, archiveName(name, format)))) ?? '',
    index: (await fileStamp(join(workspace.out, indexName(name, format)))) ?? '',
  };
}

/** What a killed run left under temporary names is of no use to anyone. */
async function removeTornFiles(out: string): Promise<void> {
  for (const name of await readdir(out)) {
    if (!name.startsWith('.tmp-')) continue;
    const owner = Number(/^\.tmp-(\d+)-/.exec(name)?.[1]);
    if (!isRunning(owner)) await rm(join(out, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
