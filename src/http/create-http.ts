import type { RunContext } from '../core/events.ts';
import { warn } from '../core/events.ts';
import { checkedUrl, isBelow, isMachineAddress, isMachineHost } from './allowed-addresses.ts';
import { createPace } from './bandwidth-limit.ts';
import { type Asked, createConnections, isRead } from './connections.ts';
import { fileAnswer } from './file-answer.ts';
import { getDocument } from './get-document.ts';
import { createHosts } from './hosts.ts';
import type { Http, HttpOptions, HttpRequest, HttpResponse, HttpSettings, RequestBody } from './http-client.ts';
import { proxyChooser } from './proxies.ts';
import { leave } from './read-body.ts';
import { hostOf, networkError } from './remote-error.ts';
import { isRateLimit } from './retry-after.ts';
import { type Credential, createTokens, isPassword } from './tokens.ts';

const maxRedirects = 10;
const redirects = [301, 302, 303, 307, 308];

/** Whether a write is sent once more where it is redirected to. */
function mayRepeat(status: number, body: RequestBody | undefined): boolean {
  const isStreamed = typeof body === 'object' && !(body instanceof Uint8Array);
  return (status === 307 || status === 308) && !isStreamed;
}

/** Headers fit for another host. */
function withoutCredentials(headers: HttpRequest['headers'] = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

/**
 * The client of this room. `credentials`: for other hosts than GitHub's and the Hub's. `roots`:
 * places with a final slash that the user named: those written as this machine's (`file:`,
 * localhost) are asked, whoever names an address there. Throws `usage` for options that make no
 * sense.
 */
export function createHttp(
  options: HttpOptions = {},
  credentials: readonly Credential[] = [],
  roots: readonly string[] = [],
): Http {
  const connectTimeoutMs = options.connectTimeoutMs ?? 15_000;
  const settings: HttpSettings = {
    connections: Math.max(1, options.connections ?? 16),
    connectTimeoutMs,
    answerTimeoutMs: options.answerTimeoutMs ?? connectTimeoutMs,
    archiveTimeoutMs: options.archiveTimeoutMs ?? 120_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 20_000,
    maxRetryAfterMs: options.maxRetryAfterMs ?? 120_000,
    retryDelayMs: options.retryDelayMs ?? 500,
    documentTimeoutMs: options.documentTimeoutMs ?? 60_000,
    // Where the user limits the rate, others may use up half of it.
    slowestRate: Math.min(10_000, (options.limitRate ?? Number.POSITIVE_INFINITY) / 2),
  };
  const { allowInsecure = false, extraCertificates, userAgent = 'aircher-models' } = options;
  const hosts = createHosts(options);
  const proxyOf = proxyChooser(options);
  const tokens = createTokens(options, hosts, credentials);
  const connections = createConnections({ ...settings, extraCertificates });

  const isOfFiles = (url: string): boolean => url.startsWith('file:');
  const ownRoots = roots.filter((root) => isOfFiles(root) || isMachineHost(new URL(root).hostname));
  const isBelowRoot = (url: string): boolean =>
    URL.canParse(url) && ownRoots.some((root) => new URL(url).href.startsWith(root));

  /** One hop. Where its token is refused, once more without. */
  const ask = async (url: URL, request: HttpRequest, mayBeLocal: boolean) => {
    const headers = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity', ...request.headers };
    const proxy = proxyOf(url);
    const asked: Asked = { ...request, headers, proxy, mayBeLocal };
    const token = tokens.of(url);
    const { authorization } = token ?? {};
    const body = await connections.ask(url, {
      ...asked,
      headers: { ...headers, ...(authorization && { authorization }) },
    });
    const { statusCode: status = 0, socket } = body;
    const local = isMachineHost(url.hostname) || (!proxy && isMachineAddress(socket.remoteAddress ?? ''));
    const through = url.protocol === 'http:' ? proxy?.name : undefined;
    const answer = { body, status, local, through, refusedToken: undefined };
    const refused = [401, 403].includes(status) && !isRateLimit(status, body.headers);
    if (token === undefined || !refused || !isRead(request.method)) return answer;
    leave(body);
    const without = await connections.ask(url, asked);
    if ((without.statusCode ?? 0) >= 400) {
      leave(without);
      return { ...answer, refusedToken: token };
    }
    if (tokens.drop(token)) {
      warn(request, {
        file: url.host,
        message: `refuses ${token.name} (status ${status}), and answers without it`,
        hint: isPassword(token)
          ? 'Correct login and password there, or take them out.'
          : 'Renew the token, or unset it.',
      });
    }
    return { ...answer, body: without, status: without.statusCode ?? 0 };
  };

  const request = async (first: string, options: HttpRequest, mayBeLocal: boolean): Promise<HttpResponse> => {
    const hops: string[] = [];
    let asked = options;
    if (isOfFiles(first) && isBelowRoot(first)) return fileAnswer(new URL(first), options);
    let url = checkedUrl(first, { allowInsecure, mayBeLocal });
    let reach = mayBeLocal;
    for (;;) {
      if (hops.includes(url.href)) throw networkError('redirect', `${hostOf(first)}: redirects in a circle`);
      if (hops.length > maxRedirects) {
        throw networkError('redirect', `${hostOf(first)}: more than ${maxRedirects} redirects`);
      }
      hops.push(url.href);
      const answer = await ask(url, asked, reach);
      const { headers } = answer.body;
      if (!redirects.includes(answer.status) || headers.location === undefined || asked.redirect === 'manual') {
        return { ...answer, headers, url: url.href, hops };
      }
      leave(answer.body);
      if (!isRead(asked.method) && !mayRepeat(answer.status, asked.body)) {
        throw networkError(
          'redirect',
          `${url.host}: is redirected, which a write can’t follow (status ${answer.status})`,
        );
      }
      reach = answer.local;
      const next = checkedUrl(headers.location, { allowInsecure, mayBeLocal: reach, from: url.href });
      if (next.origin !== url.origin) asked = { ...asked, headers: withoutCredentials(asked.headers) };
      url = next;
    }
  };

  const isConfigured = (url: string): boolean =>
    URL.canParse(url) && (isBelowRoot(url) || hosts.configured.some((base) => isBelow(new URL(url), base)));
  const pace = createPace(options.limitRate);
  const clientFor = (mayBeLocal: boolean, context: Pick<RunContext, 'onEvent'>): Http => {
    const client: Http = {
      settings,
      githubApiUrl: hosts.githubApiUrl,
      githubServerUrl: hosts.githubServerUrl,
      hasGithubToken: Boolean(options.githubToken),
      place: hosts.place,
      pace,
      tokenFor: (url) => tokens.of(new URL(url))?.name,
      proxyFor: (url) => proxyOf(new URL(url))?.url.host,
      namedBy: ({ local }, events = context) => clientFor(local, events),
      document: (url, asked) => getDocument(client, url, { ...context, ...asked }),
      request: (url, asked) => request(url, { ...context, ...asked }, mayBeLocal || isConfigured(url)),
      close: connections.close,
    };
    return client;
  };
  return clientFor(true, {});
}
