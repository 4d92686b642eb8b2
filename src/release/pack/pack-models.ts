import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { packArchive } from '../../archive/pack-archive.ts';
import type { PatchSource } from '../../archive/patch-base.ts';
import { archiveName, indexName } from '../../contract/artifacts.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { AircherError, systemErrorCode, throwProblems } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { fileStamp } from '../../core/read-files.ts';
import { makeDirectory } from '../../core/write-files.ts';
import { fingerprintsOf } from '../../model/fingerprints.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Plan } from '../plan/plan-record.ts';
import { createHostsClient } from '../verify/hosts-client.ts';
import type { Workspace } from '../workspace.ts';
import { indexProblem } from './index-limit.ts';
import { fetchOlderVersion, removeOtherVersions } from './older-versions.ts';
import { type PackRecord, packedArtifacts, readPackRecord, writePackRecord } from './pack-record.ts';
import { type ArchiveForm, archiveForm, sourceState } from './source-state.ts';
import type { StagedModel } from './stage-models.ts';

/**
 * Packs the staged models into `--out`, one after the other, each over all cores. What is packed
 * already and unchanged is left alone.
 */
export async function packModels(
  loaded: LoadedConfig,
  plan: Plan,
  staged: readonly StagedModel[],
  workspace: Workspace,
): Promise<readonly PackRecord[]> {
  await makeDirectory(workspace.out);
  await removeTornFiles(workspace.out);
  await removeOtherVersions(plan, workspace);
  const form = archiveForm(loaded.config, workspace);
  const records: PackRecord[] = [];
  for (const model of staged) {
    workspace.signal?.throwIfAborted();
    records.push(await packModel(model, form, loaded.config, workspace));
  }
  return records;
}

async function packModel(
  staged: StagedModel,
  form: ArchiveForm,
  config: ReleaseConfig,
  workspace: Workspace,
): Promise<PackRecord> {
  const { name, version, patch_from = [] } = staged.planned;
  const { format, mtimeSeconds } = form;
  const stateNow = (): Promise<Sha256> => sourceState(name, staged.files, staged.facts.weights, form);
  const madeFrom = await stateNow();
  const encodedFrom = {
    planes: config.encodings?.planes ?? false,
    patches: patch_from.map((patch) => ({ version: patch.version, sha256: patch.entry.sha256 })),
  };
  const known = await readPackRecord(name, workspace).catch(() => undefined);
  if (
    known &&
    known.made_from === madeFrom &&
    isDeepStrictEqual(known.encoded_from, encodedFrom) &&
    isDeepStrictEqual(known.stamps, await stampArtifacts(known, workspace))
  ) {
    const record: PackRecord = { ...known, version, facts: staged.facts };
    await writePackRecord(record, workspace);
    workspace.onEvent?.({ type: 'done', task: 'pack', subject: name, detail: 'unchanged, not packed again' });
    return record;
  }
  const patches: PatchSource[] = [];
  if (patch_from.length > 0) {
    const http = createHostsClient(config, workspace);
    try {
      for (const patch of patch_from) patches.push(await fetchOlderVersion(name, patch, http, workspace));
    } finally {
      http.close();
    }
  }
  const packed = await packArchive({
    model: name,
    files: staged.files,
    format,
    output: join(workspace.out, archiveName(name, format)),
    mtimeSeconds,
    encodings: { planes: encodedFrom.planes, patches },
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
  const made = {
    archive: packed.archive,
    encodings: packed.encodings,
    index: { name: indexName(name, format), size_bytes: packed.indexSizeBytes, sha256: packed.indexSha256 },
  };
  const record: PackRecord = {
    pack_version: 1,
    model: name,
    version,
    ...made,
    files: packed.files,
    facts: staged.facts,
    ...fingerprintsOf(staged.facts, packed),
    made_from: madeFrom,
    encoded_from: encodedFrom,
    stamps: await stampArtifacts(made, workspace),
  };
  await writePackRecord(record, workspace);
  return record;
}

async function stampArtifacts(
  made: Parameters<typeof packedArtifacts>[0],
  workspace: Workspace,
): Promise<PackRecord['stamps']> {
  return await mapConcurrently(packedArtifacts(made), 4, async ({ name }) => ({
    name,
    stamp: (await fileStamp(join(workspace.out, name))) ?? '',
  }));
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
