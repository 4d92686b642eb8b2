import type * as https from 'node:https';
import type { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { builtins } from '../../core/builtins.ts';
import { AircherError, usageError } from '../../core/errors.ts';
import { networkError, toRemoteError } from './remote-error.ts';
import type { HttpOptions } from './types.ts';

/** Chooses the proxy of a URL as curl does: by scheme, unless NO_PROXY names the host. */
export function proxyChooser(options: HttpOptions): (url: URL) => URL | undefined {
  const forHttps = parseProxy(options.httpsProxy, 'HTTPS_PROXY');
  const forHttp = parseProxy(options.httpProxy, 'HTTP_PROXY');
  const exceptions = (options.noProxy ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? forHttps : forHttp;
    return proxy === undefined || exceptions.some((entry) => exempts(entry, url)) ? undefined : proxy;
  };
}

function parseProxy(text: string | undefined, name: string): URL | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text.trim() : `http://${text.trim()}`;
  if (URL.canParse(full)) {
    const url = new URL(full);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  }
  // Not shown: it may hold a password.
  throw usageError(
    `${name} is not the address of an http proxy`,
    `Set it to something like http://proxy.example.org:3128, or unset it.`,
  );
}

function exempts(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const [, name = '', port] =
    /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase().replace(/^\[?([^\]]*:[^\]]*:[^\]]*)\]?/, '[$1]')) ?? [];
  const urlPort = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (port !== undefined && port !== urlPort) return false;
  const suffix = name.replace(/^\*?\./, '');
  return url.hostname === suffix || (suffix !== '' && url.hostname.endsWith(`.${suffix}`));
}

export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** An agent whose connections go through the proxy's CONNECT. Node's own support for proxies begins after Node 20. */
export function createTunnelAgent(
  proxy: URL,
  options: https.AgentOptions & { readonly timeoutMs: number },
): https.Agent {
  class TunnelAgent extends builtins.https.Agent {
    // Node's agent waits for the callback when nothing is returned.
    override createConnection(
      target: https.RequestOptions & tls.ConnectionOptions,
      callback?: (error: Error | null, socket: Duplex) => void,
    ): undefined {
      const host = String(target.host);
      const name = host.includes(':') ? `[${host}]` : host;
      openTunnel(proxy, name, Number(target.port ?? 443), options.timeoutMs).then(
        (socket) => callback?.(null, builtins.tls.connect({ ...target, socket })),
        (error: Error) => callback?.(error, undefined as unknown as Duplex),
      );
    }
  }
  return new TunnelAgent(options);
}

function openTunnel(proxy: URL, host: string, port: number, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? builtins.https : builtins.http).request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: `${host}:${port}`,
      headers: { host: `${host}:${port}`, ...proxyAuthorization(proxy) },
      agent: false,
    });
    const timer = setTimeout(() => {
      request.destroy(networkError('proxy', `the proxy ${proxy.host} does not answer`));
    }, timeoutMs);
    request.once('connect', (response, socket) => {
      clearTimeout(timer);
      if (response.statusCode === 200) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(
        networkError('proxy', `the proxy ${proxy.host} refuses ${host}:${port} (status ${response.statusCode})`, {
          ...(response.statusCode === 407 && { hint: 'Put its user name and password into HTTPS_PROXY.' }),
        }),
      );
    });
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(
        error instanceof AircherError
          ? error
          : networkError('proxy', `the proxy ${proxy.host}: ${toRemoteError(error, proxy.href).message}`, {
              cause: error,
            }),
      );
    });
    request.end();
  });
}
