import { join } from 'node:path';
import { artifactsOf } from '../../contract/artifacts.ts';
import { type Checksum, formatChecksums } from '../../contract/checksums.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Workspace } from '../workspace.ts';
import { bundleName, type ClientBundle } from './client-bundle.ts';
import type { WrittenManifest } from './write-manifest.ts';

export const checksumsName = 'checksums.sha256';

/**
 * Writes `checksums.sha256`: artifacts made in this release, manifest.json and
 * aircher.mjs, by the digests that were computed while they were written. Nothing is read again.
 */
export async function writeChecksums(
  manifest: WrittenManifest,
  bundle: ClientBundle,
  workspace: Workspace,
): Promise<readonly Checksum[]> {
  const checksums = listChecksums(manifest, bundle);
  await writeFileAtomically(join(workspace.out, checksumsName), formatChecksums(checksums));
  return checksums;
}

/** What `checksums.sha256` is to list; writes nothing. */
export function listChecksums({ manifest, sha256 }: WrittenManifest, bundle: ClientBundle): readonly Checksum[] {
  const made = Object.entries(manifest.models).filter(([, entry]) => entry.release === manifest.release);
  return [
    { name: 'manifest.json', sha256 },
    { name: bundleName, sha256: bundle.sha256 },
    ...made.flatMap(([name, entry]) => artifactsOf(name, entry)).map(({ name, sha256 }) => ({ name, sha256 })),
  ];
}
