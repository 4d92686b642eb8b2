import { join } from 'node:path';
import { type Checksum, formatChecksums } from '../../contract/checksums.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { requirePackRecord } from '../pack/pack-record.ts';
import type { Plan } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';
import { bundleName, type ClientBundle } from './client-bundle.ts';
import type { WrittenManifest } from './write-manifest.ts';

export const checksumsName = 'checksums.sha256';

/**
 * Writes `checksums.sha256`: archives and indexes made in this release, manifest.json and
 * aircher.mjs, by the digests that were computed while they were written. Nothing is read again.
 */
export async function writeChecksums(
  plan: Plan,
  manifest: WrittenManifest,
  bundle: ClientBundle,
  workspace: Workspace,
): Promise<readonly Checksum[]> {
  const checksums = await listChecksums(plan, manifest, bundle, workspace);
  await writeFileAtomically(join(workspace.out, checksumsName), formatChecksums(checksums));
  return checksums;
}

/** What `checksums.sha256` is to list; writes nothing. */
export async function listChecksums(
  plan: Plan,
  manifest: WrittenManifest,
  bundle: ClientBundle,
  workspace: Workspace,
): Promise<readonly Checksum[]> {
  const checksums: Checksum[] = [
    { name: 'manifest.json', sha256: manifest.sha256 },
    { name: bundleName, sha256: bundle.sha256 },
  ];
  for (const planned of plan.models) {
    if (planned.action !== 'pack') continue;
    const record = await requirePackRecord(planned.name, planned.version, workspace);
    checksums.push({ name: record.archive.name, sha256: record.archive.sha256 });
    checksums.push({ name: record.index.name, sha256: record.index.sha256 });
  }
  return checksums;
}
