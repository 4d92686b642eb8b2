import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { Journal, readJournal } from './journal.ts';
import { stagingOf, startAfresh } from './staging.ts';
import { transferArchive } from './transfer-archive.ts';
import { transferChunks } from './transfer-chunks.ts';
import type { MirrorReport, TransferPlan, TransferReport } from './types.ts';

/**
 * Does what the plan says. Afterwards `<staging>/files` holds exactly the files of the version, each sha256 checked, flushed. A
 * run that was killed, or failed, is continued by planning and running again with the same staging directory. Throws `remote`,
 * `integrity`, `machine`, `interrupted`.
 */
export async function runTransfer(plan: TransferPlan, http: Http, context: RunContext = {}): Promise<TransferReport> {
  const { request, index } = plan;
  const startedAt = performance.now();
  if (index === undefined) {
    const result = await transferArchive(request, http, context);
    return {
      ...report(plan, result.mirrors, startedAt),
      bytesResumed: result.bytesResumed,
      files: result.files,
    };
  }
  const staging = stagingOf(request.staging);
  const indexSha256 = request.entry.index?.sha256 ?? '';
  const staged = await readJournal(staging.journal, indexSha256);
  if (staged === undefined) await startAfresh(request.staging);
  const journal = await Journal.start(staging.journal, indexSha256, staged ?? []);
  try {
    const result = await transferChunks(
      {
        request,
        index: index.value,
        directory: staging.files,
        staged: staged ?? new Set(),
        copies: plan.copies,
        frame: plan.frame,
        journal,
        http,
      },
      context,
    );
    return {
      ...report(plan, result.mirrors, startedAt),
      bytesCopied: result.bytesCopied,
      bytesResumed: result.bytesStaged,
      files: index.value.files,
      indexBytes: index.bytes,
    };
  } finally {
    await journal.close();
  }
}

function report(plan: TransferPlan, mirrors: readonly MirrorReport[], startedAt: number): TransferReport {
  return {
    model: plan.request.model,
    version: plan.request.entry.version,
    bytesFetched: mirrors.reduce((sum, mirror) => sum + mirror.bytes, 0),
    bytesCopied: 0,
    bytesResumed: 0,
    requests: mirrors.reduce((sum, mirror) => sum + mirror.requests, 0),
    milliseconds: Math.round(performance.now() - startedAt),
    mirrors,
    files: [],
    indexBytes: undefined,
  };
}
