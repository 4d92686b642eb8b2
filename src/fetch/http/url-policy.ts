import { hostOf, networkError, showUrl } from './remote-error.ts';

export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

/**
 * The URL parsed, if it may be asked: https, or http to this machine (to others only with `allowInsecure`). `from` is the
 * address that redirects here; another machine can't send us to a service of our own. Throws `remote`.
 */
export function checkedUrl(text: string, options: { readonly allowInsecure: boolean; readonly from?: string }): URL {
  const { from } = options;
  const where = from === undefined ? '' : `${hostOf(from)} redirects to `;
  const base = from ?? undefined;
  if (!URL.canParse(text, base))
    throw networkError('redirect', `${where}${JSON.stringify(text.slice(0, 200))}, which is no URL`);
  const url = new URL(text, base);
  const shown = showUrl(url.href);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw networkError('scheme', `${where}${shown}: only https is allowed`, { details: { url: shown } });
  }
  if (url.username !== '' || url.password !== '') {
    throw networkError('scheme', `${where}${shown}: a user name in a URL is not allowed`, { details: { url: shown } });
  }
  const local = isLoopback(url.hostname) && (from === undefined || isLoopback(new URL(from).hostname));
  if (url.protocol === 'http:' && !local && !options.allowInsecure) {
    throw networkError('scheme', `${where}${shown}: plain http is allowed to this machine only`, {
      hint: 'Use https, or allow plain http with --allow-http where you trust the network.',
      details: { url: shown },
    });
  }
  return url;
}

/** `true` where `url` is `base` or below it. */
export function isBelow(url: URL, base: string): boolean {
  const root = new URL(base);
  if (url.origin !== root.origin) return false;
  const path = root.pathname.endsWith('/') ? root.pathname : `${root.pathname}/`;
  return url.pathname === root.pathname || url.pathname.startsWith(path);
}
