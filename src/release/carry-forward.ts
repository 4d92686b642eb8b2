import { readFile } from 'node:fs/promises';
import semver from 'semver';
import { type Manifest, type ManifestModel, type PublishedVersion, parseManifest } from '../contract/manifest.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError } from '../core/errors.ts';
import { sha256 } from '../core/hashing.ts';
import { archiveName, configuredKinds, fileUrl } from './addresses.ts';
import type { BaseRelease } from './last-published.ts';
import { publishedCopy } from './load-config.ts';
import { routeModel } from './routing.ts';
import type { Workspace } from './workspace.ts';

export function isYanked(config: ReleaseConfig, model: string, version: string): boolean {
  return (config.yanked ?? []).some((yank) => yank.model === model && yank.version === version);
}

/** All versions of a model that were ever published, as its entry tells. */
export function publishedVersionsOf(entry: ManifestModel): readonly string[] {
  return [entry.version, ...(entry.published_versions ?? []).map((published) => published.version)];
}

/** A prerelease stands in for another prerelease only, as long as there is anything else. */
export function newestNotYanked(config: ReleaseConfig, model: string, versions: readonly string[]): string | undefined {
  const sorted = [...versions].sort(semver.rcompare);
  const good = sorted.filter((version) => !isYanked(config, model, version));
  const isStable = (version: string | undefined): boolean =>
    version !== undefined && semver.prerelease(version) === null;
  return (isStable(sorted[0]) ? good.find(isStable) : undefined) ?? good[0];
}

/**
 * Whether a published entry of the same version stands for itself in the new release: every configured target that can hold the
 * model has it, at the address that release.json gives.
 */
export function carryVerdict(
  config: ReleaseConfig,
  model: string,
  entry: ManifestModel,
  baseTag: string,
): { readonly carry: boolean; readonly reason: string } {
  const bytes = (entry.files ?? []).reduce((sum, file) => sum + file.size_bytes, 0) || entry.size_bytes;
  const wanted = routeModel(config, bytes, entry.files?.length ?? 1).targets;
  const tag = entry.release ?? baseTag;
  const name = archiveName(model, entry.format ?? 'tar.gz');
  const missing = wanted.filter((kind) => entry.download_urls[kind] !== fileUrl(config, kind, tag, name));
  const rawFiles = config.huggingface?.raw_files === true && wanted.includes('huggingface');
  if (missing.length === 0 && rawFiles && entry.files?.some((file) => file.download_urls?.huggingface === undefined)) {
    return { carry: false, reason: 'same version, but its raw files are not at huggingface yet' };
  }
  if (missing.length === 0) return { carry: true, reason: `published in ${tag}` };
  const known = configuredKinds(config).length === missing.length ? 'any configured target' : missing.join(' and ');
  return { carry: false, reason: `same version, but not at ${known} yet` };
}

/**
 * The manifest entry of an earlier version, from the manifest that published it, which is trusted by its digest alone.
 * Throws `remote` where no target and no local copy has it, `integrity` where what they have is something else.
 */
export async function findPublishedEntry(
  model: string,
  version: string,
  previous: ManifestModel,
  base: BaseRelease,
  workspace: Workspace,
): Promise<ManifestModel> {
  if (previous.version === version) return previous;
  const published = previous.published_versions?.find((candidate) => candidate.version === version);
  if (published === undefined) throw new AircherError('invalid', `${model} ${version} was never published`);
  const manifest = await readPublishedManifest(published, base, workspace);
  const entry = Object.hasOwn(manifest.models, model) ? manifest.models[model] : undefined;
  if (entry?.version !== version) {
    throw new AircherError('invalid', `the manifest of ${published.release} does not offer ${model} ${version}`);
  }
  // What was published before it; what came after stays known through the manifest that yanked it.
  return {
    ...entry,
    published_versions: mergePublished(previous, base).filter((candidate) => candidate.version !== version),
  };
}

/** The published versions of a model as the next release lists them: the last entry itself, and those it lists. */
export function mergePublished(
  previous: ManifestModel,
  base: Pick<BaseRelease, 'tag' | 'sizeBytes' | 'sha256' | 'downloadUrls'>,
): readonly PublishedVersion[] {
  const own: PublishedVersion = {
    version: previous.version,
    release: base.tag,
    ...(previous.embedding?.space === undefined ? {} : { space: previous.embedding.space }),
    manifest: { size_bytes: base.sizeBytes, sha256: base.sha256, download_urls: base.downloadUrls },
  };
  return [own, ...(previous.published_versions ?? [])]
    .filter((entry, index, all) => all.findIndex((other) => other.version === entry.version) === index)
    .sort((a, b) => semver.rcompare(a.version, b.version));
}

async function readPublishedManifest(
  published: PublishedVersion,
  base: BaseRelease,
  workspace: Workspace,
): Promise<Manifest> {
  const matches = (bytes: Buffer | undefined): bytes is Buffer =>
    bytes !== undefined && sha256(bytes) === published.manifest.sha256;
  const local = await readFile(publishedCopy(workspace, published.release)).catch(() => undefined);
  if (matches(local)) return parseManifest(local, publishedCopy(workspace, published.release));
  for (const target of base.targets) {
    const bytes = await target.readDocument(published.release, 'manifest.json', workspace);
    if (matches(bytes)) return parseManifest(bytes, `${target.place} ${published.release}/manifest.json`);
  }
  throw new AircherError(
    'remote',
    `no target has the manifest of ${published.release} with the digest that ${base.tag} names`,
    {
      hint: workspace.offline ? 'Run again without --offline.' : 'Check `aircher-models status` for that release.',
    },
  );
}
