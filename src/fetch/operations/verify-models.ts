import { lstat, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { totalSize } from '../../contract/fields.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { hasSystemCode, integrityError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import type { Verification, VerifyOptions, VerifyReport } from '../api.ts';
import { absentFiles } from '../cache/installed.ts';
import { versionFileName } from '../cache/layout.ts';
import { directoryOf, type InstalledFile, type InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { isRight } from '../install/adopt-directory.ts';
import { installedTarget, installVersion } from '../install/install-version.ts';
import type { TransferReport } from '../transfer/types.ts';
import { eachModel } from './each-model.ts';
import { requireOwn, selectInstalled } from './select-installed.ts';

/**
 * Hashes every file of every installed version of the models, and repairs what is wrong where that
 * is asked for. `onReport` hears of each as it happens. Throws as `eachModel`.
 */
export async function verifyModels(
  client: Client,
  options: VerifyOptions = {},
  onReport: (report: VerifyReport) => void = () => {},
): Promise<Verification> {
  const versions = (await selectInstalled(client, options.names)).flatMap(({ name, current, versions }) =>
    versions.map((record) => ({ name, record, current: record.version === current })),
  );
  const reports = await eachModel(versions, options, async ({ name, record, current }): Promise<VerifyReport> => {
    const files = [...record.files, ...absentFiles(record, record.wanted)];
    const bad = await badFiles(record, files, options);
    await warnOfStrangers(record, options);
    const wrong = bad.map(({ path }) => path);
    const isToRepair = wrong.length > 0 && options.repair === true;
    if (isToRepair) requireOwn(client, record, 'verify --repair');
    const { signal, onEvent } = options;
    const how = { signal, onEvent, kept: record.wanted, wrong, makeCurrent: 'first' } as const;
    const repair = isToRepair ? await installVersion(client, installedTarget(record), how) : undefined;
    const damaged = files.filter(({ path }) => wrong.includes(path));
    if (repair) await requireRight(record, damaged, options);
    const report = {
      name,
      version: record.version,
      current,
      file_count: files.length,
      bytes: totalSize(files),
      bad,
      repaired: repair && piecesOf(repair.transfer, wrong),
      bytes_fetched: repair?.transfer?.bytesFetched ?? 0,
    };
    onReport(report);
    return report;
  });
  const ok = reports.every(({ bad, repaired }) => bad.length === 0 || repaired !== undefined);
  return { ok, models: reports };
}

/** Throws `integrity` where a release's chunks don't make the files that its manifest names. */
async function requireRight(
  record: InstallRecord,
  repaired: readonly InstalledFile[],
  context: RunContext,
): Promise<void> {
  const bad = await badFiles(record, repaired, context);
  if (bad.length === 0) return;
  throw integrityError(
    `${record.model}@${record.version}: ${bad.map(({ path }) => path).join(', ')} differ from the manifest, though each chunk is right`,
    'The release contradicts itself. Tell its maintainer, and install another version meanwhile.',
  );
}

/** Chunks that came over the network; files, where there is no index. */
function piecesOf(transfer: TransferReport | undefined, paths: readonly string[]): number {
  return transfer?.indexBytes ? transfer.mirrors.reduce((sum, { chunks }) => sum + chunks, 0) : paths.length;
}

async function badFiles(
  record: InstallRecord,
  files: readonly InstalledFile[],
  context: RunContext,
): Promise<VerifyReport['bad']> {
  const directory = directoryOf(record);
  const subject = `${record.model}@${record.version}`;
  const total = totalSize(files);
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    context.onEvent?.({ type: 'progress', task: 'verify', subject, done: Math.min(done, total), total });
  };
  const results = await mapConcurrently(files, 4, async (file) => {
    const path = join(directory, file.path);
    try {
      const status = await lstat(path);
      if (!status.isFile() || status.size !== file.size_bytes) return { path: file.path, fault: 'size' } as const;
      const found = await hashFile(path, { signal: context.signal, onBytes });
      return found.sha256 === file.sha256 ? undefined : ({ path: file.path, fault: 'content' } as const);
    } catch (error) {
      if (!hasSystemCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      return { path: file.path, fault: 'missing' } as const;
    }
  });
  context.onEvent?.({ type: 'done', task: 'verify', subject });
  return results.filter((result) => result !== undefined);
}

/**
 * Files that no release brought: a loader may pick them up. Whole ones of weights that an
 * interrupted install left are none.
 */
async function warnOfStrangers(record: InstallRecord, context: RunContext): Promise<void> {
  const directory = directoryOf(record);
  const known = new Set([...record.files.map((file) => file.path), versionFileName]);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/');
    const ours = record.entry.files?.find((file) => file.path === path);
    if (known.has(path) || (ours && (await isRight(directory, ours, context)))) continue;
    warn(context, {
      file: join(directory, path),
      message: 'is no file of this model',
      hint: 'Delete it if you did not put it there.',
    });
  }
}
