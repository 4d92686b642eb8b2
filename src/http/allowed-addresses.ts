import type { BlockList, LookupFunction } from 'node:net';
import { builtins } from '../core/builtins.ts';
import type { AircherError } from '../core/errors.ts';
import { hostOf, networkError, type RemoteReason, showUrl } from './remote-error.ts';

/** Addresses at which a machine, or its own link, answers: loopback, link-local, unspecified. */
const machineNetworks = ['127.0.0.0/8', '0.0.0.0/8', '169.254.0.0/16', '::1/128', '::/128', 'fe80::/10'];
let machine: BlockList | undefined;

/**
 * Whether an IP address is of this machine or its link, IPv4 written as IPv6 (`::ffff:127.0.0.1`)
 * too.
 */
export function isMachineAddress(address: string): boolean {
  machine ??= networks(machineNetworks);
  return isInside(address, machine);
}

/** Networks such as `10.0.0.0/8`, and single addresses. */
export function networks(entries: readonly string[]): BlockList {
  const { net } = builtins;
  const list = new net.BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const [family, full] = net.isIPv6(address) ? (['ipv6', 128] as const) : (['ipv4', 32] as const);
    list.addSubnet(address, Number(bits ?? full), family);
  }
  return list;
}

/** False for what is no IP address. */
export function isInside(address: string, list: BlockList): boolean {
  const family = builtins.net.isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether the host of a URL is this machine by its name or address alone, without a look into DNS.
 */
export function isMachineHost(hostname: string): boolean {
  return /^(.*\.)?localhost\.?$/.test(hostname) || isMachineAddress(withoutBrackets(hostname));
}

/** Loopback, by name or address: what is sent there in clear text never leaves the machine. */
export function isLoopback(hostname: string): boolean {
  return /^(.*\.)?localhost$|^\[::1\]$|^127(\.\d{1,3}){3}$/.test(hostname);
}

/** `::1` of a URL's `[::1]`. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

export interface AddressRule {
  /** Plain http to other machines. */
  readonly allowInsecure: boolean;
  /**
   * Whether the address may lead to this machine: the user configured it, or what named it came
   * from this machine.
   */
  readonly mayBeLocal: boolean;
  /** The address that redirects here. */
  readonly from?: string | undefined;
}

/**
 * The URL parsed, if it may be asked: https, or http to this machine (to others where allowed).
 * Throws `remote`.
 */
export function checkedUrl(text: string, { allowInsecure, mayBeLocal, from }: AddressRule): URL {
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
  if (!mayBeLocal && isMachineHost(url.hostname)) throw refused('scheme', `${shown}: ${ofThisMachine}`);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowInsecure) {
    const hint = 'Use https, or allow plain http with --allow-http where you trust the network.';
    throw refused('scheme', `${shown}: plain http is allowed to this machine only`, hint);
  }
  return url;
}

const ofThisMachine = 'another machine can’t name an address of this one';

/** As Node's own lookup, but for addresses of this machine: a name that has no other fails. */
export const lookupElsewhere: LookupFunction = (hostname, options, callback) => {
  builtins.dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    const [first, ...more] = found?.filter(({ address }) => !isMachineAddress(address)) ?? [];
    if (error) callback(error, '');
    else if (first === undefined) callback(networkError('scheme', `${hostname}: ${ofThisMachine}`), '');
    else if (options.all) callback(null, [first, ...more]);
    else callback(null, first.address, first.family);
  });
};

/** `true` where `url` is `base` or below it. */
export function isBelow(url: URL, base: string): boolean {
  return `${url.origin}${url.pathname}/`.startsWith(new URL(base).href.replace(/\/*$/, '/'));
}
