import type { AircherError } from '../core/errors.ts';
import { hostOf, networkError, type RemoteReason, showUrl } from './remote-error.ts';

export function isLoopback(hostname: string): boolean {
  return /^(.*\.)?localhost$|^\[::1\]$|^127(\.\d{1,3}){3}$/.test(hostname);
}

/**
 * The URL parsed, if it may be asked: https, or http to this machine (to others only with `allowInsecure`). `from` is the
 * address that redirects here; another machine can't send us to a service of our own. Throws `remote`.
 */
export function checkedUrl(text: string, options: { readonly allowInsecure: boolean; readonly from?: string }): URL {
  const { from } = options;
  const refused = (reason: RemoteReason, fact: string, hint?: string): AircherError =>
    networkError(reason, `${from === undefined ? '' : `${hostOf(from)} redirects to `}${fact}`, { hint });
  if (!URL.canParse(text, from)) throw refused('redirect', `${JSON.stringify(text.slice(0, 200))}, which is no URL`);
  const url = new URL(text, from);
  const shown = showUrl(url.href);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused('scheme', `${shown}: only https is allowed`);
  }
  if (url.username !== '' || url.password !== '') {
    throw refused('scheme', `${shown}: a user name in a URL is not allowed`);
  }
  const local = isLoopback(url.hostname) && (from === undefined || isLoopback(new URL(from).hostname));
  if (url.protocol === 'http:' && !local && !options.allowInsecure) {
    const hint = 'Use https, or allow plain http with --allow-http where you trust the network.';
    throw refused('scheme', `${shown}: plain http is allowed to this machine only`, hint);
  }
  return url;
}

/** `true` where `url` is `base` or below it. */
export function isBelow(url: URL, base: string): boolean {
  return `${url.origin}${url.pathname}/`.startsWith(new URL(base).href.replace(/\/*$/, '/'));
}
