// The verification of load runs, against a real API and worker: it waits for the worker, passes correct stores, and finds each
// planted damage.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { BenchError } from '../../bench/bench-error.ts';
import { brokenPromises } from '../../bench/testbed/exactness.ts';
import { type Verdict, verify } from '../../bench/verify.ts';
import type { LoadRecord } from '../../bench/verification/load-record.ts';
import { couponIssues } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

let stores: Stores;
let api: TestApi;
beforeAll(async () => {
  stores = await openStores();
  api = await stores.createApi();
});
afterAll(() => stores.close());

const users = ['ann', 'ben', 'cem'];

/** A new coupon of three, issued to three users, and their answers. No worker has seen it yet. */
async function issuedCoupon(): Promise<LoadRecord> {
  const { id } = await stores.coupon({ totalQuantity: users.length });
  const claims = [];
  for (const userId of users) {
    const outcome = await api.issuance.issue('scripted', id, userId);
    if (outcome.kind !== 'issued') throw new Error(`expected an issue, got ${outcome.kind}`);
    claims.push({ status: 202, userId, sequence: outcome.sequence } as const);
  }
  expect(await api.issuance.issue('scripted', id, 'dan')).toEqual({ kind: 'sold out' });
  const counts = { accepted: 3, duplicated: 0, soldOut: 1, indeterminate: 0, unexpected: 0 };
  return { couponId: id, claims, counts, notes: [] };
}

/** The same, once the worker has finished and gone. */
async function finishedCoupon(): Promise<LoadRecord> {
  const record = await issuedCoupon();
  await using worker = await stores.startWorker();
  await worker.drained();
  return record;
}

function judged(record: LoadRecord, waitMsMax = 100): Promise<Verdict> {
  const { DATABASE_URL, REDIS_URL, KEY_PREFIX, PARTITIONS } = stores.config;
  const environment = { DATABASE_URL, REDIS_URL, KEY_PREFIX, PARTITIONS: String(PARTITIONS) };
  return verify({ environment, couponId: record.couponId, record, waitMsMax });
}

test('what is right in both stores passes, and the account says what was looked at', async () => {
  const record = await finishedCoupon();
  const { faults, account } = await judged(record);
  expect(faults).toEqual([]);
  expect(account).toContain(`coupon ${record.couponId}: 3 rows of 3, each read and compared with Redis; drained after`);
});

test('a worker that is behind is waited for, and one that never catches up is reported', async () => {
  const record = await issuedCoupon();
  expect((await judged(record)).faults).toEqual([
    'P3: 3 entries are still in the stream',
    'P3: 3 accepted users are not yet rows',
    'P3: 3 owners in Redis, 0 rows',
    'P3: the next sequence in Redis is 4 after 0 rows',
    'P3: 3 answers named a sequence without its row, the first: user ann under 1',
    'P4: 1 answers said sold out, but 0 of 3 were issued',
  ]);
  const waiting = judged(record, 30_000);
  await using worker = await stores.startWorker();
  expect((await waiting).faults).toEqual([]);
  await worker.drained();
});

test('a row that went missing is seen, by every way that leads to it', async () => {
  const record = await finishedCoupon();
  await withConnection(stores.database, (session) =>
    session
      .delete(couponIssues)
      .where(eq(couponIssues.couponId, record.couponId))
      .orderBy(couponIssues.sequence)
      .limit(1),
  );
  expect((await judged(record)).faults).toEqual([
    'P1: issued_quantity is 3, but there are 2 rows',
    'P3: where sequence 1 should be is 2: the numbers are not dense',
    'P3: 3 owners in Redis, 2 rows',
    'P3: the next sequence in Redis is 4 after 2 rows',
    'P3: 1 answers named a sequence without its row, the first: user ann under 1',
    'P4: 1 answers said sold out, but 2 of 3 were issued',
  ]);
});

test('a dead entry of this coupon is seen, one of another coupon is not', async () => {
  const record = await finishedCoupon();
  const { dead } = stores.keys(record.couponId);
  await stores.redis.xadd(dead, '*', 'entry', '1-0', 'reason', 'no stock left', 'v', 1, 'c', record.couponId + 1);
  expect((await judged(record)).faults).toEqual([]);
  await stores.redis.xadd(dead, '*', 'entry', '1-0', 'reason', 'no such coupon', 'v', 1, 'c', record.couponId);
  expect((await judged(record)).faults).toEqual(['P3: 1 entries are dead, the first for: no such coupon']);
  // The coupon of this one is unknown.
  await stores.redis.xadd(dead, '*', 'entry', '2-0', 'reason', 'unknown version', 'x', 'c');
  expect((await judged(record)).faults).toEqual(['P3: 2 entries are dead, the first for: no such coupon']);
  await stores.redis.del(dead);
});

test('an owner in Redis whose row never came is seen', async () => {
  const record = await finishedCoupon();
  const { owners, state } = stores.keys(record.couponId);
  await stores.redis.hset(owners, 'eve', 4);
  await stores.redis.hset(state, 'next', 5);
  expect((await judged(record)).faults).toEqual([
    'P3: 4 owners in Redis, 3 rows',
    'P3: the next sequence in Redis is 5 after 3 rows',
  ]);
});

test('the rounds of the comparison are held to the same, and to the number of answers that said issued', async () => {
  const record = await finishedCoupon();
  const range = { first: record.couponId, count: 1 };
  expect(await brokenPromises(stores, range, users.length)).toEqual([]);
  expect(await brokenPromises(stores, range, users.length + 1)).toEqual([
    'P3: 4 answers said issued, and there are 3 rows',
  ]);
  await stores.redis.hset(stores.keys(record.couponId).owners, 'ann', 3);
  expect(await brokenPromises(stores, range, users.length)).toEqual([
    `coupon ${record.couponId}: P3: Redis and MySQL disagree on 1 rows, the first: user ann under 1`,
  ]);
});

test('a coupon that is not there cannot be verified', async () => {
  const record = await finishedCoupon();
  const failure: unknown = await judged({ ...record, couponId: 1 }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BenchError);
  expect(failure).toHaveProperty('message', 'there is no coupon 1 in this MySQL');
});
