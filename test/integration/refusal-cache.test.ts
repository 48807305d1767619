// refusal-cache.test.ts -- The refusal cache refuses without a request to a store, but never wrongly: not a winner, not after an edit, not for long.
//
// The clock of the refusal cache stands still here unless a test moves it, so that no refusal expires by itself.

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, expect, type Mock, spyOn, test } from 'bun:test';
import { type IssuerName, issuerNames } from '../../src/issuing/issuer.ts';
import { changesChannel } from '../../src/stream/keys.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi({ SIGN_MS_MAX: 1000, CLOCK_SKEW_MS_MAX: 30_000 });
const other = await stores.createApi();
afterAll(() => stores.close());

const HOUR_MS = 3_600_000;
const WAIT_NS_MAX = 15_000_000_000n;
let clock: Mock<() => number>;
let nowMs = performance.now();

beforeEach(() => {
  nowMs += 10_000;
  clock = spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => clock.mockRestore());

const people = (count: number) => Array.from({ length: count }, (_, i) => `user-${i}`);
const kindsOf = (outcomes: readonly Outcome[]) => [...new Set(outcomes.map(({ kind }) => kind))];

/** Asks again and again, with a bound by a clock that no test stops. */
async function untilAsked(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = process.hrtime.bigint() + WAIT_NS_MAX;
  while (!(await isSo())) {
    if (process.hrtime.bigint() > deadline) throw new Error(`asked in vain until ${what}`);
    await pause(1);
  }
}

/** Sends requests until the refusal cache answers. */
function untilSignHangs(couponId: number, issuer: IssuerName = 'scripted'): Promise<void> {
  return untilAsked('the refusal is cached', async () => {
    const before = await api.refusalCacheHits();
    await api.issuance.issue(issuer, couponId, 'late');
    return (await api.refusalCacheHits()) > before;
  });
}

/** Asks until the coupon is issued. */
function untilIssued(couponId: number): Promise<void> {
  return untilAsked('it is issued', async () => {
    const { kind } = await api.issuance.issue('scripted', couponId, 'insistent');
    return kind === 'issued';
  });
}

for (const issuer of issuerNames) {
  test(`a winner who repeats the request by ${issuer} gets their sequence although sold out is cached`, async () => {
    const { id } = await stores.coupon({ totalQuantity: 200 });
    const winners = people(200);
    const outcomes = await api.issuers[issuer].issue(id, winners);
    expect(kindsOf(outcomes)).toEqual(['issued']);
    // An answer of the issuer fills the refusal cache; the stock stays where it was.
    await untilSignHangs(id, issuer);
    const again = await Promise.all(winners.map((user) => api.issuance.issue(issuer, id, user)));
    expect(again).toEqual(winners.map((_, i) => ({ kind: 'already issued', sequence: i + 1 })));
    // And hardly any other request reaches a store: a filter lets one in a thousand through.
    const losers = Array.from({ length: 300 }, (_, i) => `loser-${i}`);
    const before = await api.refusalCacheHits();
    const refusals = await Promise.all(losers.map((user) => api.issuance.issue(issuer, id, user)));
    expect(kindsOf(refusals)).toEqual(['sold out']);
    expect((await api.refusalCacheHits()) - before).toBeGreaterThan(280);
    expect((await stores.couponNow(id)).stockHome).toBe(issuer === 'synchronous' ? 'mysql' : 'redis');
  });
}

test('an edit that is announced invalidates the cached refusal immediately', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  await api.issuance.issue('scripted', id, 'winner');
  await untilSignHangs(id);
  await stores.edit(id, { totalQuantity: 2 });
  expect(await api.issuance.issue('scripted', id, 'insistent')).toEqual({ kind: 'sold out' });
  await stores.redis.publish(changesChannel(stores.redis), String(id));
  await untilIssued(id);
});

test('an edit whose message was lost is seen as soon as the cached refusal expires', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  await api.issuance.issue('scripted', id, 'winner');
  await untilSignHangs(id);
  await stores.edit(id, { totalQuantity: 2 });
  nowMs += 999;
  expect(await api.issuance.issue('scripted', id, 'insistent')).toEqual({ kind: 'sold out' });
  nowMs += 1;
  expect(await api.issuance.issue('scripted', id, 'insistent')).toEqual({ kind: 'issued', sequence: 2 });
});

test('messages that were lost with the connection do not matter: every cached refusal is dropped when it is back', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  await api.issuance.issue('scripted', id, 'winner');
  await untilSignHangs(id);
  await stores.edit(id, { totalQuantity: 2 });
  api.subscriber.disconnect(true);
  await untilIssued(id);
  // And it listens again, in a moment.
  await untilSignHangs(id);
  await stores.edit(id, { totalQuantity: 3 });
  await untilAsked('it is issued to another', async () => {
    await stores.redis.publish(changesChannel(stores.redis), String(id));
    return (await api.issuance.issue('scripted', id, 'another')).kind === 'issued';
  });
});

for (const [where, creator] of [
  ['here', api],
  ['in another process', other],
] as const) {
  test(`a coupon that did not exist is issued immediately when it is created ${where}`, async () => {
    const { id } = await stores.coupon();
    await untilSignHangs(id + 1);
    const startMs = Date.now() - HOUR_MS;
    const fields = { title: 'New', totalQuantity: 5, discountAmount: 1, minAvailableAmount: 0, listed: false, startMs };
    const made = await creator.catalog.create({ ...fields, endMs: startMs + 2 * HOUR_MS });
    expect(made.id).toBe(id + 1);
    if (creator === other) await untilIssued(made.id);
    else expect(await api.issuance.issue('scripted', made.id, 'a')).toEqual({ kind: 'issued', sequence: 1 });
  });
}

test('a cached not started expires before the start, by as much as clocks may differ', async () => {
  const thisMs = Date.now();
  using _ = spyOn(Date, 'now').mockReturnValue(thisMs);
  const { id } = await stores.coupon({ startMs: thisMs + HOUR_MS });
  const soon = await stores.coupon({ startMs: thisMs + 30_500 });
  await untilSignHangs(id);
  await untilSignHangs(soon.id);
  nowMs += 501;
  const before = await api.refusalCacheHits();
  expect(await api.issuance.issue('scripted', soon.id, 'a')).toEqual({ kind: 'not started' });
  expect(await api.refusalCacheHits()).toBe(before);
  // The far one still hangs.
  expect(await api.issuance.issue('scripted', id, 'a')).toEqual({ kind: 'not started' });
  expect(await api.refusalCacheHits()).toBe(before + 1);
});

test('no refusal is cached for a coupon that starts sooner than clocks may differ', async () => {
  const { id } = await stores.coupon({ startMs: Date.now() + 29_000 });
  const before = await api.refusalCacheHits();
  for (let i = 0; i < 30; i++) expect(await api.issuance.issue('scripted', id, 'a')).toEqual({ kind: 'not started' });
  expect(await api.refusalCacheHits()).toBe(before);
});

test('a cached refusal of a coupon that was paused or is over says which', async () => {
  const paused = await stores.coupon();
  await stores.edit(paused.id, { paused: true });
  const over = await stores.coupon({ startMs: Date.now() - 2 * HOUR_MS, endMs: Date.now() - HOUR_MS });
  for (const [id, kind] of [
    [paused.id, 'paused'],
    [over.id, 'ended'],
  ] as const) {
    await untilSignHangs(id);
    for (const issuer of issuerNames) expect(await api.issuance.issue(issuer, id, 'a')).toEqual({ kind });
  }
});

test('an owner who used the coupon long ago is still an owner to the refusal cache', async () => {
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  await withConnection(stores.database, (_, connection) =>
    connection.query('UPDATE coupon_issues SET date_used = NOW(3) WHERE coupon_id = ?', [id]),
  );
  await untilSignHangs(id);
  expect(await api.issuance.issue('locked', id, 'b')).toEqual({ kind: 'already issued', sequence: 2 });
});
