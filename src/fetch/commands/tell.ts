import { formatBytes } from '../../core/format.ts';
import type { InstallReport, SpaceChanges, UpdateReport, VersionSwitch } from '../api.ts';
import type { Output } from '../render/output.ts';

/** What an install did, the licence always. */
export function tellInstalled(report: InstallReport, output: Output): void {
  const { name, version, outcome, current_version, cache, license, commercial_use, allow_code } = report;
  const { bytes_fetched, bytes_copied } = report;
  const copied = bytes_copied > 0 ? `, ${formatBytes(bytes_copied)} taken from what was here` : '';
  const fetched = bytes_fetched + bytes_copied > 0 ? `: ${formatBytes(bytes_fetched)} fetched${copied}` : '';
  const terms = commercial_use === false ? ' (no commercial use)' : '';
  const place = cache === 'system' ? ' in the system cache' : '';
  output.note(
    `${name} ${version} ${outcomes[outcome]}${place}${fetched}. Licence: ${license ?? 'not stated'}${terms}.`,
  );
  if (allow_code) output.note(`${name} holds program code that loaders may run. Read it before you allow that.`);
  if (current_version !== version) output.note(`The current version stays ${current_version}.`);
}

const outcomes: Readonly<Record<InstallReport['outcome'], string>> = {
  present: 'is installed',
  adopted: 'was found complete in the cache',
  installed: 'installed',
  repaired: 'repaired',
};

/** Indices made with some of the weights stay valid, those made with others don't. */
export function differ({ weights, space_change }: SpaceChanges): boolean {
  return weights.some((one) => one.space_change !== space_change);
}

/** What a change of versions means for vector indices. */
export function tellSpace(name: string, from: string, to: string, space: SpaceChanges, output: Output): void {
  const meaning = {
    same: `indices made with ${from} stay valid`,
    changes: `vectors of ${to} can’t be compared with those of ${from}. Indices made with ${from} must be rebuilt`,
    unknown: `the release doesn’t say whether indices made with ${from} stay valid`,
  };
  if (!differ(space)) output.note(`${name}: ${meaning[space.space_change]}.`);
  else for (const one of space.weights) output.note(`${name}, ${one.path}: ${meaning[one.space_change]}.`);
}

/** Why an update leaves a model as it is. */
export function tellStays(
  name: string,
  version: string,
  why: Exclude<UpdateReport['outcome'], 'updated'>,
  yanked: string | undefined,
  output: Output,
): void {
  const reason = yanked === undefined || why === 'withdrawn' ? '' : ` It was withdrawn: ${yanked}`;
  const meaning = {
    'up-to-date': 'is the newest version.',
    pinned: `is pinned and stays. To update it: unpin ${name}.`,
    'other-space': 'stays: the new version makes other vectors.',
    withdrawn: `was withdrawn, and stays, since no other version is offered: ${yanked}`,
    'not-offered': 'stays: the newest release offers no version of it.',
  };
  output.note(`${name} ${version} ${meaning[why]}${reason}`);
}

/** What a rollback or a pin did. */
export function tellSwitch(report: VersionSwitch, output: Output): void {
  const { name, from, to } = report;
  output.document(report);
  output.note(`${name} is ${to} now (was ${from}), and pinned: update leaves it alone until: unpin ${name}`);
  if (from !== to) tellSpace(name, from, to, report, output);
}
