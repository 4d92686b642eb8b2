import semver from 'semver';
import type { DownloadUrls } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig, ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import type { Target } from '../../targets/target.ts';
import { planOlderVersion } from '../pack/older-versions.ts';
import type { Workspace } from '../workspace.ts';
import { findPublishedEntry, publishedVersionsOf } from './carry-forward.ts';
import type { LastOffered } from './model-history.ts';
import type { PlannedPatch } from './plan-record.ts';

/** Without a word in release.json: from the version before. */
const defaultPatches = 1;

/**
 * The versions from which patches lead to a model's new one: the newest lower ones, withdrawn ones
 * too, since their users must move; prereleases only for a prerelease. One whose manifest or chunk
 * index can't be read is left out, with a warning.
 */
export async function plannedPatches(
  name: string,
  { version }: ModelConfig,
  config: ReleaseConfig,
  last: LastOffered | undefined,
  { http, targets }: { readonly http: Http; readonly targets: readonly Target[] },
  workspace: Workspace,
): Promise<readonly PlannedPatch[]> {
  if (last === undefined) return [];
  const older = publishedVersionsOf(last.entry)
    .filter((published) => semver.lt(published, version))
    .filter((published) => semver.prerelease(published) === null || semver.prerelease(version) !== null)
    .sort(semver.rcompare)
    .slice(0, config.encodings?.patches ?? defaultPatches);
  const patches: PlannedPatch[] = [];
  for (const from of older) {
    try {
      const found = await findPublishedEntry(name, from, last.entry, last.release, targets, config, workspace);
      const patch = { version: from, entry: asFetched(found, config) };
      await planOlderVersion(name, patch, http, workspace);
      patches.push(patch);
    } catch (error) {
      if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
      warn(workspace, {
        file: workspace.configFile,
        path: jsonPath(['models', name, 'version']),
        message: `${name} ${version} gets no patch from ${from}, which can't be read: ${error.message}`,
        hint: 'Updates from that version fetch what changed from the archive. Run `aircher-models plan` again once a host has it; or, for no patches, write `"encodings": { "patches": 0 }`.',
      });
    }
  }
  return patches;
}

/** Without the versions before it, and without a mirror that can't be reached from here. */
function asFetched(published: ManifestModel, { mirror }: ReleaseConfig): ManifestModel {
  const { published_versions: _known, ...entry } = published;
  if (mirror?.probe !== false) return entry;
  const elsewhere = <T extends { readonly download_urls: DownloadUrls }>(artifact: T): T => {
    const { mirror: _unreachable, ...urls } = artifact.download_urls;
    return { ...artifact, download_urls: urls };
  };
  const { index, encodings } = entry;
  return {
    ...elsewhere(entry),
    ...(index && { index: elsewhere(index) }),
    ...(encodings && { encodings: encodings.map((one) => ({ ...elsewhere(one), index: elsewhere(one.index) })) }),
  };
}
