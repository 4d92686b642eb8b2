import { usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { formatBytes } from '../../core/format.ts';
import { readInstalled, recordOf } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { installFrom } from '../install/install-from.ts';
import { type InstallReport, installVersion } from '../install/install-version.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { spaceChange } from '../operations/describe-changes.ts';
import { findInstalled } from '../operations/find-installed.ts';
import type { Output } from '../render/output.ts';
import type { Command } from './command.ts';
import { parseModelName, parseModelReference } from './model-reference.ts';

export const installCommand: Command = {
  name: 'install',
  operands: 'NAME[@VERSION]…',
  count: [0, Number.POSITIVE_INFINITY],
  summary: 'makes models present; returns at once where they are',
  details: 'Without a version, any installed one will do; `update` brings the newest.',
  examples: [
    ['install all-MiniLM-L6-v2', 'the newest version, unless one is installed'],
    ['install all-MiniLM-L6-v2@1.1.0', 'this very version'],
    ['install --from /media/usb/models', 'everything that `export` or a mirror’s folder has, without a network'],
    ['install --from ~/Downloads/gte-large.tar.gz', 'a tarball, with the release’s manifest.json beside it'],
    ["install 'gte-large@^1.0.0' --limit-rate 5MB", 'the newest 1.x, at 5 MB a second'],
  ],
  options: { from: { type: 'string', value: 'DIR-or-FILE', help: 'from a folder or a tarball, without a network' } },
  async run({ client, operands, options, output, context }) {
    if (typeof options.from === 'string') {
      const brought = await installFrom(client, options.from, operands.map(parseModelName), context);
      for (const report of brought) tellInstalled(report, output);
      if (output.json) output.printJson({ models: brought.map((report) => reportJson(client, report)) });
      return 0;
    }
    if (operands.length === 0) throw usageError('Which model? install NAME[@VERSION]…');
    const reports: InstallReport[] = [];
    let good: GoodManifest | undefined;
    for (const { name, range } of operands.map(parseModelReference)) {
      const here = client.release === undefined ? await findInstalled(client, name, range) : undefined;
      if (here !== undefined) {
        const current = (await readInstalled(client.layout, name))?.current ?? here.version;
        reports.push({
          name,
          version: here.version,
          outcome: 'present',
          record: here,
          previous: current,
          current,
          transfer: undefined,
        });
        output.note(`${name} ${here.version} is installed.`);
        continue;
      }
      good ??= await findManifest(client, context);
      reports.push(await installOne(client, good, name, range, output, context));
    }
    if (output.json) output.printJson({ models: reports.map((report) => reportJson(client, report)) });
    return 0;
  },
};

async function installOne(
  client: Client,
  good: GoodManifest,
  name: string,
  range: string | undefined,
  output: Output,
  context: RunContext,
): Promise<InstallReport> {
  const resolved = await resolveModel(client, good, name, range, context);
  const before = await readInstalled(client.layout, name);
  const report = await installVersion(client, resolved, { ...context, makeCurrent: 'newer' });
  tellInstalled(report, output);
  const previous = recordOf(before, before?.current);
  if (previous && report.current === report.version && previous.version !== report.version) {
    if (spaceChange(previous.entry, report.record.entry) === 'changes')
      tellRebuild(name, previous.version, report.version, output);
  }
  return report;
}

/** What an install did, in a line or two, the licence always. */
export function tellInstalled(report: InstallReport, output: Output): void {
  const { name, version, record, transfer } = report;
  const how =
    report.outcome === 'present'
      ? 'is installed'
      : report.outcome === 'adopted'
        ? 'was found complete in the cache'
        : `installed${transfer ? `: ${formatBytes(transfer.bytesFetched)} fetched${transfer.bytesCopied > 0 ? `, ${formatBytes(transfer.bytesCopied)} taken from what was here` : ''}` : ''}`;
  const terms = record.entry.commercial_use === false ? ' (no commercial use)' : '';
  output.note(`${name} ${version} ${how}. Licence: ${record.entry.license ?? 'not stated'}${terms}.`);
  if (record.entry.allow_code)
    output.note(`${name} holds program code that loaders may run. Read it before you allow that.`);
  if (report.current !== version) output.note(`The current version stays ${report.current}.`);
}

export function tellRebuild(name: string, from: string, to: string, output: Output): void {
  output.note(
    `${name}: vectors of ${to} can’t be compared with those of ${from}. Indices made with ${from} must be rebuilt.`,
  );
}

export function reportJson(client: Client, report: InstallReport): object {
  return {
    name: report.name,
    version: report.version,
    outcome: report.outcome,
    current: report.current,
    path: client.layout.version(report.name, report.version),
    license: report.record.entry.license,
    commercial_use: report.record.entry.commercial_use,
    space: report.record.entry.embedding?.space,
    bytes_fetched: report.transfer?.bytesFetched ?? 0,
    bytes_copied: report.transfer?.bytesCopied ?? 0,
    mirrors: report.transfer?.mirrors ?? [],
  };
}
