import { join } from 'node:path';
import type { RunContext } from '../../core/events.ts';
import { isFile } from '../../core/read-files.ts';
import { readInstalled } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { directoryOf, type InstalledFile, type InstallRecord, readRecordedIndex } from '../cache/records.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { placeEntry } from '../sources/copies.ts';
import { planTransfer } from '../transfer/plan-transfer.ts';
import type { ReuseSource, TransferPlan } from '../transfer/types.ts';

/**
 * What bringing files of a version takes: bytes to fetch, bytes to copy from versions that are
 * there.
 */
export async function planFiles(
  client: Client,
  { name: model, version, entry, from }: Omit<ResolvedModel, 'from'> & { readonly from: Pick<GoodManifest, 'local'> },
  options: RunContext & {
    readonly staging: string;
    /** Default: all. */
    readonly files: readonly InstalledFile[] | undefined;
    readonly setAside?: string | undefined;
  },
): Promise<TransferPlan> {
  const { staging, files, setAside, ...context } = options;
  const reuse = await reuseSources(client.layout, model, version);
  if (setAside !== undefined && entry.files !== undefined) {
    reuse.push({ directory: setAside, files: entry.files, index: undefined });
  }
  const paths = files && new Set(files.map(({ path }) => path));
  const { mirrors: mirrorOrder } = await client.preferences();
  const { huggingFaceCache } = client;
  const http = (await client.http()).namedBy(from, context);
  const indexBytes = (await readRecordedIndex(client.layout, model, version))?.bytes;
  const placed = await placeEntry(client, { name: model, version, entry }, context);
  const request = { model, entry: placed, staging, paths, reuse, mirrorOrder, huggingFaceCache, indexBytes };
  return planTransfer(request, http, context);
}

/**
 * The installed versions as sources of chunks: the one that is wanted first, where it is among
 * them, then the current one.
 */
async function reuseSources(layout: CacheLayout, name: string, wanted: string): Promise<ReuseSource[]> {
  const model = await readInstalled(layout, name);
  const rank = (record: InstallRecord): number => [model?.current, wanted].indexOf(record.version);
  const records = [...(model?.versions ?? [])].sort((a, b) => rank(b) - rank(a));
  return Promise.all(
    records.map(async (record) => {
      const { cache, version, entry, files } = record;
      const directory = directoryOf(record);
      // Also what a killed run has put there. One of a wrong length may have right chunks.
      const there = (entry.files ?? files).map(async (file) =>
        (await isFile(join(directory, file.path))) ? [file] : [],
      );
      const index = (await readRecordedIndex(cache, name, version))?.index;
      return { version, directory, files: (await Promise.all(there)).flat(), index };
    }),
  );
}
