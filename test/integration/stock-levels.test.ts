// stock-levels.test.ts -- Which coupons have series of their own: those that are requested, however many newer ones there are.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { withConnection } from '../../src/mysql/database.ts';
import { COUPONS_LISTED_MAX } from '../../src/stock/metrics.ts';
import { openStores, type Stores } from '../stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(async () => {
  await stores?.close();
});

test('a coupon that is requested keeps its series when more newer coupons exist than have series', async () => {
  await using api = await stores.createApi();
  const hot = await stores.coupon({ totalQuantity: 5 });
  const idle = await stores.coupon({ totalQuantity: 5 });
  for (let i = 0; i < COUPONS_LISTED_MAX; i += 1) await stores.coupon({ totalQuantity: 5 });
  expect(await api.issuance.issue('scripted', hot.id, 'kim')).toEqual({ kind: 'issued', sequence: 1 });
  const text = await api.metrics.render();
  expect(text).toContain(`coupon_stock_left{coupon="${hot.id}"} 4\n`);
  expect(text).not.toContain(`coupon_stock_left{coupon="${idle.id}"}`);
  expect(text.match(/^coupon_stock_left\{/gm)).toHaveLength(COUPONS_LISTED_MAX);
});

test('one that is over has no series although it is requested', async () => {
  await using api = await stores.createApi();
  const hot = await stores.coupon({ totalQuantity: 5 });
  await api.issuance.issue('scripted', hot.id, 'kim');
  await withConnection(stores.database, (session) =>
    session.execute(
      `UPDATE coupons SET date_issue_start = '2001-01-01', date_issue_end = '2001-01-02' WHERE id = ${hot.id}`,
    ),
  );
  expect(await api.metrics.render()).not.toContain(`{coupon="${hot.id}"}`);
});
