/** The public GitHub's addresses. */
export const defaultGithubServerUrl = 'https://github.com';
export const defaultGithubApiUrl = 'https://api.github.com';

/**
 * The REST API that belongs to a web address. [docs.github.com, "Getting started with the REST
 * API": `api.github.com`, `api.SUBDOMAIN.ghe.com`, and `<server>/api/v3` on a server of one's own]
 */
export function githubApiOf(serverUrl: string): string {
  const { host, hostname, protocol } = new URL(serverUrl);
  if (hostname === 'github.com' || hostname.endsWith('.ghe.com')) return `${protocol}//api.${host}`;
  return `${serverUrl.replace(/\/+$/, '')}/api/v3`;
}
