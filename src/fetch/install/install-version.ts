import { manifestVersion } from '../../contract/manifest.ts';
import * as semver from '../../contract/versions.ts';
import { type Wanted, wantedFiles } from '../../contract/wanted-weights.ts';
import { integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { refreshChecksumsFile } from '../cache/checksums-file.ts';
import { type InstalledModel, readInstalled, refuseOtherCase } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { waitForModelLock } from '../cache/model-lock.ts';
import { prepareCache } from '../cache/prepare-cache.ts';
import type { InstalledFile, InstallRecord } from '../cache/records.ts';
import { switchCurrent } from '../cache/switch-current.ts';
import type { Client } from '../client.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { runTransfer } from '../transfer/run-transfer.ts';
import type { TransferReport } from '../transfer/types.ts';
import { bringVectorsFile, keepVectorsFile } from '../vectors/reference-file.ts';
import { adoptOrSetAside, adoptVersion, isRight } from './adopt-directory.ts';
import { addToVersion, commitVersion } from './commit-version.ts';
import { planFiles } from './plan-files.ts';
import { requireLicense } from './require-license.ts';
import { openStaging, type Staging } from './staging.ts';
import { type WantedHere, whatIsThere } from './what-is-there.ts';

export interface InstallOptions extends RunContext, WantedHere {
  /**
   * When `models/<name>` shall lead to the version: `always`; `newer`: where it is newer than the
   * current one and that isn't pinned; `first`: where there is none yet.
   */
  readonly makeCurrent: 'always' | 'newer' | 'first';
  /** Puts the verified files into `staging.files`; default: by the network. */
  readonly fill?: FillStaging | undefined;
}

/** Leaves in `staging.files` the files, checked, data flushed. */
export type FillStaging = (
  staging: Staging,
  /** Undefined where the manifest doesn't say what there is: then all. */
  files: readonly InstalledFile[] | undefined,
  /** A directory of somebody's that may hold some of them. */
  setAside: string | undefined,
) => Promise<{
  readonly files: readonly InstalledFile[];
  readonly indexBytes: Uint8Array | undefined;
  /** Of the reference vectors, where there are any. */
  readonly vectorsBytes?: Buffer | undefined;
  readonly transfer?: TransferReport;
}>;

/** A version that a manifest offers, or one that is installed. */
export type InstallTarget = ResolvedModel | InstalledTarget;

interface InstalledTarget extends Omit<ResolvedModel, 'from'> {
  readonly from: InstallRecord;
}

export function installedTarget(record: InstallRecord): InstalledTarget {
  return { name: record.model, version: record.version, entry: record.entry, from: record };
}

export interface Installation {
  readonly name: string;
  readonly version: string;
  /**
   * `present`: was there already, or another process brought it. `repaired`: files of it were
   * missing or wrong.
   */
  readonly outcome: 'installed' | 'adopted' | 'present' | 'repaired';
  readonly record: InstallRecord;
  readonly wanted: Wanted;
  /** The current version before, where there was one. */
  readonly previous: string | undefined;
  readonly current: string;
  /** What came over the network; undefined where nothing had to. */
  readonly transfer: TransferReport | undefined;
}

/** How often an install begins anew when another process takes its staging directory over. */
const maxRounds = 3;

/**
 * Makes what is wanted of a version present: at once where it is, else by waiting for a process
 * that brings it, else by downloading it into a staging directory, every byte verified. A new
 * version appears by one rename; one that is there gains its missing files. Throws `license`
 * before anything is fetched, `remote`, `integrity`, `machine`, `interrupted`, and as `wantedOf`;
 * what was downloaded is kept for the next try.
 */
export async function installVersion(
  client: Client,
  asked: InstallTarget,
  options: InstallOptions,
): Promise<Installation> {
  const { layout } = client;
  const { name, version } = asked;
  await refuseOtherCase(layout, name);
  const look = (model: InstalledModel | undefined) => whatIsThere(layout, asked, model, options);
  for (let round = 1; ; round++) {
    const before = await readInstalled(layout, name);
    const there = await look(before);
    if (there.isComplete) {
      const { known: record, wanted } = there;
      return settle(client, asked, before, { record, wanted, outcome: 'present', transfer: undefined }, options);
    }
    const target = {
      ...asked,
      acceptedLicenses: await requireLicense(client, { ...asked, entry: there.entry }),
    };
    await prepareCache(layout);
    const isDone = async (): Promise<boolean> => (await look(await readInstalled(layout, name))).isComplete;
    const lock = await waitForModelLock(layout, name, isDone, options);
    if (lock === undefined) continue;
    let staging: Staging | undefined;
    try {
      // As another process may have left it: who may only read has nothing to switch then.
      const previous = await readInstalled(layout, name);
      const { known, entry, wanted, wantedAnew, damaged, absent, isComplete } = await look(previous);
      const settled = (
        record: InstallRecord,
        outcome: Installation['outcome'],
        transfer?: TransferReport,
      ): Promise<Installation> => settle(client, target, previous, { record, wanted, outcome, transfer }, options);
      if (isComplete) return await settled(known, 'present');
      let setAside: string | undefined;
      if (isOffered(target)) {
        const orphan = known ? undefined : await adoptVersion(client, target, wanted, options);
        if (orphan) return await settled(orphan, 'adopted');
        const found = await adoptOrSetAside(client, target, wanted, options);
        if (found.adopted?.version === version) return await settled(found.adopted, 'adopted');
        ({ setAside } = found);
      }
      staging = await openStaging(layout, { name, version, entry }, lock.held);
      // A killed run may have put them there, and recorded nothing.
      const whole: InstalledFile[] = [];
      for (const file of absent) if (await isRight(layout.version(name, version), file, options)) whole.push(file);
      const needed = known
        ? [...damaged, ...absent].filter((file) => !whole.includes(file))
        : wantedFiles(entry, wantedAnew);
      const fill = options.fill ?? fillByTransfer(client, { ...target, entry }, options);
      const filled = needed?.length === 0 ? undefined : await fill(staging, needed, setAside);
      const files = needed ?? filled?.files ?? [];
      if (needed === undefined) requireWeights(target, files);
      const verified = { directory: staging.files, files, wanted, indexBytes: filled?.indexBytes };
      const record = known
        ? await addToVersion(layout, accepting({ ...known, files: [...known.files, ...whole] }, target), verified)
        : await commitVersion(layout, offeredBy(layout, target), { ...verified, wanted: wantedAnew });
      if (filled?.vectorsBytes) await keepVectorsFile(layout, target, filled.vectorsBytes);
      const outcome = damaged.length > 0 ? 'repaired' : known && absent.length === 0 ? 'present' : 'installed';
      const [report] = await Promise.all([
        settled(record, outcome, filled?.transfer),
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

/** The record with the licences that were accepted by now. */
function accepting(record: InstallRecord, { acceptedLicenses = [] }: InstallTarget): InstallRecord {
  return acceptedLicenses.length === 0 ? record : { ...record, accepted_licenses: acceptedLicenses };
}

function isOffered(target: InstallTarget): target is ResolvedModel {
  return 'manifest' in target.from;
}

/** As it was offered when it was installed into the system cache. */
function offeredBy(layout: CacheLayout, target: InstallTarget): ResolvedModel {
  if (isOffered(target)) return target;
  const { cache, entry, release, namespace, manifest_sha256: sha256, local } = target.from;
  if (cache === layout.system) {
    const manifest = { manifest_version: manifestVersion, namespace, release, models: { [target.name]: entry } };
    return { ...target, from: { manifest, bytes: undefined, sha256, signature: undefined, url: cache.root, local } };
  }
  throw invalidError(
    `${target.name} ${target.version} is not installed any more: another process has removed it.`,
    `Install it again: install ${target.name}@${target.version}`,
  );
}

/** Where the manifest doesn't say what an archive holds, an empty one would pass for a model. */
function requireWeights({ name, version }: InstallTarget, files: readonly InstalledFile[]): void {
  if (files.some(({ path }) => /\.(safetensors|onnx|gguf)$/i.test(path))) return;
  throw integrityError(
    `The archive of ${name} ${version} holds no weights (.safetensors, .onnx or .gguf).`,
    'The release is wrong. Tell its maintainers, and install another version meanwhile.',
  );
}

function fillByTransfer(client: Client, target: InstallTarget, context: RunContext): FillStaging {
  return async (staging, files, setAside) => {
    const http = (await client.http()).namedBy(target.from, context);
    const plan = await planFiles(client, target, { staging: staging.directory, files, setAside, ...context });
    const [transfer, vectorsBytes] = await Promise.all([
      runTransfer(plan, http, context),
      bringVectorsFile(client, target, context),
    ]);
    return { files: transfer.files, indexBytes: transfer.indexBytes, vectorsBytes, transfer };
  };
}

/** `before`: the model as it was. */
async function settle(
  client: Client,
  target: InstallTarget,
  before: InstalledModel | undefined,
  done: Pick<Installation, 'record' | 'wanted' | 'outcome' | 'transfer'>,
  options: InstallOptions,
): Promise<Installation> {
  const { layout } = client;
  const { name, version } = target;
  const previous = before?.current;
  const wanted = await shallBeCurrent(client, before, done.record, options.makeCurrent);
  const isChanged = done.outcome !== 'present';
  // What is used of the system cache stays without a link.
  const isNew = version !== (isChanged ? before?.linked : previous);
  // What is installed already leaves alone whatever somebody put at `models/<name>`.
  if (wanted && (isNew || (isChanged && isOffered(target)))) await switchCurrent(layout, name, version, options);
  if (wanted && (isNew || isChanged)) await refreshChecksumsFile(layout);
  return { name, version, previous, current: wanted ? version : (previous ?? version), ...done };
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
