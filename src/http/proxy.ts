import type { ClientRequest, IncomingMessage } from 'node:http';
import type * as https from 'node:https';
import type { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { builtins } from '../core/builtins.ts';
import { type AircherError, usageError } from '../core/errors.ts';
import type { HttpOptions } from './http-client.ts';
import { networkError, toRemoteError } from './remote-error.ts';

/** Chooses the proxy of a URL as curl does: by scheme, unless NO_PROXY names the host. */
export function proxyChooser(options: HttpOptions): (url: URL) => URL | undefined {
  const forHttps = parseProxy(options.httpsProxy, 'HTTPS_PROXY');
  const forHttp = parseProxy(options.httpProxy, 'HTTP_PROXY');
  const exceptions = options.noProxy?.match(/[^\s,]+/g) ?? [];
  return (url) => {
    const proxy = url.protocol === 'https:' ? forHttps : forHttp;
    return proxy === undefined || exceptions.some((entry) => exempts(entry, url)) ? undefined : proxy;
  };
}

function parseProxy(text = '', name: string): URL | undefined {
  const address = text.trim();
  if (address === '') return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`;
  if (/^https?:/i.test(full) && URL.canParse(full)) return new URL(full);
  // Not shown: it may hold a password.
  throw usageError(`${name} is not the address of an http proxy`, 'It looks like http://proxy.example.org:3128.');
}

function exempts(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const [, name = '', port] =
    /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase().replace(/^\[?([^\]]*:[^\]]*:[^\]]*)\]?/, '[$1]')) ?? [];
  const urlPort = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (port !== undefined && port !== urlPort) return false;
  const suffix = name.replace(/^\*?\./, '');
  return url.hostname === suffix || (suffix !== '' && url.hostname.endsWith(`.${suffix}`));
}

export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (!proxy.username && !proxy.password) return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** An agent whose connections go through the proxy's CONNECT. Node's own support for proxies begins after Node 20. */
export function createTunnelAgent(proxy: URL, options: https.AgentOptions, timeoutMs: number): https.Agent {
  class TunnelAgent extends builtins.https.Agent {
    // Node's agent waits for the callback when nothing is returned.
    override createConnection(
      target: https.RequestOptions & tls.ConnectionOptions,
      callback?: (error: Error | null, socket: Duplex) => void,
    ): undefined {
      const host = String(target.host);
      const authority = `${host.includes(':') ? `[${host}]` : host}:${target.port ?? 443}`;
      openTunnel(proxy, authority, timeoutMs).then(
        (socket) => callback?.(null, builtins.tls.connect({ ...target, socket })),
        (error: Error) => callback?.(error, undefined as unknown as Duplex),
      );
    }
  }
  return new TunnelAgent(options);
}

async function openTunnel(proxy: URL, authority: string, timeoutMs: number): Promise<Duplex> {
  const secure = proxy.protocol === 'https:';
  const request = (secure ? builtins.https : builtins.http).request({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (secure ? 443 : 80),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...proxyAuthorization(proxy) },
    agent: false,
  });
  const name = `the proxy ${proxy.host}`;
  const late = networkError('proxy', 'no answer');
  const [{ statusCode }, socket] = await answerOf<[IncomingMessage, Duplex]>(request, 'connect', timeoutMs, late).catch(
    (error: unknown) => {
      throw networkError('proxy', `${name}: ${toRemoteError(error, proxy.href).message}`, { cause: error });
    },
  );
  if (statusCode === 200) return socket;
  socket.destroy();
  throw networkError('proxy', `${name} refuses ${authority} (status ${statusCode})`, {
    hint: statusCode === 407 ? 'Put its user name and password into HTTPS_PROXY.' : undefined,
  });
}

/** Sends a request; what it answers by `event`. One without an answer ends with `late`. */
export function answerOf<T>(
  request: ClientRequest,
  event: 'response' | 'connect',
  timeoutMs: number,
  late: AircherError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(late), timeoutMs);
    request.once(event, (...answer) => {
      clearTimeout(timer);
      resolve(answer as T);
    });
    // Stays for errors after the answer; the body tells of those itself.
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
