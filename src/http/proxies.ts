import querystring from 'node:querystring';
import { builtins } from '../core/builtins.ts';
import { usageError } from '../core/errors.ts';
import { isInside, networks, withoutBrackets } from './allowed-addresses.ts';

/** Which proxy a request takes. As curl has it, but that `HTTP_PROXY` counts in upper case, too. */
export interface ProxyOptions {
  /** HTTPS_PROXY: for `https:` URLs. */
  readonly httpsProxy?: string | undefined;
  /** HTTP_PROXY: for `http:` URLs. */
  readonly httpProxy?: string | undefined;
  /** ALL_PROXY: for URLs whose scheme has no proxy of its own. */
  readonly allProxy?: string | undefined;
  /**
   * NO_PROXY: host names and what lies below them, addresses, networks (`10.0.0.0/8`), each with a
   * `:port` or without; `*`.
   */
  readonly noProxy?: string | undefined;
}

/** What an environment says of proxies: in lower case, else in upper case. */
export function proxyOptionsOf(env: Readonly<Record<string, string | undefined>>): ProxyOptions {
  const either = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  return {
    httpsProxy: either('HTTPS_PROXY'),
    httpProxy: either('HTTP_PROXY'),
    allProxy: either('ALL_PROXY'),
    noProxy: either('NO_PROXY'),
  };
}

export interface HttpProxy {
  /** `http:` or `https:`: how the proxy itself is spoken to. */
  readonly url: URL;
  /** `the proxy HOST:PORT`, without its password. */
  readonly name: string;
  /** The option that names it, as a variable. */
  readonly variable: string;
  /**
   * Where it listens, for a request to it. `servername`: it proves itself by its own name, whatever
   * is asked for.
   */
  readonly target: { readonly host: string; readonly port: number; readonly servername: string };
  /** Its user and password. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The rule. Throws `usage` for a URL whose proxy is none that we can speak to. */
export function proxyChooser(options: ProxyOptions): (url: URL) => HttpProxy | undefined {
  const exceptions = options.noProxy?.match(/[^\s,]+/g) ?? [];
  const known = new Map<string, HttpProxy | undefined>();
  const forScheme = (scheme: string): HttpProxy | undefined => {
    const own = scheme === 'https:' ? options.httpsProxy : options.httpProxy;
    if (!own?.trim()) return parseProxy(options.allProxy, 'ALL_PROXY');
    return parseProxy(own, scheme === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  };
  return (url) => {
    if (exceptions.some((entry) => exempts(entry, url))) return undefined;
    if (!known.has(url.protocol)) known.set(url.protocol, forScheme(url.protocol));
    return known.get(url.protocol);
  };
}

function parseProxy(text = '', variable: string): HttpProxy | undefined {
  const address = text.trim();
  if (address === '') return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`;
  const form = 'It looks like http://proxy.example.org:3128.';
  const scheme = /^socks[^:]*/i.exec(full)?.[0];
  // What it says isn't shown: it may hold a password.
  if (scheme !== undefined) {
    throw usageError(
      `${variable} names a SOCKS proxy (${scheme}), which is not supported`,
      `Set HTTPS_PROXY and HTTP_PROXY to an http proxy, or NO_PROXY to the hosts that need none. ${form}`,
    );
  }
  if (!/^https?:/i.test(full) || !URL.canParse(full)) {
    throw usageError(`${variable} is not the address of an http proxy`, form);
  }
  const url = new URL(full);
  const host = withoutBrackets(url.hostname);
  // A literal % stands for itself.
  const pair = `${querystring.unescape(url.username)}:${querystring.unescape(url.password)}`;
  return {
    url,
    name: `the proxy ${url.host}`,
    variable,
    target: {
      host,
      port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
      servername: builtins.net.isIP(host) ? '' : host,
    },
    headers:
      url.username || url.password ? { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` } : {},
  };
}

/** Whether an entry of NO_PROXY names the URL's host. */
function exempts(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const { net } = builtins;
  const host = withoutBrackets(url.hostname).replace(/\.$/, '');
  // An IPv6 address without brackets has no port.
  const [, named = '', port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [undefined, entry];
  if (port !== undefined && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false;
  const name = withoutBrackets(named).toLowerCase();
  const [address = '', bits] = name.split('/');
  const family = net.isIP(address);
  if (family !== 0) return Number(bits ?? 0) <= (family === 6 ? 128 : 32) && isInside(host, networks([name]));
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
  return suffix !== '' && net.isIP(host) === 0 && (host === suffix || host.endsWith(`.${suffix}`));
}
