import { dirname, join } from 'node:path';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory, removeTree, renamePatiently, syncDirectory } from '../../core/files.ts';
import { withModelLock } from '../cache/model-lock.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { planFiles } from '../install/install-version.ts';
import { openStaging } from '../install/staging.ts';
import { runTransfer } from '../transfer/run-transfer.ts';
import type { TransferReport } from '../transfer/types.ts';

/**
 * Puts right files in the place of wrong or missing ones (`paths`) of an installed version: a transfer of these files, whose first
 * source is the version itself, so that only damaged chunks are fetched; then a rename each. Throws as `runTransfer`, and
 * system errors where the directory can't be written.
 */
export async function repairVersion(
  client: Client,
  record: InstallRecord,
  paths: readonly string[],
  context: RunContext,
): Promise<TransferReport> {
  const { layout } = client;
  const { model, version, entry } = record;
  const directory = layout.version(model, version);
  return withModelLock(layout, model, context, async (held) => {
    const staging = await openStaging(layout, { name: model, version, entry }, held);
    try {
      const wanted = { name: model, version, entry, from: record };
      const options = { ...context, staging: staging.directory, paths: new Set(paths) };
      const plan = await planFiles(client, wanted, options);
      const report = await runTransfer(plan, (await client.http()).namedBy(record, context), context);
      for (const path of paths) await replaceFile(join(staging.files, path), join(directory, path));
      return report;
    } finally {
      await staging.remove();
    }
  });
}

async function replaceFile(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  await renamePatiently(from, to).catch(async () => {
    // Something else than a file stands there.
    await removeTree(to);
    await renamePatiently(from, to);
  });
  await syncDirectory(dirname(to));
}
