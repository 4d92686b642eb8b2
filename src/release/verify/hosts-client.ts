import type { ReleaseConfig } from '../../contract/release-config.ts';
import { createHttp } from '../../http/create-http.ts';
import type { Http, HttpOptions } from '../../http/http-client.ts';
import { githubInstallation } from '../addresses.ts';
import type { Workspace } from '../workspace.ts';

export type DownloadPatience = Pick<HttpOptions, 'retryDelayMs' | 'stallTimeoutMs' | 'connectTimeoutMs'>;

/**
 * The client's own HTTP, for asking the hosts as users do. What release.json names as another
 * installation stands; else the environment redirects.
 */
export function createHostsClient(
  config: ReleaseConfig,
  { environment }: Workspace,
  patience: DownloadPatience = {},
): Http {
  return createHttp({
    ...patience,
    ...environment.proxy,
    githubToken: environment.githubToken,
    huggingFaceToken: environment.hfToken,
    huggingFaceEndpoint: config.huggingface?.endpoint ?? environment.hfEndpoint,
    githubServerUrl: config.github?.server_url ?? environment.githubServerUrl,
    githubApiUrl: githubInstallation(config, environment).apiUrl,
  });
}
