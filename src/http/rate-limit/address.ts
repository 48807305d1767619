// address.ts -- Which address a request is counted under. `X-Forwarded-For` counts only as far as trusted proxies wrote it.

import { BlockList, isIP } from 'node:net';

/** Gives the address that a request came from, as the connection shows it; null where there is none. */
export type PeerOf = (request: Request) => string | null;

const addresses = new WeakMap<Request, () => string | null>();

/** Remembers how to find the address of a request, for `addressOf`. */
export function rememberAddress(request: Request, read: () => string | null): void {
  addresses.set(request, read);
}

/** Gives a copy of a request the address of the original. */
export function copyAddress(original: Request, copy: Request): void {
  const read = addresses.get(original);
  if (read) addresses.set(copy, read);
}

/** The address that a request is counted under; null where it is not known. */
export function addressOf(request: Request): string | null {
  return addresses.get(request)?.() ?? null;
}

/**
 * Makes the function that returns the address of a request.
 *
 * @param proxies addresses or networks, with commas, that write `X-Forwarded-For`; undefined: none
 * @returns an IPv4 address, or the /64 network of an IPv6 address, since a household has a whole one; null if unknown
 */
export function addressReader(proxies: string | undefined): (peer: string | null, request: Request) => string | null {
  const trusted = proxies === undefined ? null : blockListOf(proxies.split(','));
  return (peer, request) => {
    if (peer === null) return null;
    const nearest = plainAddress(peer);
    if (!trusted || !isIn(trusted, nearest)) return networkOf(nearest);
    const hops = (request.headers.get('x-forwarded-for') ?? '').split(',');
    // From the right: each proxy appends the address it saw. Left of the first untrusted one, anything may be forged.
    let seen = nearest;
    for (const hop of hops.reverse()) {
      const address = plainAddress(hop.trim());
      if (isIP(address) === 0) break;
      seen = address;
      if (!isIn(trusted, address)) break;
    }
    return networkOf(seen);
  };
}

function blockListOf(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Without port, brackets and zone, and an IPv4 address as such where IPv6 wraps it. */
function plainAddress(text: string): string {
  const bare = text.startsWith('[') ? text.slice(1, text.indexOf(']')) : text.replace(/^([\d.]+):\d+$/, '$1');
  const [address = ''] = bare.split('%');
  return address.replace(/^::ffff:(?=[\d.]+$)/i, '');
}

function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  // A URL writes every address in one way: groups in lower case, without leading zeros, and an IPv4 tail as two of them.
  const halves = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
