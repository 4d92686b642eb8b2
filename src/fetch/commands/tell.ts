import { formatBytes } from '../../core/format.ts';
import type { InstallReport } from '../install/install-version.ts';
import type { SpaceChange } from '../operations/describe-changes.ts';
import type { VersionSwitch } from '../operations/pin-versions.ts';
import type { Output } from '../render/output.ts';

/** What an install did, the licence always. */
export function tellInstalled(
  { name, version, outcome, record, current, transfer }: InstallReport,
  output: Output,
): void {
  const { license, commercial_use, allow_code } = record.entry;
  const copied = transfer?.bytesCopied ? `, ${formatBytes(transfer.bytesCopied)} taken from what was here` : '';
  const fetched = transfer ? `: ${formatBytes(transfer.bytesFetched)} fetched${copied}` : '';
  const terms = commercial_use === false ? ' (no commercial use)' : '';
  output.note(`${name} ${version} ${outcomes[outcome]}${fetched}. Licence: ${license ?? 'not stated'}${terms}.`);
  if (allow_code) output.note(`${name} holds program code that loaders may run. Read it before you allow that.`);
  if (current !== version) output.note(`The current version stays ${current}.`);
}

const outcomes: Readonly<Record<InstallReport['outcome'], string>> = {
  present: 'is installed',
  adopted: 'was found complete in the cache',
  installed: 'installed',
};

/** What a change of versions means for vector indices. */
export function tellSpace(name: string, from: string, to: string, space: SpaceChange, output: Output): void {
  const meaning = {
    same: `indices made with ${from} stay valid`,
    changes: `vectors of ${to} can’t be compared with those of ${from}. Indices made with ${from} must be rebuilt`,
    unknown: `the release doesn’t say whether indices made with ${from} stay valid`,
  };
  output.note(`${name}: ${meaning[space]}.`);
}

/** What a rollback or a pin did. */
export function tellSwitch(report: VersionSwitch, output: Output): void {
  const { name, from, to, space } = report;
  output.document(report);
  output.note(`${name} is ${to} now (was ${from}), and pinned: update leaves it alone until: unpin ${name}`);
  if (from !== to) tellSpace(name, from, to, space, output);
}
