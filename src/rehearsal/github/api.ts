import { randomBytes } from 'node:crypto';
import { etagOf } from '../content.ts';
import type { Exchange, Handler } from '../http.ts';
import { Refusal, type Reply } from '../reply.ts';
import { route, routed } from '../routes.ts';
import { accountRoutes } from './account-routes.ts';
import { type Caller, callerOf } from './accounts.ts';
import { assetRoutes } from './asset-routes.ts';
import type { Call, GitHubContext } from './context.ts';
import { gitRoutes } from './git-routes.ts';
import { graphqlRoutes } from './graphql.ts';
import { createRateLimits, quotaHeaders } from './rate-limits.ts';
import { notFound, refusal } from './refusals.ts';
import { releaseRoutes } from './release-routes.ts';
import { uploadAsset } from './upload.ts';

const apiVersions = ['2022-11-28'];

/**
 * Handlers of the REST (and a little GraphQL) API and of the uploads host; both share callers and
 * secondary limits.
 */
export function createApi(context: GitHubContext): { readonly api: Handler; readonly uploads: Handler } {
  const rateLimits = createRateLimits(context.options.rateLimits);
  const unknown = (): never => {
    throw notFound();
  };
  const answerApi = routed<Call>(
    [...accountRoutes(rateLimits), ...releaseRoutes, ...assetRoutes, ...gitRoutes, ...graphqlRoutes],
    unknown,
  );
  const answerUpload = routed<Call>([route('POST /repos/:owner/:repo/releases/:id/assets', uploadAsset)], unknown);

  const handle = async (exchange: Exchange, isUpload: boolean): Promise<Reply> => {
    const headers: Record<string, string> = {
      'x-github-request-id': requestId(),
      'x-github-media-type': 'github.v3; format=json',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': '*',
    };
    try {
      const caller = enterApi(exchange, context, headers);
      const url = apiUrl(exchange.url, context);
      const call: Call = {
        context: enterpriseContext(context, exchange),
        exchange,
        caller,
        url,
        method: exchange.method,
      };
      const quota = url.pathname === '/rate_limit' ? rateLimits.peek(caller) : rateLimits.take(caller);
      Object.assign(headers, quotaHeaders(quota));
      const leave = rateLimits.enter(caller, exchange.method);
      try {
        const reply = withEtag(exchange, await (isUpload ? answerUpload(call) : answerApi(call)));
        if (reply.status === 304 && caller.account !== undefined) rateLimits.giveBack(caller);
        return { ...reply, headers: { ...headers, ...reply.headers } };
      } finally {
        leave();
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const reply = isUpload ? withRequestId(error.reply, headers['x-github-request-id'] ?? '') : error.reply;
      return { ...reply, headers: { ...headers, ...reply.headers } };
    }
  };
  return { api: (exchange) => handle(exchange, false), uploads: (exchange) => handle(exchange, true) };
}

/** What is asked of every request: a user agent, a version that is known, credentials that hold. */
function enterApi(exchange: Exchange, context: GitHubContext, headers: Record<string, string>): Caller {
  if (!exchange.headers['user-agent']) {
    throw refusal(
      403,
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header ' +
        '(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required).',
    );
  }
  const version = exchange.headers['x-github-api-version']?.toString();
  if (version !== undefined && !apiVersions.includes(version)) {
    throw refusal(400, `"${version}" is not a supported version. Supported versions: ${apiVersions.join(', ')}.`);
  }
  headers['x-github-api-version-selected'] = version ?? apiVersions[0] ?? '';
  const caller = callerOf(exchange, context.options.tokens);
  if (caller.account !== undefined && (caller.account.kind ?? 'classic') === 'classic') {
    headers['x-oauth-scopes'] = (caller.account.scopes ?? ['repo']).join(', ');
  }
  return caller;
}

/**
 * The path as api.github.com has it: without the prefixes of Enterprise servers, repositories by
 * name.
 */
function apiUrl(url: URL, { store }: GitHubContext): URL {
  const plain = new URL(url);
  plain.pathname =
    url.pathname.replace(/^\/api\/(v3|uploads)(?=\/|$)/, '').replace(/^\/api\/graphql$/, '/graphql') || '/';
  const [, id, rest] = /^\/repositories\/(\d+)(\/.*)?$/.exec(plain.pathname) ?? [];
  const repository = store.repositories.find((one) => String(one.id) === id);
  if (repository) plain.pathname = `/repos/${repository.owner}/${repository.name}${rest ?? ''}`;
  return plain;
}

/** Asked by the paths of an Enterprise server, the API's links lead there as well. */
function enterpriseContext(context: GitHubContext, { url }: Exchange): GitHubContext {
  if (!url.pathname.startsWith('/api/')) return context;
  const { web, assets } = context.urls;
  return { ...context, urls: { api: `${web}/api/v3`, uploads: `${web}/api/uploads`, web, assets } };
}

function withEtag(exchange: Exchange, reply: Reply): Reply {
  const isRead = exchange.method === 'GET' || exchange.method === 'HEAD';
  if (!isRead || reply.status !== 200 || typeof reply.body !== 'string') return reply;
  const etag = `W/${etagOf(reply.body)}`;
  const headers = { ...reply.headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60' };
  const known = exchange.headers['if-none-match']?.split(',').map((tag) => tag.trim()) ?? [];
  return known.includes(etag) ? { status: 304, headers } : { ...reply, headers };
}

/** Errors of the uploads host say the request's id in their body too. */
function withRequestId(reply: Reply, id: string): Reply {
  if (typeof reply.body !== 'string') return reply;
  const { message, ...rest } = JSON.parse(reply.body) as Record<string, unknown>;
  return { ...reply, body: JSON.stringify({ message, request_id: id, ...rest }) };
}

function requestId(): string {
  const hex = randomBytes(14).toString('hex').toUpperCase();
  return [hex.slice(0, 4), hex.slice(4, 9), hex.slice(9, 15), hex.slice(15, 21), hex.slice(21)].join(':');
}
