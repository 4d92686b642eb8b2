import { readFile } from 'node:fs/promises';
import semver from 'semver';
import { archiveName, artifactsOf, indexName, vectorsName } from '../../contract/artifacts.ts';
import type { DownloadUrls } from '../../contract/fields.ts';
import { type Manifest, type ManifestModel, type PublishedVersion, parseManifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Target } from '../../targets/target.ts';
import { configuredKinds, fileUrl, fileUrls } from '../addresses.ts';
import { publishedCopy } from '../load-config.ts';
import type { PublishedRelease } from '../published/accepted-releases.ts';
import type { Workspace } from '../workspace.ts';
import { encodingsAt, withEncodings } from './carried-encodings.ts';
import { routeModel } from './routing.ts';

export function isYanked(config: ReleaseConfig, model: string, version: string): boolean {
  return (config.yanked ?? []).some((yank) => yank.model === model && yank.version === version);
}

/** All versions of a model that were ever published, by its manifest entry. */
export function publishedVersionsOf(entry: ManifestModel): readonly string[] {
  return [entry.version, ...(entry.published_versions ?? []).map((published) => published.version)];
}

/**
 * The newest version that isn't yanked. If the newest of all versions is stable, a prerelease
 * counts only where no stable version is left.
 */
export function newestNotYanked(config: ReleaseConfig, model: string, versions: readonly string[]): string | undefined {
  const sorted = [...versions].sort(semver.rcompare);
  const good = sorted.filter((version) => !isYanked(config, model, version));
  const isStable = (version: string | undefined): boolean =>
    version !== undefined && semver.prerelease(version) === null;
  return (isStable(sorted[0]) ? good.find(isStable) : undefined) ?? good[0];
}

/**
 * Whether a published entry can be carried forward: then the entry for the new manifest. Else why
 * it can't.
 */
export type CarryVerdict =
  | { readonly carry: true; readonly entry: ManifestModel; readonly reason: string }
  | { readonly carry: false; readonly reason: string };

/**
 * Whether the published entry of an unchanged version is carried forward into the new release. It
 * is if it lists its files and its index, and if every configured target that can hold the model
 * has it, at the address that follows from release.json. Other addresses in it are left out,
 * and encodings that aren't at each of them.
 */
export function carryVerdict(
  config: ReleaseConfig,
  model: string,
  entry: ManifestModel,
  baseTag: string,
): CarryVerdict {
  const { files, index, release: tag = baseTag } = entry;
  if (files === undefined || index === undefined) {
    return { carry: false, reason: `same version, but ${tag} does not list its ${files ? 'index' : 'files'}` };
  }
  const bytes = files.reduce((sum, file) => sum + file.size_bytes, 0);
  const wanted = routeModel(config, bytes, files.length);
  const urlsOf = (name: string): DownloadUrls => fileUrls(config, wanted.targets, tag, name);
  const missing = wanted.targets.filter((kind) =>
    artifactsOf(model, entry).some(({ name, download_urls: urls }) => urls[kind] !== urlsOf(name)[kind]),
  );
  if (missing.length > 0) {
    const known = configuredKinds(config).length === missing.length ? 'any configured target' : missing.join(' and ');
    return { carry: false, reason: `same version, but not at ${known} yet` };
  }
  const rawUrls = rawFileUrls(config, model, tag, files);
  const wantsRaw = config.huggingface?.raw_files === true && wanted.targets.includes('huggingface');
  if (wantsRaw && rawUrls.some((url) => url === undefined)) {
    return { carry: false, reason: 'same version, but its raw files are not at huggingface yet' };
  }
  const { primary: _primary, ...others } = withEncodings(entry, encodingsAt(config, wanted.targets, tag, entry));
  const carried: ManifestModel = {
    ...others,
    release: tag,
    download_urls: urlsOf(archiveName(model, entry.format)),
    ...(wanted.primary === undefined ? {} : { primary: wanted.primary }),
    index: { ...index, download_urls: urlsOf(indexName(model, entry.format)) },
    ...(entry.reference && { reference: { ...entry.reference, download_urls: urlsOf(vectorsName(model)) } }),
    files: files.map(({ download_urls: _urls, ...file }, place) => ({
      ...file,
      ...(rawUrls[place] === undefined ? {} : { download_urls: { huggingface: rawUrls[place] } }),
    })),
    ...(entry.published_versions === undefined
      ? {}
      : { published_versions: entry.published_versions.map((published) => atConfigured(config, published)) }),
  };
  return { carry: true, entry: carried, reason: `published in ${tag}` };
}

/**
 * The Hub's address of each file of the model, or undefined for a file that the entry doesn't list
 * at the address that follows from release.json.
 */
function rawFileUrls(
  config: ReleaseConfig,
  model: string,
  tag: string,
  files: NonNullable<ManifestModel['files']>,
): readonly (string | undefined)[] {
  return files.map(({ path, download_urls: urls }) => {
    const url = config.huggingface && fileUrl(config, 'huggingface', tag, `${model}/${path}`);
    return urls?.huggingface === url ? url : undefined;
  });
}

/** An earlier version, with only those addresses of its manifest that follow from release.json. */
function atConfigured(config: ReleaseConfig, published: PublishedVersion): PublishedVersion {
  const { release, manifest } = published;
  const urls = fileUrls(config, configuredKinds(config), release, 'manifest.json');
  const kinds = configuredKinds(config).filter((kind) => manifest.download_urls[kind] === urls[kind]);
  const kept = Object.fromEntries(kinds.map((kind) => [kind, urls[kind]]));
  return { ...published, manifest: { ...manifest, download_urls: kept } };
}

/**
 * The manifest entry of an earlier version. It is read from the manifest that published that
 * version, and trusted because of its digest. Throws `remote` where no target and no local copy has
 * a manifest with that digest, `invalid` where it doesn't offer the version.
 */
export async function findPublishedEntry(
  model: string,
  version: string,
  previous: ManifestModel,
  base: PublishedRelease,
  targets: readonly Target[],
  config: ReleaseConfig,
  workspace: Workspace,
): Promise<ManifestModel> {
  if (previous.version === version) return previous;
  const published = previous.published_versions?.find((candidate) => candidate.version === version);
  if (published === undefined) throw new AircherError('invalid', `${model} ${version} was never published`);
  const manifest = await readPublishedManifest(published, base, targets, workspace);
  const entry = Object.hasOwn(manifest.models, model) ? manifest.models[model] : undefined;
  if (entry?.version !== version) {
    throw new AircherError('invalid', `the manifest of ${published.release} does not offer ${model} ${version}`);
  }
  // All other versions stay listed, also those that were published later.
  return {
    ...entry,
    published_versions: mergePublished(previous, publishedManifest(base), config).filter(
      (candidate) => candidate.version !== version,
    ),
  };
}

/** A release's tag, and digest, size and addresses of its manifest. */
export type PublishedManifest = Pick<PublishedVersion, 'release' | 'manifest'>;

function publishedManifest({ tag, bytes, sha256: digest, downloadUrls }: PublishedRelease): PublishedManifest {
  return { release: tag, manifest: { size_bytes: bytes.length, sha256: digest, download_urls: downloadUrls } };
}

/**
 * The published versions of a model for the next manifest: the last entry's own version, and those
 * that it lists.
 */
export function mergePublished(
  previous: ManifestModel,
  base: PublishedManifest,
  config: ReleaseConfig,
): readonly PublishedVersion[] {
  const own: PublishedVersion = {
    version: previous.version,
    release: base.release,
    ...(previous.embedding?.space === undefined ? {} : { space: previous.embedding.space }),
    manifest: base.manifest,
  };
  return [own, ...(previous.published_versions ?? []).map((published) => atConfigured(config, published))]
    .filter((entry, index, all) => all.findIndex((other) => other.version === entry.version) === index)
    .sort((a, b) => semver.rcompare(a.version, b.version));
}

async function readPublishedManifest(
  published: PublishedVersion,
  base: PublishedRelease,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<Manifest> {
  const matches = (bytes: Buffer | undefined): bytes is Buffer =>
    bytes !== undefined && sha256(bytes) === published.manifest.sha256;
  const local = await readFile(publishedCopy(workspace, published.release)).catch(() => undefined);
  if (matches(local)) return parseManifest(local, publishedCopy(workspace, published.release));
  for (const target of workspace.offline ? [] : targets) {
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
