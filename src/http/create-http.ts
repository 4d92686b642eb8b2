import type * as http from 'node:http';
import { builtins } from '../core/builtins.ts';
import { hasSystemCode } from '../core/errors.ts';
import { checkedUrl, isBelow, isLoopback } from './allowed-addresses.ts';
import { getDocument } from './get-document.ts';
import { createHosts } from './hosts.ts';
import type { Http, HttpOptions, HttpRequest, HttpResponse, HttpSettings } from './http-client.ts';
import { answerOf, createTunnelAgent, proxyAuthorization, proxyChooser } from './proxy.ts';
import { createPace } from './rate-limit.ts';
import { leave, seconds } from './read-body.ts';
import { hostOf, networkError, toRemoteError } from './remote-error.ts';
import { createWideAgent } from './wide-reads.ts';

const maxRedirects = 10;
/** A stale kept connection fails at once; there can't be more of them than we keep. */
const maxStaleConnections = 8;
const redirects = [301, 302, 303, 307, 308];

/** The client of this room. Throws `usage` for options that make no sense. */
export function createHttp(options: HttpOptions = {}): Http {
  const settings: HttpSettings = {
    connections: Math.max(1, options.connections ?? 16),
    connectTimeoutMs: options.connectTimeoutMs ?? 15_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 20_000,
    maxRetryAfterMs: options.maxRetryAfterMs ?? 120_000,
    retryDelayMs: options.retryDelayMs ?? 500,
    documentTimeoutMs: options.documentTimeoutMs ?? 60_000,
    // Where the user limits the rate, others may use up half of it.
    slowestRate: Math.min(10_000, (options.limitRate ?? Number.POSITIVE_INFINITY) / 2),
  };
  const hosts = createHosts(options);
  const chooseProxy = proxyChooser(options);
  const { agentFor, close } = createAgents(options, settings.connectTimeoutMs);
  const allowInsecure = options.allowInsecure ?? false;

  const tokens = { github: options.githubToken, huggingface: options.huggingFaceToken };
  const bases = { github: hosts.githubApiUrl, huggingface: hosts.huggingFaceEndpoint };
  const tokenOf = (url: URL): 'huggingface' | 'github' | undefined => {
    // A token in clear text to another machine is given away.
    if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowInsecure) return undefined;
    return (['github', 'huggingface'] as const).find((kind) => tokens[kind] && isBelow(url, bases[kind]));
  };
  const ask = async (url: URL, request: HttpRequest): Promise<http.IncomingMessage> => {
    const proxy = chooseProxy(url);
    const token = tokenOf(url);
    const headers = {
      'user-agent': options.userAgent ?? 'aircher-models',
      accept: '*/*',
      'accept-encoding': 'identity',
      ...request.headers,
      ...(token && { authorization: `Bearer ${tokens[token]}` }),
    };
    const { connectTimeoutMs: timeoutMs } = settings;
    for (let stale = 0; ; stale++) {
      const sent = send(url, request, headers, proxy, agentFor(url, proxy));
      // Every answer is hashed: what that takes is loaded while the first one is waited for.
      sent.once('finish', () => builtins.crypto);
      const late = networkError('timeout', `${url.host}: no answer within ${seconds(timeoutMs)} s`);
      try {
        const [body] = await answerOf<[http.IncomingMessage]>(sent, 'response', timeoutMs, late);
        return body;
      } catch (error) {
        const reused = sent.reusedSocket && hasSystemCode(error, 'ECONNRESET', 'EPIPE');
        if (!reused || stale >= maxStaleConnections) throw toRemoteError(error, url.href);
      }
    }
  };

  const client: Http = {
    settings,
    githubApiUrl: hosts.githubApiUrl,
    githubServerUrl: hosts.githubServerUrl,
    hasGithubToken: Boolean(options.githubToken),
    place: hosts.place,
    pace: createPace(options.limitRate),
    tokenFor: (url) => tokenOf(new URL(url)),
    proxyFor: (url) => chooseProxy(new URL(url))?.host,
    document: (url, request) => getDocument(client, url, request),
    close,
    async request(first, request = {}): Promise<HttpResponse> {
      const hops: string[] = [];
      let url = checkedUrl(first, { allowInsecure });
      for (;;) {
        if (hops.includes(url.href)) throw networkError('redirect', `${hostOf(first)}: redirects in a circle`);
        if (hops.length > maxRedirects)
          throw networkError('redirect', `${hostOf(first)}: more than ${maxRedirects} redirects`);
        hops.push(url.href);
        const body = await ask(url, request);
        const status = body.statusCode ?? 0;
        const { location } = body.headers;
        if (!redirects.includes(status) || location === undefined) {
          return { status, headers: body.headers, url: url.href, hops, body };
        }
        leave(body);
        url = checkedUrl(location, { allowInsecure, from: url.href });
      }
    },
  };
  return client;
}

/** Keeps connections: to hosts by plain http, by TLS, and to each proxy. */
function createAgents(options: HttpOptions, timeoutMs: number) {
  const agents = new Map<string, http.Agent>();
  const make = (url: URL, proxy: URL | undefined): http.Agent => {
    // No limit of sockets here: the transfer counts its own connections.
    const kept = { keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo' as const };
    const { extraCertificates, limitRate } = options;
    // A low rate is held by small reads.
    if (url.protocol === 'http:') return limitRate ? new builtins.http.Agent(kept) : createWideAgent(kept);
    const ca = extraCertificates && [...builtins.tls.rootCertificates, extraCertificates];
    const secure = { ...kept, ...(ca && { ca }) };
    return proxy ? createTunnelAgent(proxy, secure, timeoutMs) : new builtins.https.Agent(secure);
  };
  return {
    agentFor(url: URL, proxy: URL | undefined): http.Agent {
      const key = url.protocol + (proxy?.href ?? '');
      const agent = agents.get(key) ?? make(url, proxy);
      agents.set(key, agent);
      return agent;
    },
    close(): void {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function send(
  url: URL,
  request: HttpRequest,
  headers: Record<string, string>,
  proxy: URL | undefined,
  agent: http.Agent,
): http.ClientRequest {
  const common = { method: request.method ?? 'GET', headers, agent, ...(request.signal && { signal: request.signal }) };
  if (url.protocol === 'https:') return builtins.https.request(url, common);
  if (proxy === undefined) return builtins.http.request(url, common);
  return builtins.http.request({
    ...common,
    host: proxy.hostname,
    port: proxy.port || 80,
    path: url.href,
    headers: { ...headers, host: url.host, ...proxyAuthorization(proxy) },
  });
}
