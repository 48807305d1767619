// listeners.test.ts -- Who may follow a coupon, over real connections: nobody takes all places, and what is not announced is not there.

import { expect, test } from 'bun:test';
import { Places } from '../../src/issues/places.ts';
import { ProgressHub } from '../../src/issues/progress.ts';
import { CouponReader } from '../../src/issuing/coupon-reader.ts';
import { serve } from '../../src/runtime/serve.ts';
import { eventually } from '../eventually.ts';
import { coupon, fakeApp, fakeAuthority, fakeConfig, OPERATOR_KEY } from './fakes.ts';
import { sign, tokensWith } from './tokens.ts';

const UNLISTED = 7;
/** Of `Retry-After`. */
const spread = expect.stringMatching(/^[234]$/) as unknown as string;
const fail = (error: unknown) => {
  throw error;
};

/** A server of its own, whose places are all free. Streams are open until it is disposed of, or `leave` is called. */
async function open() {
  const hub = new ProgressHub({
    sample: async (couponId) => {
      const counts = { totalQuantity: null, issued: 0, left: null, unpersisted: 0 };
      return { couponId, version: 1, paused: false, ...counts };
    },
    settings: { PROGRESS_MS: 50 },
    onFault: fail,
  });
  const { app } = fakeApp({
    config: { ...fakeConfig, TRUSTED_PROXIES: '127.0.0.0/8' },
    authority: fakeAuthority({ isOn: true, tokens: tokensWith() }),
    progress: hub,
    places: new Places({
      LISTENERS_MAX: 6,
      LISTENERS_PER_USER_MAX: 1,
      LISTENERS_PER_ADDRESS_MAX: 2,
      LISTENERS_OPERATORS_MAX: 2,
    }),
    readPublic: async (id) => (id <= 25 ? { ...coupon, id, listed: id !== UNLISTED } : null),
  });
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: fail });
  const streams = new AbortController();
  const follow = (headers: Record<string, string> = {}, couponId = 1) =>
    fetch(`${server.url}/v1/coupons/${couponId}/events`, { headers, signal: streams.signal });
  return {
    url: server.url,
    follow,
    statusOf: async (...asked: Parameters<typeof follow>) => (await follow(...asked)).status,
    leave: () => streams.abort(),
    async [Symbol.asyncDispose]() {
      await hub.close();
      await server.stop(100);
    },
  };
}

const operator = { authorization: `Bearer ${OPERATOR_KEY}` };
const from = (address: string) => ({ 'x-forwarded-for': address });

test('an address and a user have a few streams each, and operators have places when all others are taken', async () => {
  await using site = await open();
  const { follow, statusOf } = site;
  const crowd = from('192.0.2.1');
  expect([await statusOf(crowd), await statusOf(crowd)]).toEqual([200, 200]);
  const refused = await follow(crowd);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, spread]);
  expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  // A user behind that address counts as the user, and what is no token counts for nothing.
  const user = { ...crowd, authorization: `Bearer ${await sign()}` };
  expect([await statusOf(user), await statusOf(user), await statusOf({ ...crowd, authorization: 'Bearer x' })]).toEqual(
    [200, 429, 429],
  );
  for (const address of ['192.0.2.2', '192.0.2.3', '2001:db8::1']) expect(await statusOf(from(address))).toBe(200);
  const full = await follow(from('192.0.2.4'));
  expect([full.status, full.headers.get('retry-after')]).toEqual([503, spread]);
  expect([await statusOf(operator), await statusOf(operator), await statusOf(operator)]).toEqual([200, 200, 503]);
});

test('a place is free again when its listener is gone', async () => {
  await using site = await open();
  const crowd = from('192.0.2.1');
  expect([await site.statusOf(crowd), await site.statusOf(crowd), await site.statusOf(crowd)]).toEqual([200, 200, 429]);
  site.leave();
  const statusNow = async () => (await fetch(`${site.url}/v1/coupons/1/events`, { headers: crowd })).status;
  await eventually('a place', async () => (await statusNow()) === 200);
});

test('a thousand listeners that come together cost one look at the store', async () => {
  let looks = 0;
  const reader = new CouponReader(
    async (_, ids) => {
      looks += 1;
      await Bun.sleep(5);
      return ids.map((id) => ({ ...coupon, id }));
    },
    { SIGN_MS_MAX: 1000, SIGNS_MAX: 100, WAITING_USERS_MAX: 5000 },
    // No time passes, however long it takes to come.
    () => 0,
  );
  const hub = new ProgressHub({
    sample: async (couponId) => {
      const { version = 0, totalQuantity = 0, paused = false } = (await reader.read(couponId, 0)) ?? {};
      return { couponId, version, totalQuantity, issued: 0, left: 1, unpersisted: 0, paused };
    },
    settings: { PROGRESS_MS: 60_000 },
    onFault: fail,
  });
  const { app } = fakeApp({ progress: hub, readPublic: (id) => reader.read(id) });
  const follow = () => app.fetch(new Request('http://localhost/v1/coupons/1/events'));
  const answers = await Promise.all(Array.from({ length: 1000 }, follow));
  expect([answers.filter(({ status }) => status === 200).length, looks]).toEqual([1000, 1]);
  await hub.close();
});

test('a coupon that is not announced is there for operators alone, and for all others as if it were not', async () => {
  await using site = await open();
  const { url, statusOf } = site;
  const bodyOf = async (path: string) => {
    const answer = await fetch(url + path, { headers: { 'x-request-id': 'of-this-test' } });
    return [answer.status, await answer.text()];
  };
  for (const path of ['/v1/drops/:id', '/v1/coupons/:id/events']) {
    const [unlisted, unknown] = [path.replace(':id', String(UNLISTED)), path.replace(':id', '26')];
    expect(await bodyOf(unlisted)).toEqual(await bodyOf(unknown));
    expect((await bodyOf(unlisted))[0]).toBe(404);
  }
  expect((await bodyOf('/v1/drops/1'))[0]).toBe(200);
  const user = { authorization: `Bearer ${await sign()}` };
  expect(await statusOf(operator, UNLISTED)).toBe(200);
  expect(await statusOf(user, UNLISTED)).toBe(404);
});

test('readiness names the release of a store only to those who show a key', async () => {
  await using site = await open();
  const detailOf = async (headers: Record<string, string> = {}) => {
    const answer = await fetch(`${site.url}/readyz`, { headers });
    return (await answer.json()) as { checks: { detail: string }[] };
  };
  expect((await detailOf()).checks).toMatchObject([{ detail: 'answers' }]);
  expect((await detailOf({ authorization: 'Bearer wrong' })).checks).toMatchObject([{ detail: 'answers' }]);
  expect((await detailOf(operator)).checks).toMatchObject([{ detail: 'Redis 7.0' }]);
});
