import { lstat, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { mapConcurrently } from '../../core/concurrency.ts';
import { hasSystemCode } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import type { Verification, VerifyOptions, VerifyReport } from '../api.ts';
import { type CacheLayout, versionFileName } from '../cache/layout.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import type { TransferReport } from '../transfer/types.ts';
import { eachModel } from './each-model.ts';
import { repairVersion } from './repair-version.ts';
import { installedBytes, selectInstalled } from './select-installed.ts';

/**
 * Hashes every file of every installed version of the models, and repairs what is wrong where that is asked for. `onReport` hears of
 * each as it happens. Throws as `eachModel`.
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
    const bad = await badFiles(client.layout, record, options);
    await warnOfStrangers(client.layout, record, options);
    const paths = bad.map(({ path }) => path);
    const repair = bad.length > 0 && options.repair ? await repairVersion(client, record, paths, options) : undefined;
    const report = {
      name,
      version: record.version,
      current,
      file_count: record.files.length,
      bytes: installedBytes(record),
      bad,
      repaired: repair && piecesOf(repair, paths),
      bytes_fetched: repair?.bytesFetched ?? 0,
    };
    onReport(report);
    return report;
  });
  const ok = reports.every(({ bad, repaired }) => bad.length === 0 || repaired !== undefined);
  return { ok, models: reports };
}

/** Chunks that came over the network; files, where there is no index. */
function piecesOf({ indexBytes, mirrors }: TransferReport, paths: readonly string[]): number {
  return indexBytes ? mirrors.reduce((sum, { chunks }) => sum + chunks, 0) : paths.length;
}

async function badFiles(layout: CacheLayout, record: InstallRecord, context: RunContext): Promise<VerifyReport['bad']> {
  const directory = layout.version(record.model, record.version);
  const subject = `${record.model}@${record.version}`;
  const total = installedBytes(record);
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    context.onEvent?.({ type: 'progress', task: 'verify', subject, done: Math.min(done, total), total });
  };
  const results = await mapConcurrently(record.files, 4, async (file) => {
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

/** Files that no release brought: a loader may pick them up. */
async function warnOfStrangers(layout: CacheLayout, record: InstallRecord, context: RunContext): Promise<void> {
  const directory = layout.version(record.model, record.version);
  const known = new Set([...record.files.map((file) => file.path), versionFileName]);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/');
    if (known.has(path)) continue;
    warn(context, {
      file: join(directory, path),
      message: 'is no file of this model',
      hint: 'Delete it if you did not put it there.',
    });
  }
}
