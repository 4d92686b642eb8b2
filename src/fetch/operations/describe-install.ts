import type { InstallReport } from '../api.ts';
import type { Installation } from '../install/install-version.ts';
import { describePlace } from './find-installed.ts';

/** What an install did, as it is told to people and programs. */
export function describeInstall(installation: Installation): InstallReport {
  const { name, version, outcome, current, record, wanted, transfer } = installation;
  const { license, commercial_use, allow_code } = record.entry;
  return {
    name,
    version,
    outcome,
    current_version: current,
    license,
    commercial_use,
    allow_code,
    ...describePlace(record, wanted),
    bytes_fetched: transfer?.bytesFetched ?? 0,
    bytes_copied: transfer?.bytesCopied ?? 0,
    mirrors: transfer?.mirrors ?? [],
  };
}
