// withdrawals.test.ts -- What a chaos run says of erased users is believed, since it finds a trace, and a second coupon, where there is one.

import { afterAll, expect, test } from 'bun:test';
import { recordIn, SYSTEM } from '../../src/auth/audit-trail.ts';
import { eraseUser } from '../../src/operations/erasing.ts';
import { checkHistory, type HistoryRow } from '../checker.ts';
import { openStores } from '../stores.ts';
import { nameWithdrawn, tracesOfWithdrawn } from './withdrawals.ts';

const stores = await openStores();
afterAll(() => stores.close());

async function erasedUser(userId: string) {
  await using api = await stores.createApi();
  const { id, startMs, endMs } = await stores.coupon();
  const invokedMs = Date.now();
  expect(await api.issuers.synchronous.issue(id, [userId])).toEqual([{ kind: 'issued', sequence: 1 }]);
  const { redisStock } = api;
  await eraseUser({ redisStock, database: stores.database, keyDigests: [], waitMsMax: 5000 }, userId, SYSTEM);
  const attempt = {
    couponId: id,
    userId,
    invokedMs,
    endedMs: Date.now(),
    result: { kind: 'ok', sequence: 1 },
  } as const;
  return {
    coupon: { id, total: 10, startMs, endMs },
    attempts: [attempt],
    rows: (await stores.rows(id)).map((row): HistoryRow => ({ couponId: id, ...row })),
    crowd: { withdrawn: [{ userId, couponId: id, isErased: true }] },
  };
}

test('the row of an erased user is theirs; a second one, and one of a stranger, are found', async () => {
  const { coupon, attempts, rows, crowd } = await erasedUser('user-1');
  const [row] = rows;
  expect(row?.userId).toStartWith('erased-');
  const judged = async (...more: HistoryRow[]) => {
    const named = await nameWithdrawn(stores.database, crowd, [...rows, ...more]);
    const found = checkHistory({ coupons: [coupon], attempts, rows: named }, { clockMsMax: 2 });
    return [...new Set(found.map(({ verdict }) => verdict))];
  };
  expect(await judged()).toEqual([]);
  const issuedMs = row?.issuedMs ?? 0;
  expect(await judged({ couponId: coupon.id, sequence: 2, userId: 'user-1', issuedMs })).toContain('twice');
  expect(await judged({ couponId: coupon.id, sequence: 2, userId: 'erased-another', issuedMs })).toEqual([
    'unexpected',
  ]);
});

test('the id of an erased user is found wherever a store has it, and no other is taken for it', async () => {
  const { crowd, rows } = await erasedUser('user-2');
  expect(await tracesOfWithdrawn(stores, crowd, rows)).toEqual([]);
  const { redis } = stores;
  await redis.hset('an-owner', 'user-2', 1, 'user-21', 2);
  await redis.hset('a-value', '1', 'user-2');
  await redis.set('a-string', 'a,user-2,b');
  await redis.zadd('a-set', 1, 'user-2');
  await redis.xadd('a-stream', '*', 'u', 'user-21,user-2');
  await redis.hset('coupon:{1}:1:offers', 'user-2 1', '1 1');
  await recordIn(stores.database)(SYSTEM, { action: 'user.erase', couponId: 1, from: null, to: { userId: 'user-2' } });
  const found = await tracesOfWithdrawn(stores, crowd, [
    ...rows,
    { couponId: 1, sequence: 1, userId: 'user-2', issuedMs: 1 },
  ]);
  expect(found.toSorted()).toEqual(
    ['a-set', 'a-stream', 'a-string', 'a-value', 'an-owner', 'audit_trail', 'coupon_issues'].map(
      (place) => `user-2 was erased, and is in ${place}`,
    ),
  );
});
