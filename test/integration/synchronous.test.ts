// synchronous.test.ts -- What only `synchronous` promises: the row is in MySQL before the answer, wherever the stock has its home.

import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { lockCoupon } from '../../src/coupon/catalog.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { createSynchronous } from '../../src/issuing/synchronous.ts';
import { type Session, withTransaction } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi();
afterAll(() => stores.close());

const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });

async function rowsOf(couponId: number): Promise<string[]> {
  return (await stores.rows(couponId)).map(({ sequence, userId }) => `${sequence} ${userId}`);
}

for (const opened of [false, true]) {
  test(`the rows are there before the answer, without a worker${opened ? ', with the stock in Redis' : ''}`, async () => {
    const { id } = await stores.coupon({ totalQuantity: 3 });
    if (opened) await api.stock.open(id);
    expect(await api.issuers.synchronous.issue(id, ['a', 'b', 'a'])).toEqual([issued(1), issued(2), already(1)]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
    expect(await api.issuers.synchronous.issue(id, ['b', 'c', 'd'])).toEqual([
      already(2),
      issued(3),
      { kind: 'sold out' },
    ]);
    expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
    expect((await stores.couponNow(id)).issuedQuantity).toBe(3);
    expect(await api.issues.statusOf(id, 'c')).toMatchObject({ kind: 'issued', sequence: 3 });
  });
}

test('a process that decided in MySQL goes on in Redis as soon as another has opened the coupon there', async () => {
  await using other = await stores.createApi();
  const { id } = await stores.coupon();
  expect(await api.issuers.synchronous.issue(id, ['a'])).toEqual([issued(1)]);
  expect(await other.issuers.scripted.issue(id, ['a', 'b'])).toEqual([already(1), issued(2)]);
  expect(await api.issuers.synchronous.issue(id, ['b', 'c'])).toEqual([already(2), issued(3)]);
  expect(await rowsOf(id)).toEqual(['1 a', '3 c']);
});

const cannotSeeWaits = needsPlainMysql('looks for a lock wait in the process list, which shows one shard');

test.skipIf(cannotSeeWaits)(
  'the clock is read under the lock: a request that waits past the end of the period is refused',
  async () => {
    const { id } = await stores.coupon();
    const waiting = await withTransaction(stores.database, async (tx) => {
      await lockCoupon(tx, id);
      const issuing = api.issuers.synchronous.issue(id, ['late']);
      await eventually('the issuer to wait for the lock', () => isWaiting(tx, id));
      // The end comes while it waits.
      await tx.execute(sql`UPDATE coupons SET date_issue_end = NOW(3) WHERE id = ${id}`);
      return { issuing };
    });
    expect(await waiting.issuing).toEqual([{ kind: 'ended' }]);
    expect(await rowsOf(id)).toEqual([]);
  },
);

test('a sold-out coupon in MySQL costs one transaction a batch, whether or not owners are among the users', async () => {
  const { id } = await stores.coupon({ totalQuantity: 1 });
  let transactions = 0;
  const database = { ...stores.database, onTransaction: () => void transactions++ };
  const never = () => Promise.reject(new Error('the stock is in MySQL'));
  const issuer = createSynchronous({
    database,
    take: never,
    exists: () => true,
    epochInRedis: () => 0,
    drop: never,
  });
  const costOf = async (...users: string[]) => {
    const before = transactions;
    await issuer.issue(id, users);
    return transactions - before;
  };
  // The first batch that finds no stock left is decided again, with its users looked up.
  expect([await costOf('a'), await costOf('b'), await costOf('b'), await costOf('a', 'c')]).toEqual([1, 2, 1, 1]);
});

/** Whether a session waits for the lock of a coupon's row. */
async function isWaiting(tx: Session, couponId: number): Promise<boolean> {
  const [rows] = await tx.execute(sql`SHOW FULL PROCESSLIST`);
  // Vitess writes keywords in small letters.
  const asked = (rows as unknown as { Info: string | null }[]).map(({ Info }) => (Info ?? '').toLowerCase());
  return asked.some((text) => text.includes(`from coupons where id = ${couponId} for update`));
}

/** Makes Redis forget its last issue, as a crash without durability would, and think it whole. */
async function forgetLast(couponId: number, user: string): Promise<void> {
  const { state, owners, stream } = stores.keys(couponId);
  await stores.redis.hdel(owners, user);
  await stores.redis.hincrby(state, 'next', -1);
  await stores.redis.del(stream);
}

test('when Redis gives out a number that is a row already, the answer names the number that the row got', async () => {
  const { id } = await stores.coupon({ totalQuantity: 4 });
  await api.stock.open(id);
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  await forgetLast(id, 'b');
  expect(await api.issuers.synchronous.issue(id, ['a', 'c'])).toEqual([already(1), issued(3)]);
  expect(await rowsOf(id)).toEqual(['1 a', '2 b', '3 c']);
});

test('when Redis gives out what is not there any more, no user is answered that it was issued', async () => {
  const { id } = await stores.coupon({ totalQuantity: 2 });
  await api.stock.open(id);
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  await forgetLast(id, 'b');
  await expect(api.issuers.synchronous.issue(id, ['c'])).rejects.toMatchObject({ name: 'Unavailable' });
  expect(await rowsOf(id)).toEqual(['1 a', '2 b']);
});

test('sequences that Redis lost while their rows were being written are not reissued by a concurrent opening', async () => {
  await using slow = await stores.createApi();
  await using other = await stores.createApi();
  const { id } = await stores.coupon();
  await other.stock.open(id);
  // From here on it knows that the stock is in Redis.
  expect(await slow.issuers.synchronous.issue(id, ['a'])).toEqual([issued(1)]);
  const evalsha = slow.redis.evalsha.bind(slow.redis);
  slow.redis.evalsha = async (...words: unknown[]) => {
    const reply = await (Reflect.apply(evalsha, slow.redis, words) as Promise<unknown>);
    if (words.includes('b')) {
      await stores.redis.flushdb();
      await other.stock.open(id);
    }
    return reply;
  };
  expect(await slow.issuers.synchronous.issue(id, ['b'])).toEqual([issued(2)]);
  expect(await other.issuers.scripted.issue(id, ['b', 'c'])).toEqual([already(2), issued(3)]);
});
