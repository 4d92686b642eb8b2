import { createFaults, type Faults } from '../faults.ts';
import { type Handler, type Origin, startOrigin } from '../http.ts';
import { createRequestLog, type RequestLog } from '../request-log.ts';
import { createApi } from './api.ts';
import { serveAsset } from './asset-host.ts';
import type { GitHubContext, Urls } from './context.ts';
import type { GitHubOptions } from './options.ts';
import { type RepositoryControl, repositoryControl } from './repository-control.ts';
import { openStore } from './store.ts';
import { createWeb } from './web.ts';

export interface GitHub {
  /** github.com: what GITHUB_SERVER_URL would be. Base URLs have no final slash. */
  readonly url: string;
  /** api.github.com: what GITHUB_API_URL would be. */
  readonly apiUrl: string;
  readonly uploadsUrl: string;
  /** Where signed download URLs lead. */
  readonly assetsUrl: string;
  readonly faults: Faults;
  /** Of all four origins: `api`, `uploads`, `web`, `assets`. */
  readonly log: RequestLog;
  /** What somebody does in a repository besides releasing: pushes, tags, settings. `owner/name`. */
  repository(fullName: string): RepositoryControl;
  close(): Promise<void>;
}

/**
 * Starts a stand-in of GitHub as release pipelines and their users see it: API, uploads, website
 * and asset host, on separate origins over real HTTP. Asset bytes are on disk and are streamed both
 * ways.
 */
export async function startGitHub(options: GitHubOptions = {}): Promise<GitHub> {
  const faults = options.faults ?? createFaults();
  const log = options.log ?? createRequestLog();
  const store = openStore(options.stateDirectory, options.repositories ?? []);
  const urls: { -readonly [Name in keyof Urls]: string } = { api: '', uploads: '', web: '', assets: '' };
  const context: GitHubContext = { options, store, urls };
  const { api, uploads } = createApi(context);
  const handlers: Readonly<Record<keyof Urls, Handler>> = {
    api,
    uploads,
    web: createWeb(context, api, uploads),
    assets: (exchange) => serveAsset(context, exchange),
  };
  const origins: Origin[] = [];
  const { limits, tls, host } = options;
  const { publicHost = host ?? '127.0.0.1' } = options;
  const assetsHost = options.assetsHost ?? (publicHost === '127.0.0.1' ? 'localhost' : '127.0.0.1');
  try {
    for (const name of ['api', 'uploads', 'web', 'assets'] as const) {
      const origin = await startOrigin({
        name,
        handler: handlers[name],
        faults,
        log,
        limits,
        tls,
        host,
        publicHost: name === 'assets' ? assetsHost : publicHost,
        port: options.ports?.[name],
      });
      origins.push(origin);
      urls[name] = origin.url;
    }
  } catch (error) {
    await Promise.all(origins.map((origin) => origin.close()));
    store.close();
    throw error;
  }
  return {
    url: urls.web,
    apiUrl: urls.api,
    uploadsUrl: urls.uploads,
    assetsUrl: urls.assets,
    faults,
    log,
    repository: (fullName) => repositoryControl(context, fullName),
    close: async () => {
      await Promise.all(origins.map((origin) => origin.close()));
      store.close();
    },
  };
}
