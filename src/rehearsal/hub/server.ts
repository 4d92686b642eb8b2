import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createFaults, type Faults, findFault } from '../faults.ts';
import { type Exchange, type Handler, startOrigin } from '../http.ts';
import type { Limits } from '../pacing.ts';
import { jsonReply, Refusal, type Reply, redirectReply } from '../reply.ts';
import { createRequestLog, type RequestLog } from '../request-log.ts';
import { routed } from '../routes.ts';
import type { HubContext } from './access.ts';
import { accountRoutes } from './account-routes.ts';
import { type HubAccount, identify, ownerOf } from './accounts.ts';
import { commitRoutes } from './commit-routes.ts';
import { fileRoutes } from './file-routes.ts';
import { gitRoutes } from './git-routes.ts';
import { HubError } from './hub-error.ts';
import { infoRoutes } from './info-routes.ts';
import { lfsRoutes } from './lfs-routes.ts';
import { createRateLimiter, hubRateLimits, type RateLimitKind, type RateLimits } from './rate-limits.ts';
import { refRoutes } from './ref-routes.ts';
import { openRepositories, type RepositorySettings } from './repositories.ts';
import { openUrlSigner } from './signed-urls.ts';
import { storageHandler } from './storage-origin.ts';

export interface HubOptions {
  /**
   * Everything is kept here; a stand-in that is started again on it goes on where the last one
   * ended.
   */
  readonly stateDirectory: string;
  /** By token. */
  readonly accounts?: Readonly<Record<string, HubAccount>>;
  /** Origins are named `hub` and `cdn`. */
  readonly faults?: Faults;
  readonly log?: RequestLog;
  /** What each connection is like. */
  readonly limits?: Limits;
  /** The Hub's own limits where it isn't given. */
  readonly rateLimits?: Partial<RateLimits>;
  /**
   * Objects above `thresholdBytes` (5 GB) go in parts of `partBytes` (20 MB) where the client can
   * do that.
   */
  readonly multipart?: { readonly thresholdBytes?: number; readonly partBytes?: number };
  /** How long signed URLs are good: 3600. */
  readonly signedUrlSeconds?: number;
  /** Whether the storage origin's downloads carry an ETag: `opaque`. */
  readonly cdnEtag?: 'opaque' | 'none';
  /**
   * A commit takes `msPerFile` (0) for each of its operations; after `timeoutMs` (60,000) its
   * request is answered 504, and it goes on.
   */
  readonly commits?: { readonly msPerFile?: number; readonly timeoutMs?: number };
  readonly host?: string;
  /** Ports of the two origins; free ones where they aren't given. */
  readonly port?: number;
  readonly cdnPort?: number;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly publicHost?: string;
}

export interface Hub {
  /** What `HF_ENDPOINT` and `hubUrl` take; without a final slash. */
  readonly url: string;
  /** The origin of signed URLs. */
  readonly cdnUrl: string;
  readonly faults: Faults;
  readonly log: RequestLog;
  /** Makes a repository (`owner/name`) as its owner would; what is there already stays as it is. */
  createRepository(name: string, settings?: Partial<Pick<RepositorySettings, 'private' | 'gated'>>): Promise<void>;
  /** Renames it as its owner would: the old name redirects. */
  renameRepository(name: string, to: string): Promise<void>;
  /** The bare git repository of `owner/name`, for looking at it with git. */
  gitDirectoryOf(name: string): string | undefined;
  /** Cuts all connections, waits for commits under way, stops listening. */
  close(): Promise<void>;
}

/**
 * Starts a stand-in of the Hugging Face Hub: its API and files on one origin, large file storage on
 * another.
 */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { stateDirectory, host, tls, publicHost, limits } = options;
  const faults = options.faults ?? createFaults();
  const log = options.log ?? createRequestLog();
  const shared = { host, tls, publicHost, limits, faults, log };
  const repositories = await openRepositories(join(stateDirectory, 'repositories'));
  const signer = await openUrlSigner(stateDirectory, options.signedUrlSeconds ?? 3600);
  const cdn = await startOrigin({
    ...shared,
    name: 'cdn',
    port: options.cdnPort,
    handler: storageHandler({ repositories, signer, etag: options.cdnEtag ?? 'opaque' }),
  });
  const context: HubContext = {
    repositories,
    signer,
    accounts: new Map(Object.entries(options.accounts ?? {})),
    limiter: createRateLimiter({ ...hubRateLimits, ...options.rateLimits }),
    cdnUrl: cdn.url,
    multipart: { thresholdBytes: 5_000_000_000, partBytes: 20_000_000, ...options.multipart },
    commits: { msPerFile: 0, timeoutMs: 60_000, ...options.commits },
    background: new Set(),
  };
  const hub = await startOrigin({ ...shared, name: 'hub', port: options.port, handler: hubHandler(context) }).catch(
    async (error: unknown) => {
      await cdn.close();
      throw error;
    },
  );
  return {
    url: hub.url,
    cdnUrl: cdn.url,
    faults,
    log,
    createRepository: async (name, settings = {}) => {
      await repositories.create(name, settings, ownerOf(name));
    },
    renameRepository: repositories.rename,
    gitDirectoryOf: (name) => repositories.get(name)?.gitDirectory,
    close: async () => {
      await Promise.all([hub.close(), cdn.close()]);
      await Promise.all(context.background);
    },
  };
}

function hubHandler(context: HubContext): Handler {
  const answer = routed(
    [
      ...accountRoutes(context),
      ...infoRoutes(context),
      ...refRoutes(context),
      ...commitRoutes(context),
      ...fileRoutes(context),
      ...lfsRoutes(context),
      ...gitRoutes(context),
    ],
    () => {
      throw new HubError(404, "Sorry, we can't find the page you are looking for.");
    },
  );
  return async (exchange) => {
    const common: Record<string, string> = { 'x-request-id': `Root=1-${randomUUID()}` };
    try {
      const moved = await newPlaceOf(context, exchange);
      if (moved !== undefined) return withHeaders(redirectReply(moved, 307), common);
      const kind = limitedKind(exchange);
      if (kind !== undefined) {
        const account = identify(exchange.headers.authorization, context.accounts);
        const { headers, exceeded } = context.limiter.count(kind, { account, address: exchange.remoteAddress });
        Object.assign(common, headers);
        if (exceeded) throw new HubError(429, 'We had to rate limit you. Log in or wait until the window is over.');
      }
      return withHeaders(await answer(exchange), common);
    } catch (error) {
      if (error instanceof HubError) return withHeaders(errorReply(error), common);
      throw error instanceof Refusal ? new Refusal(withHeaders(error.reply, common)) : error;
    }
  };
}

/**
 * Where a request under a name that the repository no longer has is sent: whatever its method, to
 * the same path under the new one.
 */
async function newPlaceOf({ repositories }: HubContext, { url, faults }: Exchange): Promise<string | undefined> {
  const [, before = '', name = '', after = ''] =
    /^(\/(?:api\/(?:resolve-cache\/)?models\/)?)([^/]+\/[^/]+?)((?:\.git)?(?:\/.*)?)$/.exec(url.pathname) ?? [];
  if (findFault(faults, 'rename') && repositories.get(name)) await repositories.rename(name, `${name}-renamed`);
  const now = repositories.newNameOf(name);
  return now === undefined ? undefined : `${before}${now}${after}${url.search}`;
}

/**
 * Which quota a request counts on; git's own protocol, LFS's verify and the cached ordinary files
 * count on none.
 */
function limitedKind({ url }: Exchange): RateLimitKind | undefined {
  if (url.pathname.endsWith('/info/lfs/objects/verify')) return undefined;
  if (/^\/[^/]+\/[^/]+\/(resolve|raw)\//.test(url.pathname)) return 'resolvers';
  if (url.pathname.startsWith('/api/resolve-cache/')) return undefined;
  return url.pathname.startsWith('/api/') || url.pathname.includes('/info/lfs/') ? 'api' : undefined;
}

function errorReply(error: HubError): Reply {
  const headers = {
    ...(error.code !== undefined && { 'x-error-code': error.code }),
    // One line of printable ASCII, as a header must be.
    'x-error-message': error.message.replace(/[^\x20-\x7e]+/g, ' '),
    ...(error.status === 401 && { 'www-authenticate': 'Basic realm="Authentication required", charset="UTF-8"' }),
  };
  return jsonReply(error.status, { error: error.message, ...error.fields }, headers);
}

function withHeaders(reply: Reply, headers: Readonly<Record<string, string>>): Reply {
  return { ...reply, headers: { ...headers, ...reply.headers } };
}
