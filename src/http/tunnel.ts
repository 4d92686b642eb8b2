import type * as https from 'node:https';
import type { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { builtins } from '../core/builtins.ts';
import type { AircherError } from '../core/errors.ts';
import { withoutBrackets } from './allowed-addresses.ts';
import { answerOf } from './answer-of.ts';
import type { HttpProxy } from './proxies.ts';
import { networkError, toRemoteError } from './remote-error.ts';

/** What a request hands to its tunnel, beside Node's options. */
export interface TunnelRequest {
  /** Aborted with the request that the tunnel is for. */
  readonly tunnelSignal: AbortSignal;
}

export interface TunnelOptions extends https.AgentOptions {
  readonly connectMs: number;
}

/**
 * An agent whose connections go through the proxy's CONNECT. Node's own support for proxies begins
 * after Node 20.
 */
export function createTunnelAgent(proxy: HttpProxy, options: TunnelOptions): https.Agent {
  class TunnelAgent extends builtins.https.Agent {
    // Node's agent waits for the callback when nothing is returned.
    override createConnection(
      target: https.RequestOptions & tls.ConnectionOptions & Partial<TunnelRequest>,
      callback?: (error: Error | null, socket: Duplex) => void,
    ): undefined {
      const host = withoutBrackets(String(target.host));
      const authority = `${host.includes(':') ? `[${host}]` : host}:${target.port ?? 443}`;
      openTunnel(proxy, authority, options, target.tunnelSignal).then(
        (socket) => callback?.(null, builtins.tls.connect({ ...target, socket })),
        (error: Error) => callback?.(error, undefined as unknown as Duplex),
      );
    }
  }
  return new TunnelAgent(options);
}

async function openTunnel(
  proxy: HttpProxy,
  authority: string,
  { ca, connectMs }: TunnelOptions,
  signal: AbortSignal | undefined,
): Promise<Duplex> {
  const request = (proxy.url.protocol === 'https:' ? builtins.https : builtins.http).request({
    ...proxy.target,
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...proxy.headers },
    agent: false,
    ...(ca && { ca }),
  });
  const [{ statusCode = 0 }, socket] = await answerOf(request, {
    peer: proxy.name,
    signal,
    event: 'connect',
    connectMs,
    answerMs: connectMs,
  }).catch((error: unknown) => {
    throw proxyFailure(error, proxy);
  });
  if (statusCode === 200) return socket;
  socket.destroy();
  throw proxyRefusal(proxy, authority, statusCode);
}

/** What became of a connection to a proxy: it is to blame, not the host behind it. */
export function proxyFailure(error: unknown, proxy: HttpProxy): AircherError {
  const { code, message, hint, details } = toRemoteError(error, proxy.url.href, proxy.name);
  if (code !== 'remote') return toRemoteError(error, proxy.url.href);
  return networkError('proxy', message, { hint: hint ?? `Check ${proxy.variable}.`, cause: error, details });
}

/** A proxy's own answer, in the place of one of the host that it was asked for. */
export function proxyRefusal(proxy: HttpProxy, authority: string, status: number): AircherError {
  const details = { proxy_status: status };
  const shown = `(status ${status})`;
  const given = 'proxy-authorization' in proxy.headers;
  // tinyproxy refuses a wrong password with 401.
  if (status === 407 || (status === 401 && given)) {
    return networkError(
      'proxy',
      given
        ? `${proxy.name} refuses the user name and password of ${proxy.variable} ${shown}`
        : `${proxy.name} asks for a user name and password ${shown}`,
      { hint: `Write them into ${proxy.variable}: ${proxy.url.protocol}//NAME:PASSWORD@${proxy.url.host}`, details },
    );
  }
  if (status >= 500) return networkError('proxy', `${proxy.name} can’t reach ${authority} ${shown}`, { details });
  return networkError('proxy', `${proxy.name} refuses ${authority} ${shown}`, {
    hint: 'Ask whoever runs the proxy to let that host through, or name it in NO_PROXY where it is reached directly.',
    details,
  });
}
