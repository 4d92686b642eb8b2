import { defaultMtimeSeconds, type SourceFile } from '../../archive/pack-archive.ts';
import type { ArchiveFormat } from '../../contract/fields.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { fileStamp } from '../../core/read-files.ts';
import type { ModelFacts } from '../../model/facts.ts';
import type { Workspace } from '../workspace.ts';

/** How archives are made in this release: what they depend on besides the files. */
export interface ArchiveForm {
  readonly format: ArchiveFormat;
  /** Of everything in the archive. */
  readonly mtimeSeconds: number;
}

export function archiveForm(config: ReleaseConfig, { environment }: Workspace): ArchiveForm {
  return {
    format: config.archive?.format ?? 'tar.gz',
    mtimeSeconds: environment.sourceDateEpoch ?? defaultMtimeSeconds,
  };
}

/**
 * A digest over what tells, without reading them, that a model's files are those that it was packed
 * from, with the same weights among them.
 */
export async function sourceState(
  name: string,
  files: readonly SourceFile[],
  weights: ModelFacts['weights'],
  { format, mtimeSeconds }: ArchiveForm,
): Promise<Sha256> {
  const stamps = await mapConcurrently(files, 16, async (file) => [
    file.path,
    file.absolutePath,
    (await fileStamp(file.absolutePath)) ?? null,
  ]);
  return sha256(JSON.stringify([name, format, mtimeSeconds, weights, stamps]));
}
