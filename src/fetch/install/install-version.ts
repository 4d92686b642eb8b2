import * as semver from '../../contract/versions.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { refreshChecksumsFile } from '../cache/checksums-file.ts';
import { type InstalledModel, looksComplete, readInstalled, recordOf, refuseOtherCase } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { waitForModelLock } from '../cache/model-lock.ts';
import { prepareCache } from '../cache/prepare-cache.ts';
import { type InstalledFile, type InstallRecord, readRecordedIndex } from '../cache/records.ts';
import { switchCurrent } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { planTransfer } from '../transfer/plan-transfer.ts';
import { runTransfer } from '../transfer/run-transfer.ts';
import type { ReuseSource, TransferPlan, TransferReport } from '../transfer/types.ts';
import { adoptOrSetAside, adoptVersion } from './adopt-directory.ts';
import { commitVersion } from './commit-version.ts';
import { openStaging, type Staging } from './staging.ts';

export interface InstallOptions extends RunContext {
  /**
   * When `models/<name>` shall lead to the version: `always`; `newer`: where it is newer than the current one and that isn't
   * pinned; `first`: where there is none yet.
   */
  readonly makeCurrent: 'always' | 'newer' | 'first';
  /** Puts the verified files into `staging.files`; default: by the network. */
  readonly fill?: FillStaging | undefined;
}

/** Leaves in `staging.files` exactly the version's files, each sha256 checked, data flushed. */
export type FillStaging = (
  staging: Staging,
  /** A directory of somebody's that may hold some of the files. */
  setAside: string | undefined,
) => Promise<{
  readonly files: readonly InstalledFile[];
  readonly indexBytes: Uint8Array | undefined;
  readonly transfer?: TransferReport;
}>;

export interface Installation {
  readonly name: string;
  readonly version: string;
  /** `present`: was there already, or another process brought it. `repaired`: files of it were missing or cut. */
  readonly outcome: 'installed' | 'adopted' | 'present' | 'repaired';
  readonly record: InstallRecord;
  /** The current version before, where there was one. */
  readonly previous: string | undefined;
  readonly current: string;
  /** What came over the network; undefined where nothing had to. */
  readonly transfer: TransferReport | undefined;
}

/** How often an install begins anew when another process takes its staging directory over. */
const maxRounds = 3;

/**
 * Makes a version present: at once where it is, else by waiting for a process that brings it, else by downloading it into a
 * staging directory, every byte verified, and one rename. Throws `remote`, `integrity`, `machine`, `interrupted`; the
 * cache is as before then, and what was downloaded is kept for the next try.
 */
export async function installVersion(
  client: Client,
  resolved: ResolvedModel,
  options: InstallOptions,
): Promise<Installation> {
  const { layout } = client;
  const { name, version } = resolved;
  await refuseOtherCase(layout, name);
  for (let round = 1; ; round++) {
    const before = await readInstalled(layout, name);
    const present = await completeRecord(layout, before, version);
    if (present) return settle(client, before, present, 'present', undefined, options);
    await prepareCache(layout);
    const lock = await waitForModelLock(layout, name, () => isComplete(layout, name, version), options);
    if (lock === undefined) continue;
    let staging: Staging | undefined;
    try {
      // As another process may have left it: who may only read has nothing to switch then.
      const previous = await readInstalled(layout, name);
      const settled = (record: InstallRecord, outcome: Installation['outcome']): Promise<Installation> =>
        settle(client, previous, record, outcome, undefined, options);
      const meanwhile = await completeRecord(layout, previous, version);
      if (meanwhile) return await settled(meanwhile, 'present');
      const orphan = await adoptVersion(client, resolved, options);
      if (orphan) return await settled(orphan, 'adopted');
      const found = await adoptOrSetAside(client, resolved, options);
      if (found.adopted?.version === version) return await settled(found.adopted, 'adopted');
      staging = await openStaging(layout, resolved, lock.held);
      const fill = options.fill ?? fillByTransfer(client, resolved, options);
      const filled = await fill(staging, found.setAside);
      if (resolved.entry.files === undefined) requireWeights(resolved, filled.files);
      const record = await commitVersion(layout, resolved, { directory: staging.files, ...filled });
      const [report] = await Promise.all([
        settle(client, previous, record, 'installed', filled.transfer, options),
        // What can't be deleted now is left to `prune`: the version is installed.
        staging.remove().catch(() => {}),
      ]);
      return report;
    } catch (error) {
      options.signal?.throwIfAborted();
      const robbed = staging !== undefined && !(await staging.stillThere());
      if (!robbed || round >= maxRounds) throw error;
    } finally {
      await lock.release();
    }
  }
}

/** Where the manifest doesn't say what an archive holds, an empty one would pass for a model. */
function requireWeights({ name, version }: ResolvedModel, files: readonly InstalledFile[]): void {
  if (files.some(({ path }) => /\.(safetensors|onnx|gguf)$/i.test(path))) return;
  throw integrityError(
    `The archive of ${name} ${version} holds no weights (.safetensors, .onnx or .gguf).`,
    'The release is wrong. Tell its maintainers, and install another version meanwhile.',
  );
}

async function completeRecord(
  layout: CacheLayout,
  model: InstalledModel | undefined,
  version: string,
): Promise<InstallRecord | undefined> {
  const record = recordOf(model, version);
  return record !== undefined && (await looksComplete(layout, record)) ? record : undefined;
}

async function isComplete(layout: CacheLayout, name: string, version: string): Promise<boolean> {
  return (await completeRecord(layout, await readInstalled(layout, name), version)) !== undefined;
}

function fillByTransfer(client: Client, resolved: ResolvedModel, context: RunContext): FillStaging {
  return async (staging, setAside) => {
    const http = (await client.http()).namedBy(resolved.from, context);
    const plan = await planFiles(client, resolved, { staging: staging.directory, setAside, ...context });
    const transfer = await runTransfer(plan, http, context);
    return { files: transfer.files, indexBytes: transfer.indexBytes, transfer };
  };
}

/** What the files of a version take: bytes to fetch, bytes to copy from versions that are there, itself among them. */
export async function planFiles(
  client: Client,
  { name: model, version, entry, from }: Omit<ResolvedModel, 'from'> & { readonly from: Pick<GoodManifest, 'local'> },
  options: RunContext & {
    readonly staging: string;
    readonly paths?: ReadonlySet<string>;
    readonly setAside?: string | undefined;
  },
): Promise<TransferPlan> {
  const { staging, paths, setAside, ...context } = options;
  const reuse = await reuseSources(client.layout, model, version);
  if (setAside !== undefined && entry.files !== undefined) {
    reuse.push({ directory: setAside, files: entry.files, index: undefined });
  }
  const { mirrors: mirrorOrder } = await client.preferences();
  const { huggingFaceCache } = client;
  const http = (await client.http()).namedBy(from, context);
  const indexBytes = (await readRecordedIndex(client.layout, model, version))?.bytes;
  const request = { model, entry, staging, paths, reuse, mirrorOrder, huggingFaceCache, indexBytes };
  return planTransfer(request, http, context);
}

/** The installed versions as sources of chunks: the one that is wanted first, where it is among them, then the current one. */
async function reuseSources(layout: CacheLayout, name: string, version: string): Promise<ReuseSource[]> {
  const model = await readInstalled(layout, name);
  const rank = (record: InstallRecord): number => [model?.current, version].indexOf(record.version);
  const records = [...(model?.versions ?? [])].sort((a, b) => rank(b) - rank(a));
  return Promise.all(
    records.map(async (record) => ({
      directory: layout.version(name, record.version),
      files: record.files,
      index: (await readRecordedIndex(layout, name, record.version))?.index,
    })),
  );
}

async function settle(
  client: Client,
  before: InstalledModel | undefined,
  record: InstallRecord,
  outcome: Installation['outcome'],
  transfer: TransferReport | undefined,
  options: InstallOptions,
): Promise<Installation> {
  const { layout } = client;
  const { model: name, version } = record;
  const previous = before?.current;
  const wanted = await shallBeCurrent(client, before, record, options.makeCurrent);
  if (wanted && (outcome !== 'present' || previous !== version)) {
    await switchCurrent(layout, name, version);
    await refreshChecksumsFile(layout);
  }
  const current = wanted ? version : (previous ?? version);
  return { name, version, outcome, record, previous, current, transfer };
}

async function shallBeCurrent(
  client: Client,
  before: InstalledModel | undefined,
  record: InstallRecord,
  makeCurrent: InstallOptions['makeCurrent'],
): Promise<boolean> {
  if (before === undefined || makeCurrent === 'always' || before.current === record.version) return true;
  if (makeCurrent === 'first') return false;
  const { pins } = await client.preferences();
  return pins[record.model] === undefined && semver.gt(record.version, before.current);
}
