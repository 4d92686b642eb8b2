import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { jsonPath } from '../../contract/problems-of.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { checkDiskSpace } from '../../core/disk-space.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { fileStamp } from '../../core/read-files.ts';
import { makeDirectory } from '../../core/write-files.ts';
import type { HubApi } from '../../targets/huggingface/hub-api.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import { hasStatus } from '../../targets/request-failure.ts';
import { resumable } from '../resumable.ts';
import type { Workspace } from '../workspace.ts';
import { explainHubFailure } from './explain-failure.ts';
import { type HubSource, openHub } from './hub-source.ts';
import { readSource, selectListed } from './list-source.ts';
import { type ListedFile, type SourceRecord, writeSourceRecord } from './source-record.ts';
import { discardFile, isListedFile, partDirectory, stageFile } from './stage-file.ts';

/** Files that are downloaded or hashed at once, over all models. */
const parallelFiles = 4;
/** Between two writes of a record while files arrive: what is lost with a kill is hashed again. */
const recordEveryMs = 2000;

/**
 * Downloads the released files of pinned Hub revisions into their staging directories. Finished
 * files are kept, and not read again while they look the same; unfinished ones are gone on from.
 * `only` chooses among a source's files. Answers with the problems of sources that can't be had,
 * all of them before the first byte; throws what goes wrong later.
 */
export async function stageHubSources(
  sources: readonly HubSource[],
  workspace: Workspace,
  tuning: RemoteTuning = {},
  only: (source: HubSource, file: ListedFile) => boolean = () => true,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const prepared = await mapConcurrently(sources, parallelFiles, async (source) => {
    try {
      return await prepare(source, workspace, tuning, only);
    } catch (error) {
      if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
      problems.push(sourceProblem(source, error, workspace));
      return undefined;
    }
  });
  if (problems.length > 0) return problems;
  const work = prepared.filter((one) => one !== undefined);
  await checkSpace(work, workspace);
  try {
    const files = work.flatMap((one) => one.missing.map((file) => ({ one, file })));
    await mapConcurrently(files, parallelFiles, ({ one, file }) => one.stage(file));
  } finally {
    for (const one of work) await one.save();
  }
  for (const one of work) await one.finish();
  return [];
}

/** What keeps a source from being had, at its place in release.json. */
export function sourceProblem(source: HubSource, error: AircherError, workspace: Workspace): Problem {
  return {
    level: 'error',
    code: error.code,
    file: workspace.configFile,
    path: jsonPath(['models', source.model, 'source']),
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

async function prepare(
  source: HubSource,
  workspace: Workspace,
  tuning: RemoteTuning,
  only: (source: HubSource, file: ListedFile) => boolean,
): Promise<SourceStaging | undefined> {
  const record = await readSource(source, workspace, tuning);
  const chosen = selectListed(source, record.files);
  // The gate tells of them, with everything else that is wrong with the model.
  if (chosen.problems.some(({ level }) => level === 'error')) return undefined;
  const listed = new Map(record.files.map((file) => [file.path, file]));
  const files = chosen.files.map(({ path }) => listed.get(path)!).filter((file) => only(source, file));
  const missing: ListedFile[] = [];
  for (const file of files) if (!(await isStaged(source, file, record, workspace))) missing.push(file);
  const api = openHub(source, workspace, tuning);
  if (missing.length > 0) await checkAccess(api, source, workspace);
  return new SourceStaging({ source, record, api, files, missing, workspace });
}

/** Whether the file is there: by its stamp, else by its digest, once. What isn't it is removed. */
async function isStaged(
  source: HubSource,
  file: ListedFile,
  record: SourceRecord,
  workspace: Workspace,
): Promise<boolean> {
  const path = join(source.directory, file.path);
  const stamp = await fileStamp(path);
  if (stamp === undefined) return false;
  if (record.stamps.get(file.path) === stamp) return true;
  record.stamps.delete(file.path);
  const found = await stat(path);
  const same = found.isFile() && found.size === file.size_bytes && (await isListedFile(path, file, workspace));
  if (same) record.stamps.set(file.path, stamp);
  else await discardFile(path);
  return same;
}

/** Whoever may not have the files learns it here, before the first byte. */
async function checkAccess(api: HubApi, source: HubSource, workspace: Workspace): Promise<void> {
  if (workspace.offline) {
    throw new AircherError('remote', `${source.model} is not staged whole, and its source is on the Hub`, {
      hint: 'Run `aircher-models stage` with a network first, or leave --offline out.',
    });
  }
  try {
    await api.checkReadAccess();
  } catch (error) {
    // Not every Hub answers this question; the first file will.
    const unknown = hasStatus(error, 404, 405) && error.reasons.length === 0;
    if (!unknown) throw explainHubFailure(error, api, source.revision);
  }
}

async function checkSpace(work: readonly SourceStaging[], workspace: Workspace): Promise<void> {
  const bytes = work.reduce((sum, one) => sum + bytesOf(one.missing), 0);
  if (bytes === 0) return;
  await makeDirectory(workspace.out);
  try {
    await checkDiskSpace(workspace.out, bytes);
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    throw new AircherError(error.code, error.message, {
      hint: 'Free some disk space, or name another directory with --out DIR.',
      details: error.details,
      cause: error,
    });
  }
}

interface SourceWork {
  readonly source: HubSource;
  readonly record: SourceRecord;
  readonly api: HubApi;
  /** Everything that is to be there. */
  readonly files: readonly ListedFile[];
  readonly missing: readonly ListedFile[];
  readonly workspace: Workspace;
}

/** One source while its files arrive. */
class SourceStaging {
  private readonly work: SourceWork;
  private readonly total: number;
  private done: number;
  private told = -1;
  private savedAt = performance.now();
  private saving = Promise.resolve();

  constructor(work: SourceWork) {
    this.work = work;
    this.total = bytesOf(work.files);
    this.done = this.total - bytesOf(work.missing);
  }

  get missing(): readonly ListedFile[] {
    return this.work.missing;
  }

  async stage(file: ListedFile): Promise<void> {
    const { api, source, record } = this.work;
    try {
      const stamp = await stageFile(api, source, file, (delta) => this.tell(delta));
      record.stamps.set(file.path, stamp);
    } catch (error) {
      throw resumable(explainHubFailure(error, api, source.revision));
    }
    if (performance.now() - this.savedAt > recordEveryMs) await this.save();
  }

  /** Files finish in parallel; the record is written by one at a time. */
  save(): Promise<void> {
    this.savedAt = performance.now();
    this.saving = this.saving.then(async () => {
      await makeDirectory(dirname(this.work.source.directory));
      await writeSourceRecord(this.work.source, this.work.record);
    });
    return this.saving;
  }

  async finish(): Promise<void> {
    const { source, files, missing, workspace } = this.work;
    await rm(partDirectory(source), { recursive: true, force: true });
    const all = `${plural(files.length, 'file')}, ${formatBytes(this.total)}`;
    const detail =
      missing.length === 0
        ? 'staged already'
        : missing.length === files.length
          ? all
          : `${plural(missing.length, 'file')} downloaded, of ${all}`;
    workspace.onEvent?.({ type: 'done', task: 'stage', subject: source.model, via: 'huggingface', detail });
  }

  private tell(delta: number): void {
    this.done += delta;
    if (this.done <= this.told) return;
    this.told = this.done;
    const { source, workspace } = this.work;
    workspace.onEvent?.({
      type: 'progress',
      task: 'stage',
      subject: source.model,
      via: 'huggingface',
      done: this.done,
      total: this.total,
    });
  }
}

function bytesOf(files: readonly ListedFile[]): number {
  return files.reduce((sum, file) => sum + file.size_bytes, 0);
}
