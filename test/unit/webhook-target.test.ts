// webhook-target.test.ts -- Which URLs a webhook may have, how a name is resolved, and how long a failed request waits.

import { expect, test } from 'bun:test';
import { backoffMs } from '../../src/webhooks/delivering.ts';
import { addressFor, isPublicAddress, PrivateAddressError, urlFault } from '../../src/webhooks/target.ts';

test('only URLs with https, without credentials and of public addresses are taken', () => {
  for (const url of ['https://shop.example/hooks', 'https://shop.example:8443/a?token=1', 'https://93.184.216.34/'])
    expect([url, urlFault(url, false)]).toEqual([url, null]);
  const faults: readonly (readonly [url: string, fault: RegExp])[] = [
    ['', /absolute URL/],
    ['/hooks', /absolute URL/],
    [`https://shop.example/${'a'.repeat(2048)}`, /at most 2048/],
    ['file:///etc/passwd', /https/],
    ['ftp://shop.example/', /https/],
    ['gopher://shop.example/', /https/],
    ['http://shop.example/', /https/],
    ['http://localhost:4000/', /https/],
    ['https://user:password@shop.example/', /credentials/],
    ['https://user@shop.example/', /credentials/],
    ['https://shop.example/#part', /fragment/],
    ['https://localhost/', /public/],
    ['https://a.localhost/', /public/],
    ['https://localhost./', /public/],
    ['https://127.0.0.1/', /public/],
    // All of them are 127.0.0.1 to a URL.
    ['https://2130706433/', /public/],
    ['https://0x7f.1/', /public/],
    ['https://0177.0.0.1/', /public/],
    ['https://10.0.0.7/', /public/],
    ['https://169.254.169.254/latest/meta-data/', /public/],
    ['https://[::1]/', /public/],
    ['https://[::ffff:10.0.0.7]/', /public/],
    ['https://[fd00::1]/', /public/],
  ];
  for (const [url, fault] of faults)
    expect([url, urlFault(url, false)]).toEqual([url, expect.stringMatching(fault)] as never);
});

test('where private addresses are allowed, this machine may be called without TLS, and nobody else', () => {
  for (const url of ['http://localhost:4000/', 'http://127.0.0.1:4000/', 'http://[::1]:4000/', 'https://10.0.0.7/'])
    expect([url, urlFault(url, true)]).toEqual([url, null]);
  for (const url of ['http://10.0.0.7/', 'http://shop.example/', 'file:///etc/passwd', 'https://a:b@10.0.0.7/'])
    expect(urlFault(url, true)).not.toBeNull();
});

test('an address is public only if the internet can reach it', () => {
  const special = [
    '0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.168.1.1',
    '198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8',
    '64:ff9b::a00:1 100::1 2001::1 2001:db8::1 2002:a00:1:: 3fff::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 nothing',
  ].flatMap((line) => line.split(' '));
  expect(special.filter(isPublicAddress)).toEqual([]);
  const reached = [
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '172.15.0.1',
    '172.32.0.1',
    '223.255.255.255',
    '2606:4700::1111',
  ];
  expect(reached.filter((address) => !isPublicAddress(address))).toEqual([]);
});

test('a name is refused if any of its addresses is private, whatever it was before', async () => {
  const names: Readonly<Record<string, readonly string[]>> = {
    'public.example': ['93.184.216.34'],
    'private.example': ['10.0.0.7'],
    'both.example': ['93.184.216.34', '::1'],
    'none.example': [],
  };
  const resolve = async (host: string) => (names[host] ?? []).map((address) => ({ address, family: 4 }));
  const of = (host: string, isPrivateAllowed = false) =>
    addressFor(new URL(`https://${host}/`), isPrivateAllowed, resolve);
  expect(await of('public.example')).toEqual({ address: '93.184.216.34', family: 4 });
  await expect(of('private.example')).rejects.toThrow(PrivateAddressError);
  await expect(of('both.example')).rejects.toThrow(PrivateAddressError);
  await expect(of('none.example')).rejects.toThrow('no address');
  expect(await of('private.example', true)).toEqual({ address: '10.0.0.7', family: 4 });
  expect(await of('[::1]', true)).toEqual({ address: '::1', family: 6 });
  await expect(of('[::1]')).rejects.toThrow(PrivateAddressError);
});

test('the pause doubles up to its bound, with up to half of it at random', () => {
  const longest = [0, 1, 2, 3, 11, 12, 1000].map((failures) => backoffMs(failures, 3600, () => 1));
  expect(longest).toEqual([1000, 2000, 4000, 8000, 2_048_000, 3_600_000, 3_600_000]);
  expect(backoffMs(3, 3600, () => 0)).toBe(4000);
});
