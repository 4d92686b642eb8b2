import type { DownloadUrls, HostKind } from '../contract/fields.ts';
import { defaultGithubServerUrl, githubApiOf } from '../contract/github-installation.ts';
import { encodePath } from '../contract/names.ts';
import { defaultHubEndpoint, type ReleaseConfig } from '../contract/release-config.ts';
import { checkedBase } from '../targets/remote.ts';
import type { ReleaseEnvironment } from './workspace.ts';

/**
 * Every public address of a release, known before anything is uploaded: GitHub by tag, the Hub by
 * the tag as revision, a mirror by its directory. They come from release.json alone; the
 * environment never shows in a manifest.
 */

export function releaseTag(config: ReleaseConfig): string {
  return `${config.tag_prefix}${config.release}`;
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
      return `${config.mirror ? base(config.mirror.base_url) : ''}/${encodePath(tag)}/${path}`;
  }
}

export function fileUrls(config: ReleaseConfig, kinds: readonly HostKind[], tag: string, name: string): DownloadUrls {
  return Object.fromEntries(kinds.map((kind) => [kind, fileUrl(config, kind, tag, name)]));
}

/** Where people look at a release on each kind of host: its page, or a mirror's manifest. */
export function releasePages(config: ReleaseConfig, tag: string): DownloadUrls {
  const { github, huggingface } = config;
  const page = (kind: HostKind): string => {
    if (kind === 'mirror') return fileUrl(config, kind, tag, 'manifest.json');
    return kind === 'github'
      ? `${base(github?.server_url ?? defaultGithubServerUrl)}/${github?.repository}/releases/tag/${encodePath(tag)}`
      : `${base(huggingface?.endpoint ?? defaultHubEndpoint)}/${huggingface?.repository}/tree/${encodePath(tag)}`;
  };
  return Object.fromEntries(configuredKinds(config).map((kind) => [kind, page(kind)]));
}

/** A mirror's public addresses: of its root pointer, and of a file of a release. */
export function mirrorAddresses(config: ReleaseConfig): {
  readonly root: string;
  readonly of: (tag: string, name: string) => string;
} {
  return {
    root: `${base(config.mirror?.base_url ?? '')}/manifest.json`,
    of: (tag, name) => fileUrl(config, 'mirror', tag, name),
  };
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

/**
 * Where requests to GitHub go: to the installation that release.json names, else to the
 * environment's, else to github.com. A GITHUB_API_URL belongs to the GITHUB_SERVER_URL beside it,
 * and is used for no other server. Throws `usage` for a bad URL.
 */
export function githubInstallation(
  config: ReleaseConfig,
  environment: Pick<ReleaseEnvironment, 'githubServerUrl' | 'githubApiUrl'>,
): { readonly serverUrl: string; readonly apiUrl: string } {
  const { server_url: named, api_url: namedApi } = config.github ?? {};
  const { githubServerUrl, githubApiUrl } = environment;
  const serverUrl = base(checkedBase(named ?? githubServerUrl ?? defaultGithubServerUrl, 'The GitHub server URL'));
  const isSame = githubServerUrl !== undefined && URL.canParse(githubServerUrl) && base(githubServerUrl) === serverUrl;
  const ofEnvironment = named === undefined || isSame ? githubApiUrl : undefined;
  const apiUrl = namedApi ?? ofEnvironment ?? githubApiOf(serverUrl);
  return { serverUrl, apiUrl: base(checkedBase(apiUrl, 'The GitHub API URL')) };
}

/** As it stands in addresses: percent-encoded, without a final slash. */
function base(url: string): string {
  return new URL(url).href.replace(/\/+$/, '');
}
