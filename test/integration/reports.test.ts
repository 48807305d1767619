// reports.test.ts -- What was issued and used by day and coupon, in any time zone, exact and bounded in cost.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { eq, inArray, sql } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { createReports } from '../../src/operations/reports.ts';
import { openStores, type Stores } from '../stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(async () => {
  await stores?.close();
});

/** A coupon with issues of given instants, some used. */
async function couponWith(
  discountAmount: number,
  issues: readonly (readonly [issued: string, used?: string | undefined, revoked?: string | undefined])[],
  currency = 'KRW',
) {
  const { id } = await stores.coupon({ totalQuantity: null, discountAmount, currency });
  await withConnection(stores.database, async (session) => {
    for (let i = 0; i < issues.length; i += 1000)
      await session.insert(couponIssues).values(
        issues.slice(i, i + 1000).map(([issued, used, revoked], n) => ({
          couponId: id,
          sequence: i + n + 1,
          userId: `user-${i + n}`,
          dateIssued: new Date(issued),
          dateUsed: used === undefined ? null : new Date(used),
          dateRevoked: revoked === undefined ? null : new Date(revoked),
        })),
      );
    await session.update(coupons).set({ issuedQuantity: issues.length }).where(eq(coupons.id, id));
  });
  return id;
}

const all = { after: 0, limit: 100, couponId: null, timeZone: 'UTC' };

test('each issue counts on the day of its time zone on which it was issued, and on which it was used', async () => {
  const report = createReports(stores.database);
  const id = await couponWith(5000, [
    ['2027-03-13T23:59:59.999Z', '2027-03-14T15:00:00Z'],
    ['2027-03-14T14:59:59.999Z'],
    ['2027-03-14T15:00:00Z', '2027-03-15T00:00:00Z'],
    ['2027-03-20T00:00:00Z', '2027-04-02T00:00:00Z'],
  ]);
  const days = async (timeZone: string, from = '2027-03-13', to = '2027-03-20') =>
    (await report({ ...all, couponId: id, timeZone, from, to })).days.map(({ date, issued, used, discount }) => [
      date,
      issued,
      used,
      discount,
    ]);
  expect(await days('UTC')).toEqual([
    ['2027-03-13', 1, 0, 0],
    ['2027-03-14', 2, 1, 5000],
    ['2027-03-15', 0, 1, 5000],
    ['2027-03-20', 1, 0, 0],
  ]);
  expect(await days('Asia/Seoul')).toEqual([
    ['2027-03-14', 2, 0, 0],
    ['2027-03-15', 1, 2, 10_000],
    ['2027-03-20', 1, 0, 0],
  ]);
  // The night in which the clocks are put forward, and a zone with three quarters of an hour.
  expect(await days('America/New_York', '2027-03-14', '2027-03-14')).toEqual([['2027-03-14', 2, 2, 10_000]]);
  expect(await days('Asia/Kathmandu', '2027-03-14', '2027-03-14')).toEqual([['2027-03-14', 3, 1, 5000]]);
  expect(await days('UTC', '2027-04-02', '2027-04-02')).toEqual([['2027-04-02', 0, 1, 5000]]);
});

test('a revoked issue counts on the day on which it was revoked, and takes nothing off', async () => {
  const report = createReports(stores.database, 2);
  const id = await couponWith(
    1999,
    [
      ['2027-05-01T00:00:00Z', undefined, '2027-05-02T14:59:59.999Z'],
      ['2027-05-01T00:00:00Z', undefined, '2027-05-02T15:00:00Z'],
      ['2027-05-01T00:00:00Z', '2027-05-02T15:00:00Z'],
    ],
    'USD',
  );
  const { days } = await report({ ...all, couponId: id, timeZone: 'Asia/Seoul', from: '2027-05-01', to: '2027-05-31' });
  const of = { couponId: id, currency: 'USD' };
  expect(days).toEqual([
    { date: '2027-05-01', issued: 3, used: 0, revoked: 0, discount: 0, ...of },
    { date: '2027-05-02', issued: 0, used: 0, revoked: 1, discount: 0, ...of },
    { date: '2027-05-03', issued: 0, used: 1, revoked: 1, discount: 1999, ...of },
  ]);
});

test('a coupon with more rows than one query reads is counted whole', async () => {
  const report = createReports(stores.database, 10);
  const hour = (i: number) => new Date(Date.UTC(2028, 0, 1) + i * 3_600_000).toISOString();
  for (const rows of [39, 40, 41]) {
    const id = await couponWith(
      2,
      Array.from({ length: rows }, (_, i) => [hour(i), i % 2 ? hour(i) : undefined] as const),
    );
    expect((await report({ ...all, couponId: id, from: '2028-01-01', to: '2028-01-31' })).days).toEqual([
      { date: '2028-01-01', couponId: id, issued: 24, used: 12, revoked: 0, discount: 24, currency: 'KRW' },
      {
        date: '2028-01-02',
        couponId: id,
        issued: rows - 24,
        used: Math.floor(rows / 2) - 12,
        revoked: 0,
        discount: 2 * (Math.floor(rows / 2) - 12),
        currency: 'KRW',
      },
    ]);
  }
});

test('coupons come in pages that are bounded by their issues, archived ones by id alone', async () => {
  const report = createReports(stores.database);
  const day = '2029-05-05';
  const [small, large, archived, last] = [
    await couponWith(1, [[`${day}T00:00:00Z`]]),
    await couponWith(1, [[`${day}T00:00:00Z`]]),
    await couponWith(1, [[`${day}T00:00:00Z`]]),
    await couponWith(1, [[`${day}T00:00:00Z`]]),
  ];
  await withConnection(stores.database, async (session) => {
    await session.update(coupons).set({ issuedQuantity: 1_000_000 }).where(eq(coupons.id, large));
    await session
      .update(coupons)
      .set({ dateArchived: new Date(), issuedQuantity: 5e6 })
      .where(eq(coupons.id, archived));
  });
  const page = async (after: number, limit = 100) => {
    const { days, ...rest } = await report({ ...all, from: day, to: day, after, limit });
    return { coupons: days.map(({ couponId }) => couponId), ...rest };
  };
  expect(await page(small - 1)).toEqual({ coupons: [small], archived: [], next: small });
  expect(await page(small)).toEqual({ coupons: [large], archived: [archived], next: archived });
  expect(await page(archived)).toEqual({ coupons: [last], archived: [], next: null });
  expect(await page(large, 1)).toEqual({ coupons: [], archived: [archived], next: archived });
});

test('the view has the same days as the report of the time zone UTC, and leaves archived coupons out', async () => {
  const random = (days: number) => new Date(Date.UTC(2030, 0, 1) + Math.floor(Math.random() * days * 86_400_000));
  const ids: number[] = [];
  for (const discountAmount of [0, 1, 3500, 2 ** 32 - 1])
    ids.push(
      await couponWith(
        discountAmount,
        Array.from({ length: 200 }, (_, i) => {
          const issued = random(20);
          const used = i % 3 === 0 ? random(40).toISOString() : undefined;
          return [issued.toISOString(), used, i % 3 === 1 ? random(40).toISOString() : undefined] as const;
        }),
        discountAmount === 1 ? 'USD' : 'KRW',
      ),
    );
  const archived = await couponWith(1, [['2030-01-01T00:00:00Z']]);
  await stores.edit(archived, { dateArchived: new Date() });
  const [rows] = await withConnection(stores.database, (session) =>
    session.execute(
      sql`SELECT coupon_id, CAST(date AS CHAR) AS date, issued, used, revoked, discount, currency FROM coupon_issue_days
        WHERE ${inArray(sql`coupon_id`, [...ids, archived])} ORDER BY coupon_id, date`,
    ),
  );
  const report = createReports(stores.database);
  const days = [];
  for (const couponId of ids)
    days.push(...(await report({ ...all, couponId, from: '2030-01-01', to: '2030-12-31' })).days);
  expect(days.length).toBeGreaterThan(80);
  const seen = (rows as unknown as Record<string, string | number>[]).map(
    ({ coupon_id: couponId, date, currency, ...sums }) => ({
      date,
      currency,
      couponId: Number(couponId),
      ...Object.fromEntries(Object.entries(sums).map(([k, v]) => [k, Number(v)])),
    }),
  );
  expect(seen).toEqual(days);
});

test('a process makes one report at a time', async () => {
  const report = createReports(stores.database);
  const request = { ...all, from: '2027-01-01', to: '2027-01-31' };
  const first = report(request);
  await expect(report(request)).rejects.toThrow(/another report/);
  await first;
  await report(request);
});
