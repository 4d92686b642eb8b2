import { usageError } from '../../core/errors.ts';
import { formatBytes } from '../../core/format.ts';
import type { InstallReport } from '../api.ts';
import { readInstalled, recordOf } from '../cache/installed.ts';
import { findOnDisk } from '../install/find-on-disk.ts';
import { installFrom } from '../install/install-from.ts';
import { defaultLockPath, lockedNames } from '../lock/read-lock.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { spaceChanges } from '../operations/describe-changes.ts';
import { describeInstall } from '../operations/describe-install.ts';
import { eachModel } from '../operations/each-model.ts';
import { makePresent } from '../operations/make-present.ts';
import { type InstallPlan, planInstall } from '../operations/plan-install.ts';
import { type Command, type CommandCall, lockOptions, weightsOptions } from './command.ts';
import { type ModelReference, refuseVersion } from './model-reference.ts';
import { tellInstalled, tellSpace } from './tell.ts';

export const installCommand: Command = {
  name: 'install',
  operands: '[NAME[@VERSION]…]',
  summary: 'makes models present; returns at once where they are',
  details: 'Without a version, any installed one will do; `update` brings the newest. Without --weights the default.',
  examples: {
    'all-MiniLM-L6-v2': 'the newest version, unless one is installed',
    'all-MiniLM-L6-v2 --weights onnx': 'its ONNX weights, tokenizer and configs, nothing else',
    '--from /media/usb/models': 'everything that `export` or a mirror’s folder has, without a network',
    '--from ~/Downloads/gte-large.tar.gz': 'a tarball, with the release’s manifest.json beside it',
    "'gte-large@^1.0.0' --limit-rate 5MB": 'the newest 1.x, at 5 MB a second',
    '--frozen': 'all that models.lock has, and exactly that',
  },
  options: {
    ...weightsOptions,
    '--from DIR-or-FILE': 'from a folder or a tarball, without a network',
    '--dry-run': 'show licence and bytes, install nothing',
    '--frozen': 'what the lock file says; no manifest source is asked',
    ...lockOptions,
  },
  async lockFile({ frozen, lock }) {
    if (frozen === undefined && lock !== undefined) throw usageError('--lock goes with --frozen.');
    return frozen && (lock?.at(-1) ?? defaultLockPath);
  },
  async run(call) {
    const { client, models, names, options, output, context } = call;
    const from = options.from?.at(-1);
    const weights = options.weights?.at(-1);
    const isFrozen = client.lock !== undefined;
    if (options['dry-run'] && (from !== undefined || isFrozen)) {
      throw usageError(
        '--dry-run goes with a network alone.',
        `Leave out ${isFrozen ? '--frozen' : '--from'}, or --dry-run.`,
      );
    }
    if (from !== undefined && !isFrozen) {
      models.forEach(refuseVersion);
      const found = await findOnDisk(client, from, names, context);
      const reports = await eachModel(found, context, async (model) => {
        const report = describeInstall(await installFrom(client, model, { ...context, weights }));
        tellInstalled(report, output);
        return report;
      });
      output.document({ models: reports });
      return;
    }
    const wanted: readonly ModelReference[] =
      client.lock === undefined || models.length > 0
        ? models
        : lockedNames(client.lock, names).map((name) => ({ name, range: undefined }));
    if (wanted.length === 0) throw usageError('Which model? install NAME[@VERSION]…');
    let good: Promise<GoodManifest> | undefined;
    const manifest = (): Promise<GoodManifest> => (good ??= findManifest(client, context));
    const reports = options['dry-run']
      ? await eachModel(wanted, context, (model) => showPlan(call, model, manifest))
      : await eachModel(wanted, context, (model) => install(call, model, manifest));
    output.document({ models: reports });
  },
};

async function showPlan(
  { client, options, output, context }: CommandCall,
  { name, range }: ModelReference,
  manifest: () => Promise<GoodManifest>,
): Promise<InstallPlan> {
  const weights = options.weights?.at(-1);
  const found = await planInstall(client, name, range, manifest, { ...context, weights });
  const { version, license = 'not stated', commercial_use: commercial, plan } = found;
  const terms = `Licence: ${license}${commercial === false ? ' (no commercial use)' : ''}.`;
  if (plan === undefined) output.print(`${name} ${version} is installed. ${terms}`);
  else {
    const { bytes_to_fetch: fetch, bytes_to_copy: copy, total_bytes: total } = plan;
    const size = total === undefined ? '' : ` of ${formatBytes(total)}`;
    const here = copy > 0 ? `, ${formatBytes(copy)} from what is here` : '';
    output.print(`${name} ${version}: ${formatBytes(fetch)} to fetch${here}${size}. ${terms}`);
  }
  return found;
}

async function install(
  { client, options, output, context }: CommandCall,
  { name, range }: ModelReference,
  manifest: () => Promise<GoodManifest>,
): Promise<InstallReport> {
  const before = await readInstalled(client.layout, name);
  const previous = recordOf(before, before?.current);
  const how = {
    ...context,
    weights: options.weights?.at(-1),
    from: options.from?.at(-1),
    makeCurrent: 'newer',
  } as const;
  const installation = await makePresent(client, name, range, manifest, how);
  const { version, record, wanted, current } = installation;
  const report = describeInstall(installation);
  tellInstalled(report, output);
  if (previous !== undefined && current === version && previous.version !== version) {
    const space = spaceChanges(previous.entry, record.entry, { wanted, kept: previous.wanted });
    tellSpace(name, previous.version, version, space, output);
  }
  return report;
}
