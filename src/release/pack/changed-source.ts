import type { ManifestFile } from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import type { Problem } from '../../core/errors.ts';
import { hashFile, type Sha256 } from '../../core/hashing.ts';
import { exists } from '../../core/read-files.ts';
import { type HubSource, hubSourceOf } from '../hub-source/hub-source.ts';
import { readSource } from '../hub-source/list-source.ts';
import { stageHubSources } from '../hub-source/stage-sources.ts';
import type { PlannedModel } from '../plan/plan-record.ts';
import { listModel, sourceDirectory } from '../plan/source-listing.ts';
import type { Workspace } from '../workspace.ts';

/**
 * The source of a carried-forward model, where it is at hand, must be what was published under its
 * version.
 */
export async function changedSinceCarried(
  planned: PlannedModel,
  model: ModelConfig,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const published = planned.entry?.files;
  // A yanked version's source isn't the one that is carried forward.
  if (published === undefined || model.version !== planned.version) return [];
  const source = hubSourceOf(planned.name, model, workspace);
  if (source === undefined) {
    if (!(await exists(sourceDirectory(planned.name, model, workspace)))) return [];
  } else if (workspace.offline || isPublishedPin(planned, source)) {
    return [];
  }
  const { files, problems } = await listModel(planned.name, model, workspace);
  if (problems.some(({ level }) => level === 'error')) return problems;
  const known = source === undefined ? new Map<string, Sha256>() : await listedDigests(source, published, workspace);
  if ('problems' in known) return known.problems;
  return await differences(planned, files, published, known, workspace);
}

/** A commit holds the same files for ever. */
function isPublishedPin({ entry }: PlannedModel, source: HubSource): boolean {
  return entry?.source?.huggingface === source.repository && entry.source.revision === source.revision;
}

/**
 * The digests that the Hub tells of another revision; files that it tells none of, and that could
 * be the same, are downloaded.
 */
async function listedDigests(
  source: HubSource,
  published: readonly ManifestFile[],
  workspace: Workspace,
): Promise<ReadonlyMap<string, Sha256> | { readonly problems: readonly Problem[] }> {
  const sizes = new Map(published.map((file) => [file.path, file.size_bytes]));
  const problems = await stageHubSources(
    [source],
    workspace,
    {},
    (_, file) => file.sha256 === undefined && sizes.get(file.path) === file.size_bytes,
  );
  if (problems.length > 0) return { problems };
  const { files } = await readSource(source, workspace);
  return new Map(files.flatMap(({ path, sha256 }) => (sha256 === undefined ? [] : [[path, sha256] as const])));
}

async function differences(
  planned: PlannedModel,
  files: readonly { readonly path: string; readonly absolutePath: string; readonly sizeBytes: number }[],
  published: readonly ManifestFile[],
  known: ReadonlyMap<string, Sha256>,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const changed = (message: string): void => {
    problems.push({
      level: 'error',
      file: workspace.configFile,
      path: jsonPath(['models', planned.name, 'version']),
      message: `${planned.name} ${planned.version} is published, but ${message}`,
      hint: `Write a new version (${planned.version} never changes), or put the published files back.`,
    });
  };
  const before = new Map(published.map((file) => [file.path, file]));
  for (const file of files) {
    const old = before.get(file.path);
    before.delete(file.path);
    if (old === undefined) changed(`${file.path} is new`);
    else if (old.size_bytes !== file.sizeBytes) {
      changed(`${file.path} has ${file.sizeBytes} bytes, not ${old.size_bytes}`);
    } else {
      const digest = known.get(file.path) ?? (await hashFile(file.absolutePath, { signal: workspace.signal })).sha256;
      if (digest !== old.sha256) changed(`${file.path} has other content`);
    }
  }
  for (const path of before.keys()) changed(`${path} is gone`);
  return problems;
}
