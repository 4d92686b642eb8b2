import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { machineError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory, removeTree } from '../../core/files.ts';
import { hashFile } from '../../core/hashing.ts';
import type { Http } from '../../http/http-client.ts';
import { planTransfer } from './plan-transfer.ts';
import { runTransfer } from './run-transfer.ts';
import { stagingOf } from './staging.ts';
import { transferChunks } from './transfer-chunks.ts';
import type { FileRecord, RepairReport, RepairRequest, TransferReport } from './types.ts';

/**
 * Makes an installed version right again, in place: every chunk is hashed, and only those that are wrong or missing are copied from
 * `reuse` or fetched; each is written when it is checked. Without an index: whole files, out of the whole archive. Throws as
 * `runTransfer`; `machine` where the directory may not be written.
 */
export async function repairFiles(request: RepairRequest, http: Http, context: RunContext = {}): Promise<RepairReport> {
  const startedAt = performance.now();
  const plan = await planTransfer({ ...request, reuse: request.reuse ?? [] }, http, context);
  if (plan.index === undefined) return repairWithoutIndex(request, http, context);
  const { value: index, bytes } = plan.index;
  const result = await transferChunks(
    {
      request,
      index,
      directory: request.directory,
      staged: new Set(index.chunks.keys()),
      copies: plan.copies,
      journal: undefined,
      http,
    },
    context,
  );
  return {
    model: request.model,
    version: request.entry.version,
    bytesFetched: result.mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0),
    bytesCopied: result.bytesCopied,
    bytesResumed: result.bytesStaged,
    requests: result.mirrors.reduce((sum, mirror) => sum + mirror.requests, 0),
    milliseconds: Math.round(performance.now() - startedAt),
    mirrors: result.mirrors,
    files: index.files,
    indexBytes: bytes,
    repaired: result.written.size,
    changedFiles: [...new Set([...result.written].map((chunk) => index.files[index.chunks[chunk]?.[2] ?? -1]?.path))]
      .filter((path) => path !== undefined)
      .sort(),
  };
}

async function repairWithoutIndex(request: RepairRequest, http: Http, context: RunContext): Promise<RepairReport> {
  const declared = request.entry.files;
  const bad = declared && (await wrongFiles(request.directory, declared));
  if (bad?.length === 0) return { ...nothingFetched(request), repaired: 0, changedFiles: [] };
  const plan = await planTransfer({ ...request, reuse: [] }, http, context);
  const report = await runTransfer(plan, http, context);
  const changed = bad ?? (await wrongFiles(request.directory, report.files));
  const { files } = stagingOf(request.staging);
  for (const { path } of changed) {
    const parts = path.split('/');
    const target = join(request.directory, ...parts);
    await makeDirectory(dirname(target));
    await removeTree(target);
    await cp(join(files, ...parts), target);
    const copied = await hashFile(target, { signal: context.signal });
    const right = report.files.find((file) => file.path === path);
    if (copied.sha256 !== right?.sha256) throw machineError(`${target}: not what was written to it`);
  }
  return { ...report, repaired: changed.length, changedFiles: changed.map((file) => file.path) };
}

async function wrongFiles(directory: string, files: readonly FileRecord[]): Promise<FileRecord[]> {
  const wrong: FileRecord[] = [];
  for (const file of files) {
    const found = await hashFile(join(directory, ...file.path.split('/'))).catch(() => undefined);
    if (found?.sha256 !== file.sha256) wrong.push(file);
  }
  return wrong;
}

function nothingFetched(request: RepairRequest): TransferReport {
  return {
    model: request.model,
    version: request.entry.version,
    bytesFetched: 0,
    bytesCopied: 0,
    bytesResumed: 0,
    requests: 0,
    milliseconds: 0,
    mirrors: [],
    files: request.entry.files ?? [],
    indexBytes: undefined,
  };
}
