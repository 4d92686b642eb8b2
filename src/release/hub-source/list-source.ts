import { join } from 'node:path';
import type { SourceFile } from '../../archive/pack-archive.ts';
import { AircherError } from '../../core/errors.ts';
import { type SourceFiles, selectSourceFiles } from '../../model/source-files.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import type { Workspace } from '../workspace.ts';
import { explainHubFailure } from './explain-failure.ts';
import { type HubSource, openHub } from './hub-source.ts';
import { type ListedFile, readSourceRecord, type SourceRecord } from './source-record.ts';

/**
 * What a pinned revision holds: from the record of an earlier stage, else from the Hub, which is
 * asked for names, sizes and digests alone. Throws `conflict` (gated, private, missing, bad token),
 * `invalid` (no such revision), `remote`.
 */
export async function readSource(
  source: HubSource,
  workspace: Workspace,
  tuning: RemoteTuning = {},
): Promise<SourceRecord> {
  const known = await readSourceRecord(source);
  if (known !== undefined) return known;
  if (workspace.offline) {
    throw new AircherError('remote', `${source.model} is not staged, and its source is on the Hub`, {
      hint: 'Run `aircher-models stage` with a network first, or leave --offline out.',
    });
  }
  const api = openHub(source, workspace, tuning);
  try {
    const tree = await api.tree(source.revision);
    const files = [...tree.values()].map(
      ({ path, sizeBytes, blobId, lfsSha256 }): ListedFile => ({
        path,
        size_bytes: sizeBytes,
        ...(lfsSha256 === undefined ? { blob_id: blobId } : { sha256: lfsSha256 }),
      }),
    );
    return { files, stamps: new Map() };
  } catch (error) {
    throw explainHubFailure(error, api, source.revision);
  }
}

/**
 * Those files of a revision that are released, at the places where they are (or will be) staged.
 */
export function selectListed(source: HubSource, files: readonly ListedFile[]): SourceFiles {
  return selectSourceFiles({
    model: source.model,
    root: source.repository,
    listed: files.map(
      ({ path, size_bytes: sizeBytes }): SourceFile => ({
        path,
        sizeBytes,
        absolutePath: join(source.directory, path),
      }),
    ),
    include: source.config.include,
    exclude: source.config.exclude,
    allowCode: source.config.allow_code ?? false,
  });
}
