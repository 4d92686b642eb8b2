import type * as http from 'node:http';
import type * as https from 'node:https';
import { builtins } from '../../core/builtins.ts';
import { hasSystemCode } from '../../core/errors.ts';
import { getDocument } from './document.ts';
import { createHosts } from './hosts.ts';
import { createTunnelAgent, proxyAuthorization, proxyChooser } from './proxy.ts';
import { createPace } from './rate-limit.ts';
import { leave } from './read-body.ts';
import { hostOf, networkError, showUrl, toRemoteError } from './remote-error.ts';
import type { Http, HttpOptions, HttpRequest, HttpResponse, HttpSettings } from './types.ts';
import { checkedUrl, isBelow, isLoopback } from './url-policy.ts';

const maxRedirects = 10;
/** A stale kept connection fails at once; there can't be more of them than we keep. */
const maxStaleConnections = 8;
const redirects = new Set([301, 302, 303, 307, 308]);

/** The client of this room. Throws `usage` for options that make no sense. */
export function createHttp(options: HttpOptions = {}): Http {
  const settings: HttpSettings = {
    connections: Math.max(1, options.connections ?? 16),
    connectTimeoutMs: options.connectTimeoutMs ?? 15_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 20_000,
    maxRetryAfterMs: options.maxRetryAfterMs ?? 120_000,
    retryDelayMs: options.retryDelayMs ?? 500,
  };
  const hosts = createHosts(options);
  const chooseProxy = proxyChooser(options);
  const agents = createAgents(options, settings);
  const allowInsecure = options.allowInsecure ?? false;

  const tokenOf = (url: URL): 'huggingface' | 'github' | undefined => {
    // A token in clear text to another machine is given away.
    if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowInsecure) return undefined;
    if (options.githubToken && isBelow(url, hosts.githubApiUrl)) return 'github';
    return options.huggingFaceToken && isBelow(url, hosts.huggingFaceEndpoint) ? 'huggingface' : undefined;
  };
  const headersFor = (url: URL, request: HttpRequest): Record<string, string> => {
    const token = tokenOf(url);
    return {
      'user-agent': options.userAgent ?? 'aircher-models',
      accept: '*/*',
      'accept-encoding': 'identity',
      ...request.headers,
      ...(token && { authorization: `Bearer ${token === 'github' ? options.githubToken : options.huggingFaceToken}` }),
    };
  };

  const ask = async (url: URL, request: HttpRequest): Promise<http.IncomingMessage> => {
    const proxy = chooseProxy(url);
    for (let stale = 0; ; stale++) {
      const sent = send(url, request, headersFor(url, request), proxy, agents);
      try {
        return await answerOf(sent, url, request, settings);
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
    tokenFor: (url) => (URL.canParse(url) ? tokenOf(new URL(url)) : undefined),
    proxyFor: (url) => (URL.canParse(url) ? chooseProxy(new URL(url))?.host : undefined),
    document: (url, request) => getDocument(client, url, request),
    close: () => agents.close(),
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
        if (!redirects.has(status) || location === undefined) {
          return { status, headers: body.headers, url: url.href, hops, body };
        }
        leave(body);
        url = checkedUrl(location, { allowInsecure, from: url.href });
      }
    },
  };
  return client;
}

interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
  tunnel(proxy: URL): https.Agent;
  close(): void;
}

function createAgents(options: HttpOptions, settings: HttpSettings): Agents {
  // No limit of sockets here: the transfer counts its own connections.
  const kept = { keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo' as const };
  const trusted = options.extraCertificates
    ? { ca: [...builtins.tls.rootCertificates, options.extraCertificates] }
    : {};
  const plain = new builtins.http.Agent(kept);
  const secure = new builtins.https.Agent({ ...kept, ...trusted });
  const tunnels = new Map<string, https.Agent>();
  return {
    http: plain,
    https: secure,
    tunnel(proxy) {
      let agent = tunnels.get(proxy.href);
      if (agent === undefined) {
        agent = createTunnelAgent(proxy, { ...kept, ...trusted, timeoutMs: settings.connectTimeoutMs });
        tunnels.set(proxy.href, agent);
      }
      return agent;
    },
    close() {
      for (const agent of [plain, secure, ...tunnels.values()]) agent.destroy();
    },
  };
}

function send(
  url: URL,
  request: HttpRequest,
  headers: Record<string, string>,
  proxy: URL | undefined,
  agents: Agents,
): http.ClientRequest {
  const common = { method: request.method ?? 'GET', ...(request.signal && { signal: request.signal }) };
  if (url.protocol === 'https:') {
    return builtins.https.request(url, { ...common, headers, agent: proxy ? agents.tunnel(proxy) : agents.https });
  }
  if (proxy === undefined) return builtins.http.request(url, { ...common, headers, agent: agents.http });
  return builtins.http.request({
    ...common,
    host: proxy.hostname,
    port: proxy.port === '' ? 80 : proxy.port,
    path: url.href,
    headers: { ...headers, host: url.host, ...proxyAuthorization(proxy) },
    agent: agents.http,
  });
}

/** The answer's headers, within the deadline. */
function answerOf(
  sent: http.ClientRequest,
  url: URL,
  request: HttpRequest,
  settings: HttpSettings,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const timeoutMs = request.connectTimeoutMs ?? settings.connectTimeoutMs;
    const timer = setTimeout(() => {
      sent.destroy(
        networkError('timeout', `${url.host}: no answer within ${Math.round(timeoutMs / 100) / 10} s`, {
          details: { url: showUrl(url.href) },
        }),
      );
    }, timeoutMs);
    sent.once('response', (body) => {
      clearTimeout(timer);
      resolve(body);
    });
    // Stays for errors after the answer; the body tells of those itself.
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end();
  });
}
