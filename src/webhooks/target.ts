// target.ts -- Which URLs webhooks may have, and which addresses may be connected to: public ones, unless WEBHOOK_PRIVATE is on.
//
// The name of a URL proves nothing, since its owner decides what it resolves to, and may decide differently the next time. So the
// addresses are checked when a request is made, and the connection goes to the address that was checked.

import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** Longer ones are not stored. */
const URL_LENGTH_MAX = 2048;

/** Not reachable over the internet, or of this machine, by the registries of special addresses of IANA. */
const special = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  special.addSubnet(network, prefix, 'ipv4');

/** Of IPv6 only what is given out as global unicast is public, without what carries IPv4 addresses, documentation and benchmarks. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const specialOfIpv6 = new BlockList();
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  specialOfIpv6.addSubnet(network, prefix, 'ipv6');

/** Whether an address can be one of the internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !special.check(address, 'ipv4');
  return isIP(address) === 6 && globalUnicast.check(address, 'ipv6') && !specialOfIpv6.check(address, 'ipv6');
}

/** The host of a URL without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/**
 * What is wrong with a URL of a webhook, as what is expected; null where nothing is. What its name resolves to is checked when it is
 * requested.
 */
export function urlFault(text: string, isPrivateAllowed: boolean): string | null {
  const url = text.length <= URL_LENGTH_MAX && URL.canParse(text) ? new URL(text) : null;
  if (url === null) return `an absolute URL of at most ${URL_LENGTH_MAX} characters`;
  const host = hostOf(url);
  const isLoopback = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|::1)\.?$/.test(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isPrivateAllowed && isLoopback))
    return 'a URL with https';
  if (url.username !== '' || url.password !== '') return 'a URL without credentials: requests are signed';
  if (url.hash !== '') return 'a URL without a fragment';
  if (!isPrivateAllowed && (isLoopback || (isIP(host) !== 0 && !isPublicAddress(host))))
    return 'a URL of a public address: WEBHOOK_PRIVATE allows others';
  return null;
}

/** A name leads to an address that must not be connected to. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** By the resolver of the system, IPv4 first: a host without a route to IPv6 is more likely than one without IPv4. */
export const resolveBySystem: Resolve = (host) => lookup(host, { all: true, order: 'ipv4first' });

/**
 * The address to connect to. A name that leads to several is refused if one of them is private.
 *
 * @throws PrivateAddressError; what the resolver throws
 */
export async function addressFor(
  url: URL,
  isPrivateAllowed: boolean,
  resolve: Resolve,
): Promise<{ readonly address: string; readonly family: number }> {
  const host = hostOf(url);
  const family = isIP(host);
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
  const [first] = addresses;
  if (!first) throw new Error('the host name has no address');
  if (!isPrivateAllowed && addresses.some(({ address }) => !isPublicAddress(address)))
    throw new PrivateAddressError('the host name resolves to a private address');
  return first;
}
