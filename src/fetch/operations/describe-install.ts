import type { InstallReport } from '../api.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { Installation } from '../install/install-version.ts';
import { describeWeights } from './find-installed.ts';

/** What an install did, as it is told to people and programs. */
export function describeInstall(layout: CacheLayout, installation: Installation): InstallReport {
  const { name, version, outcome, current, record, wanted, transfer } = installation;
  const { license, commercial_use, allow_code } = record.entry;
  return {
    name,
    version,
    outcome,
    current_version: current,
    path: layout.version(name, version),
    license,
    commercial_use,
    allow_code,
    ...describeWeights(layout, record, wanted),
    bytes_fetched: transfer?.bytesFetched ?? 0,
    bytes_copied: transfer?.bytesCopied ?? 0,
    mirrors: transfer?.mirrors ?? [],
  };
}
