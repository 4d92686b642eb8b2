import type * as http from 'node:http';
import type * as https from 'node:https';
import { builtins } from '../core/builtins.ts';
import { hasSystemCode } from '../core/errors.ts';
import { lookupElsewhere } from './allowed-addresses.ts';
import { answerOf, BodySourceError } from './answer-of.ts';
import type { HttpRequest } from './http-client.ts';
import type { HttpProxy } from './proxies.ts';
import { remoteReason, toRemoteError } from './remote-error.ts';
import { createTunnelAgent, proxyFailure, proxyRefusal, type TunnelRequest } from './tunnel.ts';

/** A stale kept connection fails at once; there can't be more of them than we keep. */
const maxStaleConnections = 8;

export interface Connections {
  /**
   * One request, redirects not followed, and the head of its answer. Throws `remote`,
   * `interrupted`.
   */
  ask(url: URL, request: Asked): Promise<http.IncomingMessage>;
  /** Ends those that are idle. */
  close(): void;
}

export interface Asked extends Omit<HttpRequest, 'headers'> {
  readonly headers: Readonly<Record<string, string>>;
  readonly proxy: HttpProxy | undefined;
  /** See `AddressRule`. */
  readonly mayBeLocal: boolean;
}

/** Whether a request changes nothing, and may be sent again. */
export function isRead(method = 'GET'): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * Connections that are kept for the next request: to hosts, by plain http and by TLS, and through
 * each proxy.
 */
export function createConnections(options: {
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  /** PEM. */
  readonly extraCertificates?: string | undefined;
}): Connections {
  const { connectTimeoutMs: connectMs, extraCertificates } = options;
  const agents = new Map<string, http.Agent>();
  const ca = extraCertificates && [...builtins.tls.rootCertificates, extraCertificates];
  const makeAgent = (url: URL, { proxy, mayBeLocal, method }: Asked): http.Agent => {
    // No limit of sockets here: the transfer counts its own connections. A write gets a fresh one:
    // where a kept one is stale, nobody knows whether it was done.
    const kept = { keepAlive: isRead(method), maxFreeSockets: 16, scheduling: 'lifo' as const, ...(ca && { ca }) };
    if (proxy && url.protocol === 'https:') return createTunnelAgent(proxy, { ...kept, connectMs });
    const rule = { ...kept, ...(!proxy && !mayBeLocal && { lookup: lookupElsewhere }) };
    return (proxy?.url ?? url).protocol === 'https:' ? new builtins.https.Agent(rule) : new builtins.http.Agent(rule);
  };
  const agentFor = (url: URL, asked: Asked): http.Agent => {
    const key = `${url.protocol} ${asked.proxy?.url.href ?? asked.mayBeLocal} ${isRead(asked.method)}`;
    const agent = agents.get(key) ?? makeAgent(url, asked);
    agents.set(key, agent);
    return agent;
  };
  return {
    async ask(url, asked) {
      const { proxy } = asked;
      const peer = url.host;
      // Plain http is the proxy's own answer: it is spoken to like a host.
      const spokenTo = url.protocol === 'http:' ? proxy : undefined;
      for (let stale = 0; ; stale++) {
        const tunnel = new AbortController();
        const sent = send(url, asked, agentFor(url, asked), tunnel.signal);
        // Every answer is hashed: what that takes is loaded while the first one is waited for.
        sent.once('finish', () => builtins.crypto);
        try {
          const [body] = await answerOf(sent, {
            peer: spokenTo?.name ?? peer,
            signal: asked.signal,
            body: asked.body,
            // A tunnel has deadlines of its own, which blame the proxy.
            connectMs: (asked.connectTimeoutMs ?? connectMs) * (proxy === spokenTo ? 1 : 3),
            answerMs: asked.answerTimeoutMs ?? options.answerTimeoutMs,
          });
          // Whoever reads it gets its errors; until then nobody does.
          body.on('error', () => {});
          if (asked.signal) builtins.stream.addAbortSignal(asked.signal, body);
          if (spokenTo === undefined || body.statusCode !== 407) return body;
          body.destroy();
          throw proxyRefusal(spokenTo, peer, 407);
        } catch (error) {
          tunnel.abort();
          if (error instanceof BodySourceError) throw error.cause;
          const cut = hasSystemCode(error, 'ECONNRESET', 'EPIPE') || remoteReason(error) === 'reset';
          if (sent.reusedSocket && cut && stale < maxStaleConnections) continue;
          throw spokenTo ? proxyFailure(error, spokenTo) : toRemoteError(error, url.href);
        }
      }
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function send(url: URL, { method = 'GET', headers, proxy }: Asked, agent: http.Agent, tunnelSignal: AbortSignal) {
  const common = { method, headers, agent };
  if (url.protocol === 'https:') {
    const tunnelled: https.RequestOptions & TunnelRequest = { ...common, tunnelSignal };
    return builtins.https.request(url, tunnelled);
  }
  if (proxy === undefined) return builtins.http.request(url, common);
  return (proxy.url.protocol === 'https:' ? builtins.https : builtins.http).request({
    ...common,
    ...proxy.target,
    path: `${url.origin}${url.pathname}${url.search}`,
    headers: { ...headers, host: url.host, ...proxy.headers },
  });
}
