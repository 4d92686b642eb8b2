import type { ArchiveFormat, DownloadUrls, HostKind } from '../contract/fields.ts';
import { encodePath } from '../contract/names.ts';
import { defaultGithubServerUrl, defaultHubEndpoint, type ReleaseConfig } from '../contract/release-config.ts';

/**
 * Every public address of a release, known before anything is uploaded: GitHub by tag, the Hub by the tag as revision, a mirror
 * by its directory. They come from release.json alone; the environment never shows in a manifest.
 */

export function releaseTag(config: ReleaseConfig): string {
  return `${config.tag_prefix}${config.release}`;
}

export function archiveName(model: string, format: ArchiveFormat): string {
  return `${model}.${format}`;
}

export function indexName(model: string, format: ArchiveFormat): string {
  return `${archiveName(model, format)}.index.json`;
}

/** The kinds of target that release.json names. */
export function configuredKinds(config: ReleaseConfig): readonly HostKind[] {
  return (['github', 'huggingface', 'mirror'] as const).filter((kind) => config[kind] !== undefined);
}

/** The public URL of a file of a release on one kind of host. */
export function fileUrl(config: ReleaseConfig, kind: HostKind, tag: string, name: string): string {
  const path = encodePath(name);
  switch (kind) {
    case 'github':
      return `${base(config.github?.server_url ?? defaultGithubServerUrl)}/${config.github?.repository}/releases/download/${encodePath(tag)}/${path}`;
    case 'huggingface':
      return `${base(config.huggingface?.endpoint ?? defaultHubEndpoint)}/${config.huggingface?.repository}/resolve/${encodePath(tag)}/${path}`;
    case 'mirror':
      return `${base(config.mirror?.base_url ?? '')}/${encodePath(tag)}/${path}`;
  }
}

export function fileUrls(config: ReleaseConfig, kinds: readonly HostKind[], tag: string, name: string): DownloadUrls {
  return Object.fromEntries(kinds.map((kind) => [kind, fileUrl(config, kind, tag, name)]));
}

/** The manifest sources that the bundled client asks by default. */
export function manifestSources(config: ReleaseConfig): readonly string[] {
  const sources: string[] = [];
  if (config.huggingface) {
    const endpoint = base(config.huggingface.endpoint ?? defaultHubEndpoint);
    sources.push(`${endpoint}/${config.huggingface.repository}/resolve/main/manifest.json`);
  }
  if (config.github) {
    const server = base(config.github.server_url ?? defaultGithubServerUrl);
    const repository =
      server === defaultGithubServerUrl ? config.github.repository : `${server}/${config.github.repository}`;
    sources.push(`github:${repository}#${config.tag_prefix}`);
  }
  if (config.mirror) sources.push(`${base(config.mirror.base_url)}/manifest.json`);
  return sources;
}

function base(url: string): string {
  return url.replace(/\/+$/, '');
}
